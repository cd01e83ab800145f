"""From what changed to events of the subscriptions that want it, each with its number; and what has its end.

Changes are taken out in the transaction in which they become events: none is lost and none told twice, whenever the
process dies. A change whose transaction was committed late is taken late, and not passed over, since it is still there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, exists, insert, select, text, update

from neopain.charting.api.access import Limits
from neopain.charting.api.subscriptions import rows
from neopain.charting.api.subscriptions.filters import filter_of
from neopain.charting.api.subscriptions.rows import Subscription
from neopain.charting.audit.chain import AuditEvent
from neopain.charting.entries import OF_NURSE
from neopain.charting.tables import SUBSCRIPTION_CHANGES, SUBSCRIPTION_EVENTS, SUBSCRIPTIONS
from neopain.charting.unit_of_work import UnitOfWork, unit_of_work
from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.ids import patient_id
from neopain.codecs.fhir.subscription import SubscriptionStatus
from neopain.codecs.fhir.topics import TopicEvent, matches
from neopain.domain.identity import BedId, PatientId, Unit, unit_of
from neopain.runtime.clock import Clock
from neopain.runtime.log import Log

LOG = Log(__name__)

LOCK = 7_305_105
ACTOR = "charting api"
MOST_CHANGES = 500
"""Taken in one transaction."""
_IS_OF_IT = SUBSCRIPTION_EVENTS.c.subscription_id == SUBSCRIPTIONS.c.subscription_id
ENDED = "its end has come: the rights that it was made with are not known any longer"


@dataclass(frozen=True, slots=True)
class FanOut:
    """Makes events. ``units`` are those that the site serves, empty: all; ``kept`` is how long events are there."""

    engine: Engine
    clock: Clock
    units: tuple[Unit, ...]
    kept: timedelta

    def take(self) -> int:
        """Takes what changed, oldest first; returns how many changes there were. ``DatabaseUnavailable``."""
        with unit_of_work(self.engine, self.clock) as unit:
            _alone(unit.connection)
            changes = _taken(unit.connection)
            if changes:
                self._number(unit.connection, list(_latest(changes)))
        return len(changes)

    def end_what_is_over(self) -> None:
        """Ends subscriptions whose end has come, deletes events that are too old, and those long ended."""
        now = self.clock.now()
        with unit_of_work(self.engine, self.clock) as unit:
            _alone(unit.connection)
            is_over = (SUBSCRIPTIONS.c.status != SubscriptionStatus.OFF.value, SUBSCRIPTIONS.c.ends <= now)
            for found in rows.read(unit.connection, *is_over, is_locked=True):
                _end(unit, found, now=now)
            old = SUBSCRIPTION_EVENTS.c.written < now - self.kept
            unit.connection.execute(delete(SUBSCRIPTION_EVENTS).where(old))
            # What nobody took as long as it was there is not waited for any more: its numbers are the gap that is seen.
            later = exists().where(_IS_OF_IT, SUBSCRIPTION_EVENTS.c.number > SUBSCRIPTIONS.c.told)
            behind = update(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.told < SUBSCRIPTIONS.c.events, ~later)
            unit.connection.execute(behind.values(told=SUBSCRIPTIONS.c.events))
            rows.remove(unit.connection, SUBSCRIPTIONS.c.ends < now - self.kept)

    def _number(self, connection: Connection, changes: list[Row[Any]]) -> None:
        now = self.clock.now()
        is_open = (SUBSCRIPTIONS.c.status != SubscriptionStatus.OFF.value, SUBSCRIPTIONS.c.ends > now)
        for subscription in rows.read(connection, *is_open, is_locked=True):
            wanted = [one for one in changes if self._wants(subscription, one)]
            if not wanted:
                continue
            events = [
                {
                    "subscription_id": subscription.id,
                    "number": number,
                    "moment": one.moment,
                    "written": now,
                    "resource_type": one.resource_type,
                    "resource_id": one.resource_id,
                }
                for number, one in enumerate(wanted, subscription.events + 1)
            ]
            connection.execute(insert(SUBSCRIPTION_EVENTS), events)
            rows.change(connection, subscription.id, {"events": subscription.events + len(events)})

    def _wants(self, subscription: Subscription, change: Row[Any]) -> bool:
        if change.resource_type != subscription.topic.resource_type:
            return False
        bed = BedId(change.bed)
        patient = patient_id(PatientId(change.patient_value, change.patient_authority))
        of_site = Limits(None, (self.units,) if self.units else ())
        if not (of_site.allow_bed(bed) and subscription.limits.allow_bed(bed)):
            return False
        if not subscription.limits.allow_patient(patient):
            return False
        event = TopicEvent(change.resource_type, patient, unit_of(bed), change.status, _code(change))
        asked = [one for told in subscription.filters for one in filter_of(subscription.topic, told)]
        return matches(event, asked)


def _alone(connection: Connection) -> None:
    """One at a time until the transaction ends: numbers follow the order in which changes were written."""
    connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))


def _taken(connection: Connection) -> list[Row[Any]]:
    oldest = select(SUBSCRIPTION_CHANGES.c.place).order_by(SUBSCRIPTION_CHANGES.c.place).limit(MOST_CHANGES)
    taken = delete(SUBSCRIPTION_CHANGES).where(SUBSCRIPTION_CHANGES.c.place.in_(oldest))
    found = connection.execute(taken.returning(*SUBSCRIPTION_CHANGES.c)).all()
    return sorted(found, key=lambda row: int(row.place))


def _latest(changes: Iterable[Row[Any]]) -> Iterator[Row[Any]]:
    """Without those that the same transaction changed once more at once: state and status are written one by one."""
    listed = list(changes)
    for number, change in enumerate(listed):
        after = listed[number + 1] if number + 1 < len(listed) else None
        if after is None or change.resource_type == "Flag" or _what(after) != _what(change):
            yield change


def _what(change: Row[Any]) -> tuple[object, ...]:
    return change.resource_type, change.resource_id, change.moment, change.patient_authority, change.patient_value


def _code(change: Row[Any]) -> tuple[str, str]:
    if change.resource_type != "Observation":
        return "", ""
    if str(change.kind).startswith(OF_NURSE):
        return terms.LOINC, str(terms.NIPS_TOTAL["code"])
    return terms.SCORES, terms.PAIN_SCORE


def _end(unit: UnitOfWork, subscription: Subscription, *, now: datetime) -> None:
    off = SubscriptionStatus.OFF.value
    rows.change(
        unit.connection,
        subscription.id,
        {"status": off, "error": ENDED, "version": subscription.version + 1, "updated": now},
    )
    unit.audit(
        AuditEvent(
            "subscription_ended", actor=ACTOR, detail={"subscription": subscription.id, **told_of_owner(subscription)}
        )
    )
    LOG.info("subscription_ended", subscription=subscription.id)


def told_of_owner(subscription: Subscription) -> dict[str, str]:
    """Of the owner, what every audit row about a subscription says."""
    return {"client": subscription.owner.client, "issuer": subscription.owner.issuer}
