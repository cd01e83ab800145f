"""The sheet of a third rater: CSV with one row per segment to score, without what the others gave.

The columns have the names they have in a manifest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from neopain.codecs.manifest import Key, read_manifest
from neopain.codecs.table import Row, number_cell, read_table, write_table
from neopain.domain.annotation import SCALE_RANGES, Rating, Scale, Segment
from neopain.errors import ConfigurationError

NEEDED: Final = ("subject_id", "session_id", "segment_id", "scale", "rater_id", "score")
TIMES: Final = ("start_s", "end_s")
"""Where to look in the recording; a sheet may come back without them."""
COLUMNS: Final = (*NEEDED[:3], *TIMES, *NEEDED[3:])


def write_sheet(segments: Iterable[Segment], scale: Scale) -> str:
    """The sheet to fill in: ``rater_id`` and ``score`` are empty."""
    return write_table((_cells(segment, scale) for segment in segments), COLUMNS)


def read_sheet(text: str, scale: Scale) -> dict[Key, Rating]:
    """The third rater's ratings on one scale, from a sheet or from a manifest of that rater's own.

    Rows without a score, and those of other scales, do not count. ``ConfigurationError`` with line and column for what
    cannot be used, and for a segment that is scored twice.
    """
    header = text.partition("\n")[0]
    if "ga_days" in header:
        return _from_manifest(text, scale)
    columns = COLUMNS if TIMES[0] in header else NEEDED
    found: dict[Key, Rating] = {}
    for row in read_table(text, columns, table="third rater's sheet"):
        row.word("scale", [known.value for known in Scale])
        if row.cells["scale"] != scale.value or not row.cells["score"]:
            continue
        key = (row.required("subject_id"), row.required("session_id"), row.required("segment_id"))
        if key in found:
            raise row.refusal("segment_id", "is scored a second time; keep one row")
        found[key] = _rating(row, scale)
    return found


def _from_manifest(text: str, scale: Scale) -> dict[Key, Rating]:
    found: dict[Key, Rating] = {}
    for segment in read_manifest(text):
        ratings = [rating for rating in segment.ratings if rating.scale is scale]
        if len(ratings) > 1:
            raise ConfigurationError(
                f"the third rater's manifest has several {scale.value} ratings of segment {segment.id!r}; keep one"
            )
        if ratings:
            found[segment.subject.id, segment.session, segment.id] = ratings[0]
    return found


def _rating(row: Row, scale: Scale) -> Rating:
    low, high = SCALE_RANGES[scale]
    score = row.number("score")
    if not low <= score <= high:
        raise row.refusal("score", f"expected {low:g} to {high:g} on {scale.value}")
    return Rating(scale=scale, rater=row.required("rater_id"), score=score)


def _cells(segment: Segment, scale: Scale) -> dict[str, str]:
    return {
        "subject_id": segment.subject.id,
        "session_id": segment.session,
        "segment_id": segment.id,
        "start_s": number_cell(segment.start_seconds),
        "end_s": number_cell(segment.end_seconds),
        "scale": scale.value,
    }
