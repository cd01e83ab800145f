"""What an alert is: a notice that an infant's score is high and stays so, and the events that it consists of.

An alert is its events: what it stands at now is read from them (``Alert.standing``), and nothing of it is changed. It
is a notice of investigational software and not a medical alarm: nobody may rely on being woken by it. When there are
events is decided in ``alerting`` (by the scores) and ``alert_acts`` (by persons).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import assert_never

from neopain.domain.identity import BedId, PatientId
from neopain.domain.score import Weights
from neopain.domain.vitals import Processing

NOTICE = "notice of investigational software, not a medical alarm"
"""Said wherever an alert is shown."""

BELOW = "below"
"""The score fell below the lowest level."""
ANOTHER_INFANT = "another-infant"
INFANT_LEFT = "infant-left"
WRONG_INFANT = "wrong-infant"
"""The census was corrected: it was about another infant from the beginning."""
CLOCK_WAS_AHEAD = "clock-was-ahead"
"""It opened, or changed, by windows of a clock that was ahead: it could not escalate until then."""
SWITCHED_OFF = "switched-off"
"""The site's policy has no alerts there any more."""


class AlertLevel(Enum):
    """How high the score is, in proportion."""

    MILD = "mild"
    MODERATE = "moderate"
    SEVERE = "severe"

    @property
    def rank(self) -> int:
        """0 for the lowest."""
        return LEVELS.index(self)


LEVELS = tuple(AlertLevel)


class AlertEventKind(Enum):
    """What can happen to an alert."""

    OPENED = "opened"
    RAISED = "raised"
    LOWERED = "lowered"
    SUSTAINED = "sustained"
    """It has been open for so long that it is told as such."""
    ESCALATED = "escalated"
    """Nobody has answered for the policy's time."""
    ACKNOWLEDGED = "acknowledged"
    """A person has taken notice of this level."""
    SNOOZED = "snoozed"
    """A person wants to be left alone until then, unless the level rises."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Reading:
    """A score, 0..10, and the end of its window."""

    value: float
    at: datetime


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One thing that happened. ``level`` is the alert's afterwards; ``seen`` is the newest number at that moment."""

    kind: AlertEventKind
    moment: datetime
    level: AlertLevel
    seen: Reading | None = None
    by: str = ""
    """The person; empty for what the scores did."""
    note: str = ""
    """What the person says to it."""
    until: datetime | None = None
    """Of SNOOZED."""
    escalation: int | None = None
    """Of ESCALATED, which one since the level was reached, from 1 on."""
    reason: str = ""
    """Of ENDED: one of the words above, or of ``withholding``."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What an alert stands at after its events."""

    level: AlertLevel
    highest: AlertLevel
    reached: datetime
    """When it opened or last rose."""
    asked_since: datetime
    """From when on the time until the next escalation counts."""
    acknowledged: AlertLevel | None = None
    """Up to which level somebody has taken notice."""
    escalations: int = 0
    snoozed_until: datetime | None = None
    is_sustained: bool = False
    ended: datetime | None = None
    end_reason: str = ""

    @property
    def wants_answer(self) -> bool:
        """Whether nobody has taken notice of its level yet."""
        is_acknowledged = self.acknowledged is not None and self.acknowledged.rank >= self.level.rank
        return self.ended is None and not is_acknowledged


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert about one infant, with its events in their order; the first is OPENED.

    ``newest`` is the infant's newest number as far as it is known where the alert was read.
    """

    id: str
    bed: BedId
    patient: PatientId
    visit: str
    opened: datetime
    policy: str
    model: str
    weights: Weights
    events: tuple[AlertEvent, ...]
    processing: Processing = Processing.PRODUCTION
    newest: Reading | None = None

    @property
    def standing(self) -> Standing:
        """What it stands at."""
        return standing(self.events)

    def last(self, kind: AlertEventKind) -> AlertEvent | None:
        """The last event of the kind."""
        return next((event for event in reversed(self.events) if event.kind is kind), None)

    def no_number_since(self, now: datetime, *, gap: timedelta) -> datetime | None:
        """Since when an alert that goes on has had no number, where that is longer than the gap; else None."""
        if self.standing.ended is not None:
            return None
        since = self.newest.at if self.newest is not None else self.opened
        return since if now - since > gap else None


def alert_id(bed: BedId, patient: PatientId, opened: datetime) -> str:
    """The same opening of the same infant's alert has the same id, however often its windows are repeated."""
    text = f"alert|{bed}|{patient.assigning_authority}|{patient.value}|{opened.isoformat()}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def standing(events: Sequence[AlertEvent]) -> Standing:
    """What an alert with these events, at least OPENED, stands at."""
    opened, *later = events
    state = Standing(opened.level, opened.level, reached=opened.moment, asked_since=opened.moment)
    for event in later:
        state = _after(state, event)
    return state


def _after(state: Standing, event: AlertEvent) -> Standing:
    match event.kind:
        case AlertEventKind.OPENED | AlertEventKind.RAISED:
            return _risen(state, event)
        case AlertEventKind.LOWERED:
            # What was noticed falls with the level: a new rise is news again.
            noticed = state.acknowledged and min(state.acknowledged, event.level, key=LEVELS.index)
            return replace(state, level=event.level, acknowledged=noticed)
        case AlertEventKind.SUSTAINED:
            return replace(state, is_sustained=True)
        case AlertEventKind.ESCALATED:
            return replace(state, escalations=event.escalation or 0, asked_since=event.moment)
        case AlertEventKind.ACKNOWLEDGED | AlertEventKind.SNOOZED:
            return _answered(state, event)
        case AlertEventKind.ENDED:
            return replace(state, ended=event.moment, end_reason=event.reason, snoozed_until=None)
        case _:
            assert_never(event.kind)


def _risen(state: Standing, event: AlertEvent) -> Standing:
    """A rise is asked about anew: it ends a snooze, and escalations are counted from there."""
    return replace(
        state,
        level=event.level,
        highest=max(state.highest, event.level, key=LEVELS.index),
        reached=event.moment,
        asked_since=event.moment,
        escalations=0,
        snoozed_until=None,
    )


def _answered(state: Standing, event: AlertEvent) -> Standing:
    if event.until is None:
        return replace(state, acknowledged=event.level, snoozed_until=None)
    return replace(state, snoozed_until=event.until, asked_since=event.until)
