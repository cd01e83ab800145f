"""Subscriptions as rows, and what of them is whose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, select, text, update

from neopain.charting.api.access import Access, Limits
from neopain.charting.tables import SUBSCRIPTION_EVENTS, SUBSCRIPTIONS
from neopain.codecs.fhir.notification import StatusOf
from neopain.codecs.fhir.subscription import Content, ShownSubscription, SubscriptionStatus, Wanted
from neopain.codecs.fhir.topics import Topic, topic_named
from neopain.domain.identity import Unit
from neopain.errors import ContractBroken

SENDER_LOCK = 7_305_106
"""Second word of the advisory lock of a subscription, which whoever sends for it holds."""
OWNER_LOCK = 7_305_107
"""Second word of that of a client, while it makes one."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a subscription is: a client, and who vouches for it."""

    issuer: str
    client: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """One row. ``events`` is the number of the last event, up to ``told`` all were taken by the endpoint."""

    id: str
    owner: Owner
    topic: Topic
    filters: tuple[str, ...]
    limits: Limits
    endpoint: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    content: Content
    heartbeat_seconds: int | None
    timeout_seconds: int
    most_events: int
    reason: str
    ends: datetime
    status: SubscriptionStatus
    error: str
    version: int
    updated: datetime
    events: int
    told: int
    failures: int
    due: datetime
    answered: datetime | None

    @property
    def shown(self) -> ShownSubscription:
        """What its client is shown of it."""
        return ShownSubscription(
            id=self.id,
            version=self.version,
            updated=self.updated,
            status=self.status,
            error=self.error,
            topic=self.topic.canonical,
            filters=self.filters,
            endpoint=self.endpoint,
            content=self.content,
            heartbeat_seconds=self.heartbeat_seconds,
            timeout_seconds=self.timeout_seconds,
            most_events=self.most_events,
            end=self.ends,
            reason=self.reason,
        )

    @property
    def status_of(self) -> StatusOf:
        """What its status says."""
        return StatusOf(self.id, self.topic.canonical, self.status, self.events, self.error)


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event of a subscription: the resource that it is about, as it was known when it happened."""

    number: int
    moment: datetime
    resource_type: str
    resource_id: str


def owner_of(access: Access) -> Owner:
    """Whose a subscription is that this token makes; a token without a client is its subject's."""
    return Owner(access.issuer, access.client or access.subject)


def columns_of(wanted: Wanted, limits: Limits) -> dict[str, Any]:
    """What a client decides, as columns; the headers only where it gave some."""
    columns: dict[str, Any] = {
        "topic": wanted.topic.name,
        "filters": list(wanted.filters),
        "limits": _limits_told(limits),
        "endpoint": wanted.endpoint,
        "content": wanted.content.value,
        "heartbeat_seconds": wanted.heartbeat_seconds,
        "timeout_seconds": wanted.timeout_seconds,
        "most_events": wanted.most_events,
        "reason": wanted.reason,
        "ends": wanted.end,
    }
    if wanted.headers is not None:
        columns["headers"] = [list(one) for one in wanted.headers]
    return columns


def add(connection: Connection, own_id: str, owner: Owner, columns: dict[str, Any], *, now: datetime) -> None:
    """Writes a new one, requested and due at once."""
    values = {
        "headers": [],
        **columns,
        "subscription_id": own_id,
        "issuer": owner.issuer,
        "client": owner.client,
        "status": SubscriptionStatus.REQUESTED.value,
        "updated": now,
        "due": now,
    }
    connection.execute(insert(SUBSCRIPTIONS).values(values))


def count_of(connection: Connection, owner: Owner) -> int:
    """How many a client has; nobody adds one for it before the transaction ends."""
    key = {"owner": f"{owner.issuer}|{owner.client}", "word": OWNER_LOCK}
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:owner, :word))"), key)
    return int(connection.scalar(select(func.count()).select_from(SUBSCRIPTIONS).where(is_of(owner))) or 0)


def read(connection: Connection, *conditions: ColumnElement[bool], is_locked: bool = False) -> list[Subscription]:
    """Those of which all of it is true, by id; ``is_locked``: nobody changes them before the transaction ends."""
    query = select(SUBSCRIPTIONS).where(*conditions).order_by(SUBSCRIPTIONS.c.subscription_id)
    rows = connection.execute(query.with_for_update() if is_locked else query)
    return [_read(row) for row in rows]


def one(connection: Connection, own_id: str, owner: Owner, *, is_locked: bool = False) -> Subscription | None:
    """One that is this client's; None when there is none."""
    found = read(connection, SUBSCRIPTIONS.c.subscription_id == own_id, is_of(owner), is_locked=is_locked)
    return found[0] if found else None


def change(connection: Connection, own_id: str, values: dict[str, Any], *, version: int | None = None) -> bool:
    """Writes columns, where it still has that version; returns whether it has."""
    query = update(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.subscription_id == own_id)
    if version is not None:
        query = query.where(SUBSCRIPTIONS.c.version == version)
    return connection.execute(query.values(values)).rowcount == 1


def remove(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    """Deletes them with their events; returns how many there were."""
    return int(connection.execute(delete(SUBSCRIPTIONS).where(*conditions)).rowcount)


def is_of(owner: Owner) -> ColumnElement[bool]:
    """Whether it is this client's."""
    return and_(SUBSCRIPTIONS.c.issuer == owner.issuer, SUBSCRIPTIONS.c.client == owner.client)


def events_of(connection: Connection, own_id: str, *, since: int, until: int | None, most: int) -> list[EventRow]:
    """The first events from one number to another, both included, in their order; those too old are gone."""
    rows = SUBSCRIPTION_EVENTS
    query = select(rows).where(rows.c.subscription_id == own_id, rows.c.number >= since)
    if until is not None:
        query = query.where(rows.c.number <= until)
    found = connection.execute(query.order_by(rows.c.number).limit(most))
    return [EventRow(row.number, row.moment, row.resource_type, row.resource_id) for row in found]


def _limits_told(limits: Limits) -> dict[str, Any]:
    return {
        "patient": None if limits.patient is None else sorted(limits.patient),
        "units": [[[unit.name, unit.facility] for unit in units] for units in limits.units],
    }


def _limits(told: dict[str, Any]) -> Limits:
    patient = told["patient"]
    units = tuple(tuple(Unit(name, facility) for name, facility in units) for units in told["units"])
    return Limits(None if patient is None else frozenset(patient), units)


def _read(row: Row[Any]) -> Subscription:
    topic = topic_named(row.topic)
    if topic is None:
        raise ContractBroken(f"subscription {row.subscription_id} is to a topic that this version does not have")
    headers: Sequence[Sequence[str]] = row.headers
    return Subscription(
        id=row.subscription_id,
        owner=Owner(row.issuer, row.client),
        topic=topic,
        filters=tuple(row.filters),
        limits=_limits(row.limits),
        endpoint=row.endpoint,
        headers=tuple((name, value) for name, value in headers),
        content=Content(row.content),
        heartbeat_seconds=row.heartbeat_seconds,
        timeout_seconds=row.timeout_seconds,
        most_events=row.most_events,
        reason=row.reason,
        ends=row.ends,
        status=SubscriptionStatus(row.status),
        error=row.error,
        version=row.version,
        updated=row.updated,
        events=row.events,
        told=row.told,
        failures=row.failures,
        due=row.due,
        answered=row.answered,
    )
