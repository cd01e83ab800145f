"""Scores in, alerts out: each event of an alert in one transaction with its audit row and what caused it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine

from neopain.charting.alert_rows import (
    Kept,
    add_events,
    alerted_beds,
    locked_watch,
    make_watch,
    open_alerts,
    save_watch,
)
from neopain.charting.audit.chain import AuditEvent
from neopain.charting.census import history_of
from neopain.charting.unit_of_work import UnitOfWork, unit_of_work
from neopain.domain.alert import LEVELS, Alert, AlertEvent, AlertEventKind, standing
from neopain.domain.alerting import Followed, disown, follow, pass_time, take_back
from neopain.domain.assignment import Assignment, assign
from neopain.domain.identity import BedId
from neopain.domain.policy import ChartingPolicy, SitePolicies
from neopain.domain.score import Score
from neopain.domain.window import VITALS_SPAN
from neopain.runtime.clock import Clock
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter, gauge, histogram

LOG = Log(__name__)

ACTOR = "charting consumer"


def follow_score(unit: UnitOfWork, score: Score, policy: ChartingPolicy, whose: Assignment, *, now: datetime) -> None:
    """Takes a window into the alerts of its bed, within the transaction that takes it into the bed's course."""
    kept = locked_watch(unit.connection, score.bed)
    if kept is None and policy.alert.enabled:
        make_watch(unit.connection, score.bed)
        kept = locked_watch(unit.connection, score.bed)
    if kept is not None and (back := take_back(kept.watch, now)).watch != kept.watch:
        _write(unit, kept, back)
        kept = locked_watch(unit.connection, score.bed)
    if kept is not None:
        _write(unit, kept, follow(kept.watch, score, policy, whose))


def disown_alert(unit: UnitOfWork, bed: BedId) -> None:
    """Ends the open alert of a bed if, by a fact that was just added, it is not about the infant who lay there."""
    kept = locked_watch(unit.connection, bed)
    if kept is not None and kept.watch.alert is not None:
        opened = kept.watch.alert.opened
        whose = assign(history_of(unit.connection, bed, since=opened - VITALS_SPAN), opened)
        _write(unit, kept, disown(kept.watch, whose))


def tend_alerts(engine: Engine, clock: Clock, policies: SitePolicies, *, now: datetime) -> None:
    """What has become due for open alerts of beds that fell silent, and how many are open; when no score is waiting.

    ``DatabaseUnavailable``: nothing of that bed was written, try again.
    """
    with unit_of_work(engine, clock) as unit:
        beds = alerted_beds(unit.connection)
    for bed, newest in beds:
        # A window may still come for as long as an interval waits for one.
        moment = now - policies.of(bed).lateness
        if moment > newest:
            _pass_time(engine, clock, bed, policies.of(bed), moment=moment)
    with unit_of_work(engine, clock) as unit:
        _measure_open(open_alerts(unit.connection))


def write_events(unit: UnitOfWork, alert: Alert, events: Sequence[AlertEvent], *, actor: str = ACTOR) -> None:
    """The last events of an alert, whose bed's watch is locked, and an audit row for each; ``actor`` if by nobody."""
    if not events:
        return
    add_events(unit.connection, alert, events)
    for event in events:
        unit.audit(_audited(alert, event, actor=event.by or actor))
        LOG.info(f"alert_{event.kind.value}", alert=alert.id, bed=alert.bed, level=event.level.value)


def _pass_time(engine: Engine, clock: Clock, bed: BedId, policy: ChartingPolicy, *, moment: datetime) -> None:
    with unit_of_work(engine, clock) as unit:
        kept = locked_watch(unit.connection, bed)
        if kept is not None:
            whose = assign(history_of(unit.connection, bed, since=moment - VITALS_SPAN), moment)
            _write(unit, kept, pass_time(kept.watch, moment, policy, whose))


def _write(unit: UnitOfWork, kept: Kept, followed: Followed) -> None:
    alert = followed.alert or kept.watch.alert
    if alert is not None:
        write_events(unit, alert, followed.events)
        _measure(alert.events, since=kept.measured)
    if followed.watch != kept.watch or followed.events or (alert is not None and len(alert.events) != kept.measured):
        save_watch(unit.connection, followed.watch)


def _measure(events: Sequence[AlertEvent], *, since: int) -> None:
    """Counts the events after so many; also those of persons, who act in processes of their own."""
    for place, event in enumerate(events[since:], since):
        counter("charting_alert_events_total").labels(event.kind.value, event.level.value).inc()
        if event.kind is AlertEventKind.ACKNOWLEDGED:
            waited = event.moment - standing(events[:place]).reached
            histogram("charting_alert_acknowledgement_seconds").observe(max(waited.total_seconds(), 0.0))


def _measure_open(alerts: Sequence[Alert]) -> None:
    levels = [alert.standing.level for alert in alerts]
    for level in LEVELS:
        gauge("charting_alerts_open").labels(level.value).set(levels.count(level))


def _audited(alert: Alert, event: AlertEvent, *, actor: str) -> AuditEvent:
    seen = event.seen
    return AuditEvent(
        event=f"alert_{event.kind.value}",
        actor=actor,
        patient=f"{alert.patient.assigning_authority}|{alert.patient.value}",
        detail={
            "alert": alert.id,
            "bed": alert.bed,
            "moment": event.moment.isoformat(),
            "level": event.level.value,
            "value": seen.value if seen is not None else None,
            "value_at": seen.at.isoformat() if seen is not None else "",
            "note": event.note,
            "until": event.until.isoformat() if event.until is not None else "",
            "escalation": event.escalation,
            "reason": event.reason,
            "policy": alert.policy,
            "processing": alert.processing.value,
        },
    )
