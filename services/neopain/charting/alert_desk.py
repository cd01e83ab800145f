"""A reader of alerts and a person who answers them: by the command line, and whatever else shows them.

An answer is one transaction of the event and its audit row: who, when, and what the alert stood at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Engine

from neopain.charting.alert_rows import IS_OPEN, alert_of, alerts_where, bed_of, locked_watch
from neopain.charting.alerts import write_events
from neopain.charting.audit.chain import AuditEvent, Value
from neopain.charting.database import translated
from neopain.charting.looks import record_look
from neopain.charting.tables import ALERTS
from neopain.charting.unit_of_work import unit_of_work
from neopain.codecs.fhir.ids import key_of
from neopain.domain.alert import Alert, AlertEvent
from neopain.domain.alert_acts import Act, act
from neopain.domain.identity import BedId, PatientId
from neopain.domain.policy import SitePolicies
from neopain.runtime.clock import Clock

ALERT_READ = "alert_read"


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Which alerts are wanted: of a bed, of an infant, opened since a moment; ended ones only if asked for."""

    bed: BedId | None = None
    patient: PatientId | None = None
    since: datetime | None = None
    with_ended: bool = False
    most: int = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """The alert after an act, None when there is no such alert; ``refusal`` says why nothing was written."""

    alert: Alert | None
    refusal: str = ""


def read_alerts(engine: Engine, query: AlertQuery) -> list[Alert]:
    """The alerts that are asked for, the newest first, with their events. ``DatabaseUnavailable``."""
    conditions: list[ColumnElement[bool]] = []
    if not query.with_ended:
        conditions.append(IS_OPEN)
    if query.bed is not None:
        conditions.append(ALERTS.c.bed == query.bed)
    if query.since is not None:
        conditions.append(ALERTS.c.opened >= query.since)
    if query.patient is not None:
        conditions.append(ALERTS.c.patient_value == query.patient.value)
        conditions.append(ALERTS.c.patient_authority == query.patient.assigning_authority)
    with translated("reading alerts"), engine.connect() as connection:
        return alerts_where(connection, *conditions, most=query.most)


def read_alert(engine: Engine, clock: Clock, alert_id: str, *, by: str) -> Alert | None:
    """The alert of that id, who reads it being in the audit trail before; None when there is none.

    ``DatabaseUnavailable``: nothing may be told.
    """
    with unit_of_work(engine, clock) as unit:
        alert = alert_of(unit.connection, alert_id)
        whose = key_of(alert.patient) if alert is not None else ""
        event = AuditEvent(ALERT_READ, by, patient=whose, detail={"alert": alert_id})
        record_look(unit.connection, clock, event)
    return alert


@dataclass(frozen=True, slots=True)
class Asked:
    """A request over the API: the id of the person in the token, and what else the audit says of it."""

    by: str
    detail: Mapping[str, Value]


def answer(
    engine: Engine,
    clock: Clock,
    policies: SitePolicies,
    alert_id: str,
    wanted: Act,
    *,
    asked: Asked | None = None,
) -> Answer:
    """Does what a person wants with an alert, or says why not. ``DatabaseUnavailable``: nothing was written."""
    with unit_of_work(engine, clock) as unit:
        bed = bed_of(unit.connection, alert_id)
        if bed is None:
            return Answer(None)
        # From here on no window changes the alert: what is answered is what it stands at.
        locked_watch(unit.connection, bed)
        alert = alert_of(unit.connection, alert_id)
        if alert is None:
            return Answer(None)
        acted = act(alert, wanted, policies.of(bed).alert, now=clock.now())
        if acted.event is None:
            return Answer(alert, acted.refusal)
        alert = replace(alert, events=(*alert.events, acted.event))
        write_events(unit, alert, (acted.event,))
        if asked is not None:
            unit.audit(_requested(alert, acted.event, asked))
        return Answer(alert)


def _requested(alert: Alert, event: AlertEvent, asked: Asked) -> AuditEvent:
    return AuditEvent(
        event="alert_answered",
        actor=asked.by,
        patient=key_of(alert.patient),
        detail={"alert": alert.id, "act": event.kind.value, **asked.detail},
    )
