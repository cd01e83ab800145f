"""``manifest.csv`` of a data set: one row per rating, to and from ``domain.annotation``.

Strict: whatever is doubtful is refused with its line, column, value and rule, since a silently wrong label costs more
than a correction. Knows nothing of files beyond their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from neopain.codecs.table import Row, number_cell, pairs_cell, read_table, write_table
from neopain.domain.annotation import (
    NIPS_ITEMS,
    NPASS_ITEMS,
    SCALE_RANGES,
    Availability,
    Rating,
    Recorded,
    Scale,
    Segment,
    Subject,
)
from neopain.errors import ConfigurationError

SUBJECT_COLUMNS: Final = ("subject_id", "site", "sex", "skin_tone", "ga_days")
"""The same in every row of an infant."""
SESSION_COLUMNS: Final = ("age_days", "weight_g", "illness", "session_id")
"""The same in every row of a session."""
SEGMENT_COLUMNS: Final = (
    "segment_id",
    "start_s",
    "end_s",
    "video",
    "video_reason",
    "audio",
    "audio_reason",
    "vitals",
    "vitals_reason",
    "face_box",
    "has_infant",
    "procedure",
    "sedation",
    "respiratory_support",
)
RATING_COLUMNS: Final = ("scale", "rater_id", "score", "items")
LAST_COLUMNS: Final = ("codes", "licence")
COLUMNS: Final = (*SUBJECT_COLUMNS, *SESSION_COLUMNS, *SEGMENT_COLUMNS, *RATING_COLUMNS, *LAST_COLUMNS)
"""In the order in which they are written; they are read in any order."""

GESTATION_DAYS: Final = (140, 315)
"""20 to 45 weeks: catches weeks that were written for days."""
WEIGHT_G: Final = (200, 30_000)
"""Catches kilograms that were written for grams."""
AGE_DAYS: Final = (0, 3650)

ITEM_RANGES: Final[Mapping[Scale, Mapping[str, tuple[float, float]]]] = {
    Scale.NIPS: {item: (0.0, float(most)) for item, most in NIPS_ITEMS.items()},
    Scale.NPASS_PAIN: dict.fromkeys(NPASS_ITEMS, (0.0, 2.0)),
    Scale.NPASS_SEDATION: dict.fromkeys(NPASS_ITEMS, (-2.0, 0.0)),
}
CODE_RANGE: Final = (0.0, 1.0)

Key = tuple[str, str, str]
"""Subject, session, segment."""


def write_manifest(segments: Iterable[Segment]) -> str:
    """The segments as CSV with a header, lines ended by a line feed; ``read_manifest`` gives the same segments back.

    ``ConfigurationError`` for segments that a manifest cannot hold: what the reader would refuse is not written.
    """
    given = tuple(segments)
    text = write_table((cells for segment in given for cells in _cells(segment)), COLUMNS)
    if read_manifest(text) != given:
        raise ConfigurationError(
            "the segments do not survive a manifest: one was given twice, or a text has blanks around it"
        )
    return text


def read_manifest(text: str) -> tuple[Segment, ...]:
    """The segments of a manifest, in the order of their first rows; ratings in the order of their rows.

    ``ConfigurationError`` for the first thing that is wrong.
    """
    segments: dict[Key, Segment] = {}
    ratings: dict[Key, list[Rating | None]] = {}
    first_rows: dict[tuple[str, ...], Row] = {}
    for row in read_table(text, COLUMNS, table="manifest"):
        row.require_plain_text()
        _require_agreement(row, first_rows)
        key = (row.cells["subject_id"], row.cells["session_id"], row.cells["segment_id"])
        if key not in segments:
            segments[key] = _segment(row)
        rating = _rating(row)
        _require_new(row, rating, ratings.setdefault(key, []))
        ratings[key].append(rating)
    return tuple(
        replace(segment, ratings=tuple(rating for rating in ratings[key] if rating is not None))
        for key, segment in segments.items()
    )


def _require_agreement(row: Row, first_rows: dict[tuple[str, ...], Row]) -> None:
    """Refuses a row that says something else of its infant, session or segment than an earlier row."""
    subject, session, segment = (row.required(column) for column in ("subject_id", "session_id", "segment_id"))
    levels = (
        (("infant", subject), SUBJECT_COLUMNS),
        (("session", subject, session), SESSION_COLUMNS),
        (("segment", subject, session, segment), (*SEGMENT_COLUMNS, *LAST_COLUMNS)),
    )
    for key, columns in levels:
        first = first_rows.setdefault(key, row)
        for column in columns:
            if first.cells[column] != row.cells[column]:
                said = f"line {first.line} says {first.cells[column]!r} of the same {key[0]} {key[-1]!r}"
                raise row.refusal(column, said)


def _segment(row: Row) -> Segment:
    """The segment of a row, still without ratings."""
    start, end = row.seconds("start_s"), row.seconds("end_s")
    if start < 0:
        raise row.refusal("start_s", "is before the start of the session, expected 0 or more")
    if end <= start:
        raise row.refusal("end_s", f"is not after start_s, which is {start:g}")
    codes = row.pairs("codes")
    _require_in_range(row, "codes", codes, dict.fromkeys(codes, CODE_RANGE))
    return Segment(
        subject=_subject(row),
        session=row.cells["session_id"],
        id=row.cells["segment_id"],
        start_seconds=start,
        end_seconds=end,
        recorded={kind: _availability(row, kind.value) for kind in Recorded},
        ratings=(),
        face_box=_face_box(row),
        procedure=row.cells["procedure"],
        sedation=row.cells["sedation"],
        respiratory_support=row.cells["respiratory_support"],
        codes=codes,
        has_infant=row.word("has_infant", ("yes", "no")) == "yes",
        licence=row.cells["licence"],
    )


def _subject(row: Row) -> Subject:
    return Subject(
        id=row.cells["subject_id"],
        site=row.required("site"),
        gestational_age_days=row.whole("ga_days", GESTATION_DAYS),
        age_days=row.whole("age_days", AGE_DAYS),
        sex=row.cells["sex"],
        skin_tone=row.cells["skin_tone"],
        weight_g=row.whole("weight_g", WEIGHT_G),
        illness=row.cells["illness"],
    )


def _availability(row: Row, column: str) -> Availability:
    path, reason = row.cells[column], row.cells[f"{column}_reason"]
    if bool(path) == bool(reason):
        raise row.refusal(column, f"expected either a path here or a word in {column}_reason")
    parts = path.split("/")
    if "\\" in path or path.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", path):
        raise row.refusal(column, "expected a path below the manifest's folder, its parts separated by '/'")
    return Availability(path, reason)


def _face_box(row: Row) -> tuple[int, int, int, int] | None:
    if not row.cells["face_box"]:
        return None
    numbers = [int(part) for part in row.cells["face_box"].split() if re.fullmatch(r"-?\d{1,6}", part, re.ASCII)]
    if len(numbers) != len(row.cells["face_box"].split()) or len(numbers) != 4:
        raise row.refusal("face_box", "expected left, top, width, height in whole pixels between blanks, or nothing")
    left, top, width, height = numbers
    if width <= 0 or height <= 0:
        raise row.refusal("face_box", "width and height must be above 0")
    return left, top, width, height


def _rating(row: Row) -> Rating | None:
    if not any(row.cells[column] for column in RATING_COLUMNS):
        return None
    scale = Scale(row.word("scale", [scale.value for scale in Scale]))
    score, items = row.number("score"), row.pairs("items")
    _require_in_range(row, "score", {"score": score}, {"score": SCALE_RANGES[scale]})
    _require_in_range(row, "items", items, ITEM_RANGES[scale])
    return Rating(scale, row.required("rater_id"), score, items)


def _require_in_range(
    row: Row, column: str, numbers: Mapping[str, float], ranges: Mapping[str, tuple[float, float]]
) -> None:
    for name, value in numbers.items():
        if name not in ranges:
            raise row.refusal(column, f"{name!r} is none of {', '.join(ranges)}")
        low, high = ranges[name]
        if not low <= value <= high:
            raise row.refusal(column, f"{name} is {value:g}, expected {low:g} to {high:g}")


def _require_new(row: Row, rating: Rating | None, before: list[Rating | None]) -> None:
    name = row.cells["segment_id"]
    if before and (rating is None or before[0] is None):
        raise row.refusal("scale", f"segment {name!r} has a row without a rating beside another row")
    if any(one and rating and (one.rater, one.scale) == (rating.rater, rating.scale) for one in before):
        raise row.refusal("rater_id", f"has rated segment {name!r} on this scale in an earlier row")


def _cells(segment: Segment) -> Iterator[dict[str, str]]:
    """The rows of a segment: one per rating, or one without."""
    shared = {**_subject_cells(segment.subject), **_segment_cells(segment)}
    for rating in segment.ratings:
        yield shared | {
            "scale": rating.scale.value,
            "rater_id": rating.rater,
            "score": number_cell(rating.score),
            "items": pairs_cell(rating.items),
        }
    if not segment.ratings:
        yield shared


def _subject_cells(subject: Subject) -> dict[str, str]:
    numbers = {"ga_days": subject.gestational_age_days, "age_days": subject.age_days, "weight_g": subject.weight_g}
    return {
        "subject_id": subject.id,
        "site": subject.site,
        "sex": subject.sex,
        "skin_tone": subject.skin_tone,
        "illness": subject.illness,
        **{column: "" if number is None else str(number) for column, number in numbers.items()},
    }


def _segment_cells(segment: Segment) -> dict[str, str]:
    files = {kind.value: segment.recorded.get(kind, Availability()) for kind in Recorded}
    return {
        "session_id": segment.session,
        "segment_id": segment.id,
        "start_s": number_cell(segment.start_seconds),
        "end_s": number_cell(segment.end_seconds),
        **{column: file.path for column, file in files.items()},
        **{f"{column}_reason": file.reason for column, file in files.items()},
        "face_box": " ".join(str(part) for part in segment.face_box or ()),
        "has_infant": "yes" if segment.has_infant else "no",
        "procedure": segment.procedure,
        "sedation": segment.sedation,
        "respiratory_support": segment.respiratory_support,
        "codes": pairs_cell(segment.codes),
        "licence": segment.licence,
    }
