"""Alerts as rows: the alert, its events, which are only ever added, and each bed's watch, in one hand at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, Connection, Row, bindparam, select, true, update
from sqlalchemy import insert as insert_rows
from sqlalchemy.dialects.postgresql import insert

from neopain.charting.tables import ALERT_EVENTS, ALERT_WATCHES, ALERTS
from neopain.domain.alert import Alert, AlertEvent, AlertEventKind, AlertLevel, Reading
from neopain.domain.alerting import Watch
from neopain.domain.identity import BedId, PatientId
from neopain.domain.score import Weights
from neopain.domain.vitals import Processing
from neopain.errors import ContractBroken

WATCH = TypeAdapter(Watch)

WITH_WATCH = select(ALERTS, ALERT_WATCHES.c.watch).join_from(
    ALERTS, ALERT_WATCHES, ALERT_WATCHES.c.alert_id == ALERTS.c.alert_id, isouter=True
)
"""Alerts, the open ones with the watch of their bed."""
IS_OPEN = ALERT_WATCHES.c.alert_id.is_not(None)
# Made once, for each score.
MAKE_WATCH = insert(ALERT_WATCHES).on_conflict_do_nothing()
TAKE_WATCH = select(ALERT_WATCHES).where(ALERT_WATCHES.c.bed == bindparam("own_bed")).with_for_update()
SAVE_WATCH = update(ALERT_WATCHES).where(ALERT_WATCHES.c.bed == bindparam("own_bed"))


@dataclass(frozen=True, slots=True)
class Kept:
    """A bed's watch with its open alert, and how many of that one's events are in the metrics."""

    watch: Watch
    measured: int


def make_watch(connection: Connection, bed: BedId) -> None:
    """Makes the row of a bed's watch where there is none."""
    connection.execute(MAKE_WATCH, {"bed": bed})


def locked_watch(connection: Connection, bed: BedId) -> Kept | None:
    """The bed's watch, which nobody else has until the transaction ends; None without a row.

    ``ContractBroken``: a newer version wrote it.
    """
    row = connection.execute(TAKE_WATCH, {"own_bed": bed}).one_or_none()
    if row is None:
        return None
    watch = _watch(row) or Watch(bed)
    if row.alert_id is not None:
        watch = replace(watch, alert=alert_of(connection, row.alert_id))
    return Kept(watch, row.measured)


def save_watch(connection: Connection, watch: Watch) -> None:
    """Writes the watch of a bed that is locked; every event of its open alert counts as measured."""
    alert = watch.alert
    values = {
        "alert_id": alert.id if alert is not None else None,
        "newest": watch.newest,
        "watch": WATCH.dump_python(watch, mode="json", exclude={"alert"}),
        "measured": len(alert.events) if alert is not None else 0,
    }
    connection.execute(SAVE_WATCH, {"own_bed": watch.bed, **values})


def add_events(connection: Connection, alert: Alert, events: Iterable[AlertEvent]) -> None:
    """Adds the last events of an alert, whose bed's watch is locked; with the first of all, the alert itself."""
    added = list(events)
    known = len(alert.events) - len(added)
    if known == 0:
        connection.execute(insert_rows(ALERTS).values(_columns(alert)))
    rows = [_event_columns(alert, place, event) for place, event in enumerate(added, known + 1)]
    connection.execute(insert_rows(ALERT_EVENTS), rows)


def alert_of(connection: Connection, wanted: str) -> Alert | None:
    """The alert of that id; None when there is none."""
    return next(iter(alerts_where(connection, ALERTS.c.alert_id == wanted)), None)


def open_alerts(connection: Connection) -> list[Alert]:
    """Every alert that goes on."""
    return alerts_where(connection, IS_OPEN)


def alerts_where(connection: Connection, *conditions: ColumnElement[bool], most: int | None = None) -> list[Alert]:
    """The alerts of which all of it is true, the newest first. ``ContractBroken``: a newer version wrote them."""
    query = WITH_WATCH.where(true(), *conditions).order_by(ALERTS.c.opened.desc(), ALERTS.c.alert_id).limit(most)
    found = connection.execute(query).all()
    events: dict[str, list[AlertEvent]] = {row.alert_id: [] for row in found}
    in_order = select(ALERT_EVENTS).where(ALERT_EVENTS.c.alert_id.in_(events)).order_by(ALERT_EVENTS.c.place)
    with _ours():
        for row in connection.execute(in_order):
            events[row.alert_id].append(_event(row))
        return [_alert(row, tuple(events[row.alert_id])) for row in found]


def alerted_beds(connection: Connection) -> list[tuple[BedId, datetime]]:
    """The beds with an open alert, and when the newest window of each ended."""
    query = select(ALERT_WATCHES.c.bed, ALERT_WATCHES.c.newest).where(IS_OPEN)
    return [(BedId(row.bed), row.newest) for row in connection.execute(query)]


def bed_of(connection: Connection, alert_id: str) -> BedId | None:
    """Where the alert is; None when there is none of that id."""
    bed = connection.scalar(select(ALERTS.c.bed).where(ALERTS.c.alert_id == alert_id))
    return BedId(bed) if bed is not None else None


@contextmanager
def _ours() -> Iterator[None]:
    """Turns a word or a shape that this version does not know into ``ContractBroken``."""
    try:
        yield
    except ValidationError as error:
        places = ", ".join(".".join(map(str, one["loc"])) for one in error.errors())
        raise ContractBroken(f"the watch of a bed is not what this version writes, at {places}") from error
    except ValueError as error:
        raise ContractBroken(f"an alert is not what this version writes: {error}") from error


def _watch(row: Row[Any]) -> Watch | None:
    with _ours():
        return WATCH.validate_python(row.watch) if row.watch is not None else None


def _columns(alert: Alert) -> dict[str, object]:
    return {
        "alert_id": alert.id,
        "bed": alert.bed,
        "opened": alert.opened,
        "patient_authority": alert.patient.assigning_authority,
        "patient_value": alert.patient.value,
        "patient_type": alert.patient.type_code,
        "visit": alert.visit,
        "policy": alert.policy,
        "model": alert.model,
        "weights": alert.weights.value,
        "processing": alert.processing.value,
    }


def _event_columns(alert: Alert, place: int, event: AlertEvent) -> dict[str, object]:
    return {
        "alert_id": alert.id,
        "place": place,
        "kind": event.kind.value,
        "moment": event.moment,
        "level": event.level.value,
        "value": event.seen.value if event.seen is not None else None,
        "value_at": event.seen.at if event.seen is not None else None,
        "made_by": event.by,
        "note": event.note,
        "until": event.until,
        "escalation": event.escalation,
        "reason": event.reason,
    }


def _alert(row: Row[Any], events: tuple[AlertEvent, ...]) -> Alert:
    watch = _watch(row)
    return Alert(
        id=row.alert_id,
        bed=BedId(row.bed),
        patient=PatientId(row.patient_value, row.patient_authority, row.patient_type),
        visit=row.visit,
        opened=row.opened,
        policy=row.policy,
        model=row.model,
        weights=Weights(row.weights),
        events=events,
        processing=Processing(row.processing),
        newest=watch.reading if watch is not None else events[-1].seen,
    )


def _event(row: Row[Any]) -> AlertEvent:
    return AlertEvent(
        kind=AlertEventKind(row.kind),
        moment=row.moment,
        level=AlertLevel(row.level),
        seen=Reading(row.value, row.value_at) if row.value is not None else None,
        by=row.made_by,
        note=row.note,
        until=row.until,
        escalation=row.escalation,
        reason=row.reason,
    )
