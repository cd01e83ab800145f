"""When an alert opens, rises, falls, escalates and ends: pure functions over the windows of one bed.

Everything goes by the windows' times: the same windows give the same alerts, with the same ids and events, however
late they are read. Only of a bed without windows, what has become due goes by the clock (``pass_time``).

Nothing is said of an infant that is not clearly the one in the bed, and nothing is concluded from silence: without a
number no alert opens, and none ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from neopain.domain.alert import (
    ANOTHER_INFANT,
    BELOW,
    CLOCK_WAS_AHEAD,
    INFANT_LEFT,
    LEVELS,
    SWITCHED_OFF,
    WRONG_INFANT,
    Alert,
    AlertEvent,
    AlertEventKind,
    AlertLevel,
    Reading,
    alert_id,
)
from neopain.domain.alert_policy import AlertPolicy
from neopain.domain.assignment import CHANGED, EMPTY_BED, LEFT, Assignment
from neopain.domain.gestation import ga_band
from neopain.domain.identity import BedId
from neopain.domain.pacing import AHEAD, is_ahead
from neopain.domain.policy import ChartingPolicy
from neopain.domain.score import Score
from neopain.domain.vitals import Processing
from neopain.domain.withholding import DEEP_SEDATION, NEUROMUSCULAR_BLOCK

BY_NUMBERS = (BELOW, DEEP_SEDATION)
"""Ends after which the next alert keeps its distance; a bed that was emptied by mistake is alerted of at once."""
NOT_ACROSS: tuple[datetime | None, ...] = (None,) * len(LEVELS)


@dataclass(frozen=True, slots=True)
class Past:
    """The last alert of a bed, if numbers ended it, which may come back: when, how high it was, and whose it was."""

    ended: datetime
    highest: AlertLevel
    occupant: str


@dataclass(frozen=True, slots=True)
class Watch:
    """What is remembered of one bed between windows; kept in the same transaction as what it caused."""

    bed: BedId
    newest: datetime | None = None
    """End of the newest window taken; an older one changes nothing."""
    occupant: str = ""
    """``Assignment.key`` of the newest window whose infant was known."""
    reading: Reading | None = None
    """The infant's newest number that is not withheld."""
    crossing: tuple[datetime | None, ...] = NOT_ACROSS
    """Of each level, since when the score has been on its other side: at or above it, or below when it is reached."""
    deep_since: datetime | None = None
    """Since when the sedation axis has said deep sedation."""
    deep_at: datetime | None = None
    past: Past | None = None
    alert: Alert | None = None
    """The one that is open."""


@dataclass(frozen=True, slots=True)
class Followed:
    """The watch afterwards, and what happened to which alert; an alert that ended is in the watch no more."""

    watch: Watch
    alert: Alert | None = None
    events: tuple[AlertEvent, ...] = ()


def follow(watch: Watch, score: Score, policy: ChartingPolicy, whose: Assignment) -> Followed:
    """Takes a window into the watch of its bed; ``whose`` is the census's answer for that window.

    A window that is no newer than the newest taken changes nothing.
    """
    moment = score.window_end
    if watch.newest is not None and moment <= watch.newest:
        return Followed(watch)
    now = replace(watch, newest=moment)
    if ended := _end_without_looking(now, policy, whose):
        return _told(watch, _end(now, moment, ended))
    if not policy.alert.enabled:
        return Followed(now)
    now = _escalate(_of_occupant(now, whose), moment, policy.alert)
    # Windows of a bed of which it is not known who lies there are windows without a number.
    return _told(watch, _look(now, score, policy, whose) if whose.patient is not None else now)


def pass_time(watch: Watch, moment: datetime, policy: ChartingPolicy, whose: Assignment) -> Followed:
    """What has become due at the moment for the open alert of a bed that has had no window since.

    ``whose`` is the census's answer for the moment. To be called only when every window up to it has been taken.
    """
    if watch.alert is None or (watch.newest is not None and moment <= watch.newest):
        return Followed(watch)
    ended = _end_without_looking(watch, policy, whose)
    return _told(watch, _end(watch, moment, ended) if ended else _escalate(watch, moment, policy.alert))


def disown(watch: Watch, whose: Assignment) -> Followed:
    """Ends the open alert if it turns out not to be about the infant of the bed; ``whose`` is the census's answer of
    now for the moment at which it opened."""
    if watch.alert is None or watch.newest is None:
        return Followed(watch)
    is_anothers = whose.patient is not None and not whose.is_about(watch.alert.patient)
    if not is_anothers and whose.held_reason not in (EMPTY_BED, LEFT, CHANGED):
        return Followed(watch)
    return _told(watch, _end(watch, max(watch.newest, watch.alert.opened), WRONG_INFANT))


def take_back(watch: Watch, now: datetime) -> Followed:
    """Forgets what windows of a clock that was ahead left: until their time no other window would count.

    An open alert that they opened or changed ends, by that clock, since it could not escalate.
    """
    ahead = [event.moment for event in watch.alert.events if is_ahead(event.moment, now)] if watch.alert else []
    if not (ahead or is_ahead(watch.newest, now)):
        return Followed(watch)
    ended = _end(watch, max(ahead), CLOCK_WAS_AHEAD) if ahead else watch
    past = None if watch.past is not None and is_ahead(watch.past.ended, now) else watch.past
    ended = replace(ended, reading=None, crossing=NOT_ACROSS, deep_since=None, deep_at=None, past=past)
    told = _told(watch, ended)
    return replace(told, watch=replace(told.watch, newest=now - AHEAD, past=past))


def _told(before: Watch, after: Watch) -> Followed:
    known = len(before.alert.events) if before.alert is not None else 0
    alert = after.alert
    if alert is None:
        return Followed(after)
    state = alert.standing
    if state.ended is not None:
        past = Past(state.ended, state.highest, after.occupant) if state.end_reason in BY_NUMBERS else None
        after = replace(after, alert=None, past=past, crossing=NOT_ACROSS, deep_since=None)
    return Followed(after, alert, alert.events[known:])


def _of_occupant(watch: Watch, whose: Assignment) -> Watch:
    """What was seen of one infant counts for no other; an infant whose number was changed is no other."""
    if whose.patient is None or whose.key == watch.occupant:
        return watch
    if watch.alert is not None:
        return replace(watch, occupant=whose.key)
    return replace(watch, occupant=whose.key, reading=None, crossing=NOT_ACROSS, deep_since=None, deep_at=None)


def _end_without_looking(watch: Watch, policy: ChartingPolicy, whose: Assignment) -> str:
    """Why an open alert ends whatever the score is; empty when it does not."""
    if watch.alert is None:
        return ""
    if not policy.alert.enabled:
        return SWITCHED_OFF
    if whose.patient is not None:
        return "" if whose.is_about(watch.alert.patient) else ANOTHER_INFANT
    return INFANT_LEFT if whose.held_reason in (EMPTY_BED, LEFT) else ""


def _escalate(watch: Watch, moment: datetime, policy: AlertPolicy) -> Watch:
    """Every escalation that was due by the moment, each at its own time."""
    while watch.alert is not None:
        state = watch.alert.standing
        due = state.asked_since + policy.escalate_after
        if not state.wants_answer or state.escalations >= policy.most_escalations or due > moment:
            break
        watch = _add(watch, AlertEventKind.ESCALATED, due, escalation=state.escalations + 1)
    return watch


def _look(watch: Watch, score: Score, policy: ChartingPolicy, whose: Assignment) -> Watch:
    moment, estimate = score.window_end, score.estimate
    withheld = _withheld(score, policy)
    if withheld == DEEP_SEDATION:
        return _deeply_sedated(watch, moment, policy)
    if withheld:
        return _end(watch, moment, withheld)
    if estimate is None:
        return watch
    watch = _without_what_is_stale(replace(watch, deep_since=None), moment, policy)
    watch = replace(watch, reading=Reading(estimate.value, moment))
    band = ga_band(whose.gestational_age_days)
    watch = replace(watch, crossing=_crossing(watch, estimate.value, moment, policy.alert, band=band))
    return _sustain(_change(watch, score, policy, whose), moment, policy.alert)


def _withheld(score: Score, policy: ChartingPolicy) -> str:
    if score.reason == NEUROMUSCULAR_BLOCK:
        return NEUROMUSCULAR_BLOCK
    sedation = score.estimate.sedation if score.estimate is not None else None
    return policy.withholding.reason_for(score.drugs, sedation=sedation)


def _deeply_sedated(watch: Watch, moment: datetime, policy: ChartingPolicy) -> Watch:
    """The sedation axis is noisy: it ends an alert when it has said so for as long as the lowest level is held."""
    is_stale = watch.deep_at is None or moment - watch.deep_at > policy.gap
    since = moment if is_stale or watch.deep_since is None else watch.deep_since
    watch = replace(watch, deep_since=since, deep_at=moment)
    if moment - since < policy.alert.levels[AlertLevel.MILD].hold:
        return watch
    return _end(watch, moment, DEEP_SEDATION)


def _without_what_is_stale(watch: Watch, moment: datetime, policy: ChartingPolicy) -> Watch:
    if watch.reading is None or moment - watch.reading.at <= policy.gap:
        return watch
    return replace(watch, crossing=NOT_ACROSS)


def _crossing(
    watch: Watch, value: float, moment: datetime, policy: AlertPolicy, *, band: str
) -> tuple[datetime | None, ...]:
    crossing: list[datetime | None] = []
    for level, since in zip(LEVELS, watch.crossing, strict=True):
        threshold = policy.levels[level].threshold.of(band)
        is_across = value < threshold - policy.hysteresis if _is_reached(watch, level) else value >= threshold
        crossing.append((since or moment) if is_across else None)
    return tuple(crossing)


def _change(watch: Watch, score: Score, policy: ChartingPolicy, whose: Assignment) -> Watch:
    """Opens, raises, ends or lowers the alert by what has been held for long enough."""
    moment = score.window_end
    held = [level for level in LEVELS if _is_held(watch, level, moment, policy.alert)]
    risen = [level for level in held if not _is_reached(watch, level)]
    if watch.alert is None:
        opening = risen[-1] if risen else None
        if opening is None or _is_too_soon(watch, opening, moment, policy.alert):
            return watch
        return _open(watch, score, policy, whose, opening)
    if risen:
        return _to_level(watch, AlertEventKind.RAISED, moment, risen[-1])
    if AlertLevel.MILD in held:
        return _end(watch, moment, BELOW)
    if held:
        return _to_level(watch, AlertEventKind.LOWERED, moment, LEVELS[held[0].rank - 1])
    return watch


def _is_reached(watch: Watch, level: AlertLevel) -> bool:
    return watch.alert is not None and level.rank <= watch.alert.standing.level.rank


def _is_held(watch: Watch, level: AlertLevel, moment: datetime, policy: AlertPolicy) -> bool:
    since = watch.crossing[level.rank]
    if since is None:
        return False
    hold = policy.levels[level].hold
    is_lowering = _is_reached(watch, level) and level is not AlertLevel.MILD
    return moment - since >= (max(hold, policy.distance) if is_lowering else hold)


def _is_too_soon(watch: Watch, level: AlertLevel, moment: datetime, policy: AlertPolicy) -> bool:
    past = watch.past
    if past is None or past.occupant != watch.occupant or level.rank > past.highest.rank:
        return False
    return moment - past.ended < policy.distance


def _open(watch: Watch, score: Score, policy: ChartingPolicy, whose: Assignment, level: AlertLevel) -> Watch:
    if whose.patient is None:
        return watch
    moment = score.window_end
    alert = Alert(
        id=alert_id(watch.bed, whose.patient, moment),
        bed=watch.bed,
        patient=whose.patient,
        visit=whose.visit,
        opened=moment,
        policy=policy.name,
        model=score.model.name,
        weights=score.model.weights,
        processing=max(score.processing, whose.processing, key=list(Processing).index),
        events=(AlertEvent(AlertEventKind.OPENED, moment, level, watch.reading),),
    )
    return replace(watch, alert=alert, crossing=_on_other_side(watch.crossing, -1, level.rank))


def _to_level(watch: Watch, kind: AlertEventKind, moment: datetime, level: AlertLevel) -> Watch:
    before = watch.alert.standing.level.rank if watch.alert is not None else -1
    watch = _add(watch, kind, moment, level=level)
    return replace(watch, crossing=_on_other_side(watch.crossing, *sorted((before, level.rank))))


def _on_other_side(crossing: tuple[datetime | None, ...], lower: int, upper: int) -> tuple[datetime | None, ...]:
    """The score is no more across from the levels between: those that were reached by the change, or left."""
    return tuple(None if lower < rank <= upper else since for rank, since in enumerate(crossing))


def _end(watch: Watch, moment: datetime, reason: str) -> Watch:
    watch = replace(watch, crossing=NOT_ACROSS, deep_since=None)
    return _add(watch, AlertEventKind.ENDED, moment, reason=reason)


def _sustain(watch: Watch, moment: datetime, policy: AlertPolicy) -> Watch:
    """Told by a number that is not on its way below the lowest level: silence sustains nothing."""
    if watch.alert is None or watch.crossing[AlertLevel.MILD.rank] is not None:
        return watch
    state = watch.alert.standing
    is_due = moment - watch.alert.opened >= policy.sustained
    if state.ended is not None or state.is_sustained or not is_due:
        return watch
    return _add(watch, AlertEventKind.SUSTAINED, moment)


def _add(
    watch: Watch,
    kind: AlertEventKind,
    moment: datetime,
    *,
    level: AlertLevel | None = None,
    escalation: int | None = None,
    reason: str = "",
) -> Watch:
    """The event to the open alert; without one, nothing."""
    if watch.alert is None:
        return watch
    event = AlertEvent(
        kind,
        moment,
        level or watch.alert.standing.level,
        watch.reading,
        escalation=escalation,
        reason=reason,
    )
    return replace(watch, alert=replace(watch.alert, events=(*watch.alert.events, event)))
