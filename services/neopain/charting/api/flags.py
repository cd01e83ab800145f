"""Alerts out of the database, as Flags of the patients and encounters here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, exists, func, not_, or_, select, true, tuple_

from neopain.charting.alert_rows import alert_of, alerts_where
from neopain.charting.api.access import Limits
from neopain.charting.api.found import (
    Condition,
    Found,
    Page,
    any_date,
    any_of,
    bed_condition,
    identifier_condition,
    is_in_study,
)
from neopain.charting.api.scene import Scene
from neopain.charting.tables import ALERT_EVENTS, ALERT_WATCHES, ALERTS
from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.authority import system_of
from neopain.codecs.fhir.cursor import Place
from neopain.codecs.fhir.digest import versioned
from neopain.codecs.fhir.flag import Told, flag_of
from neopain.codecs.fhir.ids import encounter_id, key_of, patient_id
from neopain.codecs.fhir.search import Criterion, Dates, References, Search, Token, Tokens
from neopain.domain.alert import Alert
from neopain.domain.policy import SitePolicies

OF_PATIENT: ColumnElement[str] = func.md5(func.concat(ALERTS.c.patient_authority, "|", ALERTS.c.patient_value))
UPDATED: ColumnElement[datetime] = (
    select(func.max(ALERT_EVENTS.c.moment)).where(ALERT_EVENTS.c.alert_id == ALERTS.c.alert_id).scalar_subquery()
)
"""When something last happened to an alert."""
IS_OPEN: Condition = exists().where(ALERT_WATCHES.c.alert_id == ALERTS.c.alert_id)
STATUSES: dict[str, Condition] = {"active": IS_OPEN, "inactive": not_(IS_OPEN)}


def search_flags(connection: Connection, search: Search, limits: Limits, scene: Scene, policies: SitePolicies) -> Page:
    """A page of Flags, by when their alerts opened."""
    asked = (_condition(one, connection, scene) for one in search.criteria)
    conditions = [_within(limits), _is_told(limits, policies), *asked]
    query = select(ALERTS.c.alert_id, ALERTS.c.opened).where(*conditions)
    if search.is_count:
        return Page(total=int(connection.scalar(select(func.count()).select_from(query.subquery())) or 0))
    here = (ALERTS.c.opened, ALERTS.c.alert_id)
    if search.after is not None and search.after.moment is not None:
        there = tuple_(search.after.moment, search.after.id)
        query = query.where(tuple_(*here) < there if search.is_descending else tuple_(*here) > there)
    ordered = query.order_by(*(one.desc() if search.is_descending else one for one in here))
    rows = connection.execute(ordered.limit(search.count + 1)).all()
    shown = rows[: search.count]
    is_more = len(rows) > len(shown)
    return Page(
        matches=tuple(_found_in_order(connection, [row.alert_id for row in shown], scene, policies)),
        next_place=Place(shown[-1].alert_id, shown[-1].opened) if is_more else None,
    )


def read_flag(
    connection: Connection, own_id: str, limits: Limits, scene: Scene, policies: SitePolicies
) -> Found | None:
    """One Flag; None when there is none to be told."""
    alert = alert_of(connection, own_id)
    if alert is None or not limits.allow_bed(alert.bed) or not limits.allow_patient(patient_id(alert.patient)):
        return None
    is_kept = policies.of(alert.bed).study.enabled and not limits.blinding.sees_all
    if is_kept and alert.standing.ended is None:
        return None
    return found_flag(alert, scene, policies)


def found_flag(alert: Alert, scene: Scene, policies: SitePolicies) -> Found:
    """The Flag of an alert. Its version is made of what it says, which the newest number is a part of."""
    silent_since = alert.no_number_since(scene.now, gap=policies.of(alert.bed).gap)
    system = system_of(alert.patient.assigning_authority, scene.naming.systems)
    flag = flag_of(alert, Told(system, silent_since))
    flag["subject"] = {"reference": f"Patient/{patient_id(alert.patient)}", **flag["subject"]}
    if alert.visit:
        flag["encounter"] = {"reference": f"Encounter/{encounter_id(alert.patient, alert.visit)}", **flag["encounter"]}
    flag["meta"] = {"lastUpdated": alert.events[-1].moment.isoformat(), **flag["meta"]}
    return Found(versioned(flag), key_of(alert.patient), alert.patient, alert.visit)


def _found_in_order(
    connection: Connection, ids: Sequence[str], scene: Scene, policies: SitePolicies
) -> Iterator[Found]:
    alerts = {alert.id: alert for alert in alerts_where(connection, ALERTS.c.alert_id.in_(ids))}
    return (found_flag(alerts[own_id], scene, policies) for own_id in ids)


def _within(limits: Limits) -> Condition:
    of_patient = true() if limits.patient is None else OF_PATIENT.in_(limits.patient)
    return and_(of_patient, bed_condition(ALERTS.c.bed, limits))


def _is_told(limits: Limits, policies: SitePolicies) -> Condition:
    """An alert that is open when study mode begins tells a number until the consumer ends it."""
    return true() if limits.blinding.sees_all else or_(not_(IS_OPEN), not_(is_in_study(ALERTS.c.bed, policies)))


def _condition(criterion: Criterion, connection: Connection, scene: Scene) -> Condition:
    match criterion:
        case Dates("_lastUpdated", values):
            return any_date(values, UPDATED, UPDATED, now=scene.now)
        case References("patient", ids):
            return OF_PATIENT.in_(ids)
        case Tokens("patient.identifier"):
            authority, number = ALERTS.c.patient_authority, ALERTS.c.patient_value
            by_number = identifier_condition(criterion, authority, number, scene.naming.systems)
            return any_of([by_number, OF_PATIENT.in_(scene.census(connection).patients_with(criterion))])
        case Tokens("status"):
            return any_of(is_so for status, is_so in STATUSES.items() if criterion.mean(terms.FLAG_STATUS, status))
        case Tokens("_id", values):
            return ALERTS.c.alert_id.in_([token.code for token in values if token.system is None])
        case Tokens("identifier", values):
            return any_of(_is_identified(token) for token in values)
    raise NotImplementedError(f"a criterion of the table that is not made into SQL: {criterion.name}")


def _is_identified(token: Token) -> Condition:
    is_ours = token.system in (None, terms.ALERT_IDENTIFIERS)
    return any_of([ALERTS.c.alert_id == token.code if token.code else true()] if is_ours else [])
