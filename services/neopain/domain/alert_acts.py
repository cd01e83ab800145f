"""What a person may do with an alert: take notice of it, or put it off for a while. Each says who and when.

What was seen is kept with the act: the alert's level, and the newest number with its time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from neopain.domain.alert import Alert, AlertEvent, AlertEventKind, AlertLevel, Standing
from neopain.domain.alert_policy import AlertPolicy


@dataclass(frozen=True, slots=True)
class Act:
    """What is wanted, and by whom. ``snooze`` is for how long it is put off; None: notice is taken of it.

    ``seen`` is the level that the person looked at, where that is known: a level that nobody has seen is not answered.
    """

    by: str
    note: str = ""
    snooze: timedelta | None = None
    seen: AlertLevel | None = None


@dataclass(frozen=True, slots=True)
class Acted:
    """The event, or why there is none."""

    event: AlertEvent | None = None
    refusal: str = ""


def act(alert: Alert, wanted: Act, policy: AlertPolicy, *, now: datetime) -> Acted:
    """The event of an act. Refused where the alert has ended, has risen unseen, is acknowledged at its level already,
    or is to be put off for longer than the policy allows."""
    state = alert.standing
    if refusal := _refusal(alert, state, wanted, policy):
        return Acted(refusal=refusal)
    kind = AlertEventKind.ACKNOWLEDGED if wanted.snooze is None else AlertEventKind.SNOOZED
    until = None if wanted.snooze is None else now + wanted.snooze
    event = AlertEvent(kind, now, state.level, alert.newest, by=wanted.by, note=wanted.note, until=until)
    return Acted(event)


def _refusal(alert: Alert, state: Standing, wanted: Act, policy: AlertPolicy) -> str:
    if state.ended is not None:
        return f"ended at {state.ended:%H:%M:%S}Z ({state.end_reason}): there is nothing to answer"
    if wanted.seen is not None and wanted.seen.rank < state.level.rank:
        return f"has risen to {state.level.value} since {wanted.seen.value} was seen: look at it again"
    if not state.wants_answer:
        noticed = alert.last(AlertEventKind.ACKNOWLEDGED)
        who = f" by {noticed.by} at {noticed.moment:%H:%M:%S}Z" if noticed is not None else ""
        return f"was acknowledged{who}: nothing more is asked unless it rises"
    if wanted.snooze is not None and not timedelta(0) < wanted.snooze <= policy.longest_snooze:
        minutes = policy.longest_snooze.total_seconds() / 60
        return f"can be put off for more than 0 and at most {minutes:g} min by the policy"
    return ""
