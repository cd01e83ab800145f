"""An entry around a procedure that somebody has documented: what the score was before, how high it went, how long it
took to come back.

Whoever documents a procedure says when it began and ended; nothing here guesses that one took place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from neopain.domain.identity import BedId
from neopain.domain.score import Score
from neopain.domain.span import EntryKind, Span

LONGEST = timedelta(minutes=45)
"""Of a procedure: with what is before and after it well within the two hours for which windows are kept."""
LONGEST_AGO = timedelta(minutes=30)
"""How long after its end it may be documented."""
NOT_RECOVERED = "not-recovered"
NO_BASELINE = "no-baseline"


@dataclass(frozen=True, slots=True)
class ProcedureRule:
    """What of a site's policy holds for procedures: how many minutes before and after one an entry looks at."""

    before: timedelta = timedelta(minutes=5)
    after: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Procedure:
    """One that is documented: what it was, in the words or the code of who says so, and when."""

    bed: BedId
    begin: datetime
    end: datetime
    what: str
    system: str = ""
    code: str = ""

    @property
    def id(self) -> str:
        """The same procedure of a bed has the same id, however often it is told."""
        text = f"{self.bed}|{self.begin.isoformat()}|{self.end.isoformat()}|{self.system}|{self.code}|{self.what}"
        return hashlib.sha256(f"procedure|{text}".encode()).hexdigest()[:32]

    def span(self, rule: ProcedureRule) -> Span:
        """What its entry is about: from its begin on, until the minutes after it are over."""
        return Span(EntryKind.PROCEDURE, self.begin, self.end + rule.after)

    def span_before(self, rule: ProcedureRule) -> Span:
        """The minutes of its baseline."""
        return Span(EntryKind.PROCEDURE, self.begin - rule.before, self.begin)


@dataclass(frozen=True, slots=True)
class ProcedureCourse:
    """What an entry says of a procedure. ``baseline`` is the median of the minutes before, None without a number.

    ``recovery`` is from its end to the moment from which on the score was back; None: it was not within those minutes,
    or there is nothing to come back to.
    """

    what: str
    system: str
    code: str
    begin: datetime
    end: datetime
    baseline: float | None
    recovery: timedelta | None


def refusal_of(procedure: Procedure, *, now: datetime) -> str:
    """Why there is no entry of a procedure that is documented now; empty when there is to be one."""
    if procedure.end <= procedure.begin:
        return "it ends before it begins"
    if procedure.end > now:
        return "it is documented before it has ended"
    if procedure.end - procedure.begin > LONGEST:
        return f"it is longer than {LONGEST.total_seconds() / 60:.0f} min"
    if now - procedure.end > LONGEST_AGO:
        return f"it ended longer than {LONGEST_AGO.total_seconds() / 60:.0f} min ago: its windows may be gone"
    return ""


def recovery_of(
    windows: Sequence[Score], *, end: datetime, back_at: float, hold: timedelta, gap: timedelta
) -> timedelta | None:
    """How long after the end the score was at or below ``back_at`` and stayed there for the hold time; None: never.

    ``windows`` are in the order of their ends. One without a number proves nothing; after a gap it begins anew.
    """
    since: datetime | None = None
    last: datetime | None = None
    for one in windows:
        if one.window_end <= end or one.estimate is None:
            continue
        if one.estimate.value > back_at or (last is not None and one.window_end - last > gap):
            since = None
        last = one.window_end
        if one.estimate.value <= back_at:
            since = since or one.window_end
            if one.window_end - since >= hold:
                return since - end
    return None
