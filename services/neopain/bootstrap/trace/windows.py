"""In which windows a bed's entry was, and what came of them: by what each score says it was read from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from neopain.bootstrap.trace.found import arrival_of
from neopain.bus.bus import Bus, id_at
from neopain.bus.streams import SCORES, VITALS
from neopain.charting.tracing import ChartedStretch, Stretch, TracedEntry
from neopain.domain.receipt import Stored
from neopain.domain.score import Score
from neopain.domain.window import VITALS_SPAN
from neopain.wire.score import decode_score

LATEST_SCORE = timedelta(minutes=3)
"""A score is published within so much after the end of its window: a ticker that was away catches up for a minute."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where one stored entry went. ``scores_kept`` says whether every score of its windows is still there to be seen;
    ``charted`` is None when charting was not asked."""

    stored: Stored
    scores: tuple[Score, ...]
    unsure: tuple[Score, ...]
    """Of windows that may have held it: they do not tell what they were read from."""
    scores_kept: bool
    entries: tuple[TracedEntry, ...] = ()
    charted: ChartedStretch | None = None


def stretch_of(stored: Stored) -> Stretch:
    """The bed, and the ends of the windows that may hold an entry: from the first one (included) to the last (not)."""
    return stored.bed, stored.measured_from, stored.measured_until + VITALS_SPAN


async def scores_on_bus(bus: Bus, stored: Stored) -> list[Score]:
    """The scores of the entry's stretch that still lie on the bus."""
    bed, begin, end = stretch_of(stored)
    entries = await bus.read_range(SCORES, first=id_at(begin), last=id_at(end + LATEST_SCORE))
    scores = (decode_score(entry.payload) for entry in entries)
    return [score for score in scores if score.bed == bed and begin <= score.window_end < end]


def way_of(stored: Stored, on_bus: Iterable[Score], charted: ChartedStretch | None, now: datetime) -> Way:
    """Joins what is kept on the bus and by charting; a score that is in both is told once."""
    known = {score.id: score for score in (*on_bus, *(charted.scores if charted else ()))}
    scores = sorted(known.values(), key=lambda score: (score.window_end, score.produced))
    held = [(score, holds(score, stored)) for score in scores]
    retention = SCORES.retention or timedelta.max
    found = tuple(score for score, is_in in held if is_in)
    unsure = tuple(score for score, is_in in held if is_in is None)
    return Way(
        stored=stored,
        scores=found,
        unsure=unsure,
        scores_kept=now - stretch_of(stored)[1] < retention,
        entries=_entries_of((*found, *unsure), charted),
        charted=charted,
    )


def holds(score: Score, stored: Stored) -> bool | None:
    """Whether a window was read with the entry in it; None when the score does not tell what it was read from.

    It was, if something in it was measured within the window and since the bed is as it was, and if it had arrived when
    the window closed. Of a missed window nothing was read: it is told as missed. A value that a slow source had sent
    before the window may be held into it: that is not told here.
    """
    begin = score.window_end - VITALS_SPAN
    if not (begin < stored.measured_until and stored.measured_from <= score.window_end):
        return False
    if score.occupied_since is not None and stored.measured_until < score.occupied_since:
        return False
    if not score.read_until:
        return None
    last = score.read_until.get(VITALS.name)
    return last is not None and _parts(stored.id) <= _parts(last)


def _entries_of(scores: Sequence[Score], charted: ChartedStretch | None) -> tuple[TracedEntry, ...]:
    """The entries whose stretch has one of the windows; where the scores are gone, those whose stretch could."""
    if charted is None:
        return ()
    ends = [score.window_end for score in scores]
    return tuple(one for one in charted.entries if not ends or any(one.begins < end <= one.ends for end in ends))


def is_open(way: Way) -> bool:
    """Whether a summary of the entry's windows is still to come."""
    until = way.charted.charted_until if way.charted is not None else None
    newest = max((score.window_end for score in (*way.scores, *way.unsure)), default=way.stored.measured_until)
    return until is None or until < newest


def vitals_are_kept(stored: Stored, now: datetime) -> bool:
    """Whether the entry itself lies on the bus still."""
    return VITALS.retention is None or now - arrival_of(stored.id) < VITALS.retention


def _parts(entry_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)
