"""Sending for one subscription: a handshake, its events in their order, a heartbeat; and what comes of it.

Of several processes, and of threads of one, a lock of the session lets one send at a time: it goes with the process.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, text

from neopain.charting.api.access import Limits
from neopain.charting.api.entries import read_entry
from neopain.charting.api.flags import read_flag
from neopain.charting.api.found import Found
from neopain.charting.api.scene import Scene
from neopain.charting.api.subscriptions import rows
from neopain.charting.api.subscriptions.endpoint import AddressRefused, Endpoints, NotTaken, told_endpoint
from neopain.charting.api.subscriptions.fan_out import ACTOR, told_of_owner
from neopain.charting.api.subscriptions.rows import EventRow, Subscription
from neopain.charting.audit.chain import AuditEvent, append
from neopain.charting.database import translated
from neopain.charting.disclosures import READS
from neopain.charting.retry import RetryPolicy
from neopain.charting.tables import SUBSCRIPTIONS
from neopain.charting.unit_of_work import unit_of_work
from neopain.codecs.fhir.audit_event import NOTIFIED
from neopain.codecs.fhir.census import Naming
from neopain.codecs.fhir.notification import NotificationType, ToldEvent, notification_of
from neopain.codecs.fhir.subscription import Content, SubscriptionStatus
from neopain.domain.identity import Unit
from neopain.domain.policy import SitePolicies
from neopain.runtime.clock import Clock
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter

LOG = Log(__name__)

MOST_BYTES = 1_048_576
"""Of a notification with more than one event."""
HANDSHAKES = 3
"""An endpoint that has not taken one after so many tries is none."""
OPEN = (SubscriptionStatus.REQUESTED, SubscriptionStatus.ACTIVE)


@dataclass(frozen=True, slots=True)
class Site:
    """What notifications say of the site, and whom it serves (``units``, empty: all)."""

    base_url: str
    naming: Naming
    policies: SitePolicies
    units: tuple[Unit, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """Events as one subscriber may know them, and the keys of the infants whom they name."""

    events: tuple[ToldEvent, ...]
    infants: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Message:
    kind: NotificationType
    body: bytes = b""
    told: Told = Told((), frozenset())

    @property
    def last(self) -> int:
        return self.told.events[-1].number if self.told.events else 0


class Notifier:
    """Sends. Safe to share between threads. After so many ``failures`` in a row a subscription stands at error."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        site: Site,
        endpoints: Endpoints,
        *,
        retries: RetryPolicy,
        failures: int,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._site = site
        self._endpoints = endpoints
        self._retries = retries
        self._failures = failures

    def close(self) -> None:
        """Breaks off what is being sent; it comes again from another process, or after the next start."""
        self._endpoints.close()

    def send(self, own_id: str) -> int:
        """Sends what is due for a subscription until nothing is, or the endpoint does not take it.

        Returns how many notifications were taken. ``DatabaseUnavailable``: what was taken last may be sent again.
        """
        taken = 0
        with self._alone_with(own_id) as is_alone:
            while is_alone and self._send_next(own_id):
                taken += 1
        return taken

    def _send_next(self, own_id: str) -> bool:
        with translated("reading a subscription"), self._engine.connect() as raw:
            connection = raw.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            found = rows.read(connection, SUBSCRIPTIONS.c.subscription_id == own_id)
            now = self._clock.now()
            if not found or (kind := due_kind(found[0], now)) is None:
                return False
            message = self._message(connection, found[0], kind, now=now)
        if message is None:
            return False
        if message.told.infants:
            self._record(found[0], message)
        return self._sent(found[0], message)

    def _sent(self, subscription: Subscription, message: _Message) -> bool:
        try:
            self._endpoints.post(
                subscription.endpoint,
                subscription.headers,
                message.body,
                timeout_seconds=subscription.timeout_seconds,
            )
        except NotTaken as error:
            self._settle_failure(subscription, message, str(error), asked_for=error.retry_after_seconds)
            return False
        except AddressRefused as error:
            self._settle_failure(subscription, message, str(error), is_final=True)
            return False
        self._settle_taken(subscription, message)
        return True

    def _message(
        self, connection: Connection, subscription: Subscription, kind: NotificationType, *, now: datetime
    ) -> _Message | None:
        told = Told((), frozenset())
        if kind is NotificationType.EVENT:
            most = subscription.most_events
            events = rows.events_of(connection, subscription.id, since=subscription.told + 1, until=None, most=most)
            if not events:
                # They were not taken as long as events are kept: what comes now has a higher number.
                return None
            told = tell(connection, subscription, events, subscription.content, self._site, now=now)
        body = self._body(subscription, kind, told, now=now)
        while len(body) > MOST_BYTES and len(told.events) > 1:
            told = tell(
                connection,
                subscription,
                events[: len(told.events) // 2],
                subscription.content,
                self._site,
                now=now,
            )
            body = self._body(subscription, kind, told, now=now)
        return _Message(kind, body, told)

    def _body(self, subscription: Subscription, kind: NotificationType, told: Told, *, now: datetime) -> bytes:
        bundle = notification_of(
            subscription.status_of,
            kind,
            self._site.base_url,
            content=subscription.content,
            moment=now,
            events=told.events,
        )
        return json.dumps(bundle, separators=(",", ":"), ensure_ascii=False).encode()

    def _record(self, subscription: Subscription, message: _Message) -> None:
        """Says whom the endpoint is about to be told of; ``DatabaseUnavailable``: it is not told."""
        numbers = [one.number for one in message.told.events]
        event = AuditEvent(
            event=NOTIFIED,
            actor=subscription.owner.client,
            infants=sorted(message.told.infants),
            detail={
                "subscription": subscription.id,
                "asked": f"Subscription/{subscription.id}: {subscription.topic.name}",
                "address": told_endpoint(subscription.endpoint),
                "content": subscription.content.value,
                "first": numbers[0],
                "last": numbers[-1],
                "told": len(message.told.infants),
                "try": subscription.failures + 1,
                **told_of_owner(subscription),
            },
        )
        with unit_of_work(self._engine, self._clock) as unit:
            append(unit.connection, [event], now=self._clock.now(), chain=READS)

    def _settle_taken(self, subscription: Subscription, message: _Message) -> None:
        now = self._clock.now()
        values = {"failures": 0, "error": "", "due": now, "answered": now}
        is_handshake = message.kind is NotificationType.HANDSHAKE
        if is_handshake:
            active = SubscriptionStatus.ACTIVE.value
            values |= {"status": active, "version": subscription.version + 1, "updated": now}
        if message.last:
            values |= {"told": message.last}
        with unit_of_work(self._engine, self._clock) as unit:
            # What its client changed meanwhile stands: the new endpoint has not taken this.
            is_as_it_was = rows.change(unit.connection, subscription.id, values, version=subscription.version)
            if is_as_it_was and is_handshake:
                unit.audit(_changed("subscription_activated", subscription))
        counter("charting_subscription_notifications_total").labels(message.kind.value, "taken").inc()
        LOG.info("notification_taken", subscription=subscription.id, kind=message.kind.value, last=message.last)

    def _settle_failure(
        self,
        subscription: Subscription,
        message: _Message,
        why: str,
        *,
        asked_for: float | None = None,
        is_final: bool = False,
    ) -> None:
        now = self._clock.now()
        failures = subscription.failures + 1
        most = HANDSHAKES if message.kind is NotificationType.HANDSHAKE else self._failures
        wait = self._retries.wait(subscription.failures, asked_for=asked_for)
        values = {"failures": failures, "error": f"{message.kind.value}: {why}", "due": now + wait}
        is_given_up = is_final or failures >= most
        if is_given_up:
            failed = SubscriptionStatus.ERROR.value
            values |= {"status": failed, "version": subscription.version + 1, "updated": now}
        with unit_of_work(self._engine, self._clock) as unit:
            is_as_it_was = rows.change(unit.connection, subscription.id, values, version=subscription.version)
            if is_as_it_was and is_given_up:
                unit.audit(_changed("subscription_failed", subscription, reason=why))
        counter("charting_subscription_notifications_total").labels(message.kind.value, "failed").inc()
        LOG.warning("notification_failed", subscription=subscription.id, why=why, failures=failures)

    @contextmanager
    def _alone_with(self, own_id: str) -> Iterator[bool]:
        key = {"own_id": own_id, "word": rows.SENDER_LOCK}
        with translated("locking a subscription"), self._engine.connect() as raw:
            connection = raw.execution_options(isolation_level="AUTOCOMMIT")
            lock = text("SELECT pg_try_advisory_lock(hashtextextended(:own_id, :word))")
            is_alone = bool(connection.scalar(lock, key))
            try:
                yield is_alone
            finally:
                if is_alone:
                    unlock = text("SELECT pg_advisory_unlock(hashtextextended(:own_id, :word))")
                    connection.execute(unlock, key)


def due_kind(subscription: Subscription, now: datetime) -> NotificationType | None:
    """What is to be sent now; None for nothing."""
    if subscription.status not in OPEN or subscription.due > now or subscription.ends <= now:
        return None
    if subscription.status is SubscriptionStatus.REQUESTED:
        return NotificationType.HANDSHAKE
    if subscription.told < subscription.events:
        return NotificationType.EVENT
    period = subscription.heartbeat_seconds
    silent_since = subscription.answered or subscription.updated
    if period is not None and now - silent_since >= timedelta(seconds=period):
        return NotificationType.HEARTBEAT
    return None


def tell(
    connection: Connection,
    subscription: Subscription,
    events: Sequence[EventRow],
    content: Content,
    site: Site,
    *,
    now: datetime,
    further: Limits | None = None,
) -> Told:
    """What a subscriber may know of events, by what it may now: of what it may not, the number alone.

    ``further``: limits of whoever asks, beside those of the subscription and of the site.
    """
    if content is Content.EMPTY:
        return Told(tuple(ToldEvent(one.number, one.moment) for one in events), frozenset())
    limits = _joined(subscription.limits, Limits(None, (site.units,) if site.units else ()), further or Limits())
    scene = Scene(now, site.naming)
    found: dict[tuple[str, str], Found | None] = {}
    for one in events:
        place = (one.resource_type, one.resource_id)
        if place not in found:
            found[place] = (
                read_flag(connection, one.resource_id, limits, scene, site.policies)
                if one.resource_type == "Flag"
                else read_entry(connection, one.resource_type, one.resource_id, limits)
            )
    told = []
    for one in events:
        resource = found[one.resource_type, one.resource_id]
        reference = f"{one.resource_type}/{one.resource_id}" if resource is not None else ""
        whole = resource.resource if resource is not None and content is Content.FULL else None
        told.append(ToldEvent(one.number, one.moment, reference, whole))
    infants = frozenset(infant for one in found.values() if one is not None for infant in one.infants)
    return Told(tuple(told), infants)


def _joined(*limits: Limits) -> Limits:
    """What all of them allow."""
    patient: frozenset[str] | None = None
    for one in limits:
        if one.patient is not None:
            patient = one.patient if patient is None else patient & one.patient
    return Limits(patient, tuple(units for one in limits for units in one.units))


def _changed(event: str, subscription: Subscription, **detail: str) -> AuditEvent:
    return AuditEvent(
        event,
        actor=ACTOR,
        detail={
            "subscription": subscription.id,
            "address": told_endpoint(subscription.endpoint),
            **told_of_owner(subscription),
            **detail,
        },
    )
