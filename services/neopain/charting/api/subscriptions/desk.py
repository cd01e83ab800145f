"""What a client does with its subscriptions: makes, reads, changes and deletes them, asks what they stand at.

To be called on a thread that may block. Nobody sees another client's: they are not there (404).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from sqlalchemy import Connection, Engine

from neopain.charting.api.access import Access, Limits
from neopain.charting.api.question import SUBSCRIPTION, AskDelete, AskUpdate, AskView
from neopain.charting.api.reader import Caller, Told
from neopain.charting.api.reads import ReadAsked, ReadTold, record_read
from neopain.charting.api.subscriptions import rows
from neopain.charting.api.subscriptions.endpoint import EndpointRules, told_endpoint
from neopain.charting.api.subscriptions.filters import filter_of
from neopain.charting.api.subscriptions.notifier import Site, tell
from neopain.charting.api.subscriptions.rows import Owner, Subscription, owner_of
from neopain.charting.api.writer import TAG, Wrote, asked_by
from neopain.charting.audit.chain import AuditEvent
from neopain.charting.database import translated
from neopain.charting.tables import SUBSCRIPTIONS
from neopain.charting.unit_of_work import UnitOfWork, unit_of_work
from neopain.codecs.fhir.audit_event import SEARCHED
from neopain.codecs.fhir.digest import entity_tag
from neopain.codecs.fhir.notification import NotificationType, notification_of, status_bundle, status_of
from neopain.codecs.fhir.refusal import Refused, bad_request, forbidden, not_found
from neopain.codecs.fhir.review import wrong
from neopain.codecs.fhir.scopes import CREATE, DELETE, READ, UPDATE
from neopain.codecs.fhir.search import Pair
from neopain.codecs.fhir.subscription import (
    Content,
    Rules,
    SubscriptionStatus,
    Wanted,
    read_subscription,
    subscription_of,
)
from neopain.codecs.fhir.terminology import Json
from neopain.codecs.fhir.topics import Topic
from neopain.runtime.clock import Clock

MOST_EVENTS = 100
"""Of one answer to ``$events``."""
NUMBER = re.compile(r"[0-9]{1,18}")
SETTABLE = (SubscriptionStatus.REQUESTED, SubscriptionStatus.OFF)


@dataclass(frozen=True, slots=True)
class Desk:
    """One API's subscriptions: ``most`` of a client, each ended ``longest`` from now. Safe to share between threads."""

    engine: Engine
    clock: Clock
    site: Site
    endpoints: EndpointRules
    most: int
    longest: timedelta
    server_address: str

    def create(self, caller: Caller, body: Json) -> Wrote:
        """Makes one, requested. ``Refused`` (403, 409, 422), ``DatabaseUnavailable``."""
        caller.access.require_system(SUBSCRIPTION, CREATE)
        if self.most == 0:
            raise forbidden("this server takes no subscriptions")
        if "id" in body:
            raise wrong("Subscription.id", "the server gives it")
        wanted = self._wanted(body)
        if wanted.status is not SubscriptionStatus.REQUESTED:
            raise wrong("Subscription.status", "a new one is requested; its endpoint makes it active")
        limits = _limits_of(caller.access, wanted.topic)
        owner, own_id, now = owner_of(caller.access), uuid.uuid4().hex, self.clock.now()
        with unit_of_work(self.engine, self.clock) as unit:
            if rows.count_of(unit.connection, owner) >= self.most:
                text = f"a client may have {self.most} subscriptions: delete one"
                raise Refused(HTTPStatus.CONFLICT, "too-costly", text)
            rows.add(unit.connection, own_id, owner, rows.columns_of(wanted, limits), now=now)
            made = _own(unit.connection, own_id, owner)
            _audit(unit, "subscription_created", made, caller)
        return Wrote(subscription_of(made.shown), is_new=True)

    def update(self, asked: AskUpdate, caller: Caller, body: Json, if_match: str) -> Wrote:
        """Changes one; what it is told by and its rights are those of now. ``Refused`` (403, 404, 412, 422)."""
        caller.access.require_system(SUBSCRIPTION, UPDATE)
        owner, now = owner_of(caller.access), self.clock.now()
        with unit_of_work(self.engine, self.clock) as unit:
            before = _own(unit.connection, asked.id, owner, is_locked=True)
            _require_version(if_match, before)
            if body.get("id") != before.id:
                raise wrong("Subscription.id", "it is that of the address")
            wanted = self._wanted(body)
            if wanted.topic != before.topic:
                raise wrong("Subscription.criteria", "its topic stays: make another one")
            if wanted.status not in (*SETTABLE, before.status):
                raise wrong("Subscription.status", "a client sets it to requested or off")
            columns = rows.columns_of(wanted, _limits_of(caller.access, wanted.topic))
            columns |= {"version": before.version + 1, "updated": now, **_resumed(before, wanted)}
            columns |= {"due": now} if columns.get("status") == SubscriptionStatus.REQUESTED.value else {}
            rows.change(unit.connection, before.id, columns)
            after = _own(unit.connection, before.id, owner)
            _audit(unit, "subscription_changed", after, caller)
        return Wrote(subscription_of(after.shown))

    def delete(self, asked: AskDelete, caller: Caller) -> None:
        """Deletes one with its events. ``Refused`` (403, 404)."""
        caller.access.require_system(SUBSCRIPTION, DELETE)
        with unit_of_work(self.engine, self.clock) as unit:
            found = _own(unit.connection, asked.id, owner_of(caller.access), is_locked=True)
            rows.remove(unit.connection, SUBSCRIPTIONS.c.subscription_id == found.id)
            _audit(unit, "subscription_deleted", found, caller)

    def view(self, asked: AskView, caller: Caller) -> Told:
        """``$status``, of one or of all, or ``$events`` of one. ``Refused`` (400, 403, 404)."""
        caller.access.require_any_patient(SUBSCRIPTION, READ)
        if asked.operation == "$events":
            return self._events(asked, caller)
        owner = owner_of(caller.access)
        with translated("reading subscriptions"), self.engine.connect() as connection:
            if asked.id:
                found = [_own(connection, asked.id, owner)]
            else:
                found = [one for one in rows.read(connection, rows.is_of(owner)) if _is_named(one, asked.pairs)]
        told = [
            (one.id, status_of(one.status_of, NotificationType.QUERY_STATUS, self.site.base_url, content=one.content))
            for one in found
        ]
        bundle = status_bundle(told, self.site.base_url)
        self._record(asked, caller, ReadTold(frozenset(), len(told), HTTPStatus.OK))
        return Told(bundle, entity_tag(bundle))

    def _events(self, asked: AskView, caller: Caller) -> Told:
        since, until, content = _range(asked.pairs)
        now = self.clock.now()
        with translated("reading events"), self.engine.connect() as raw:
            connection = raw.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            found = _own(connection, asked.id, owner_of(caller.access))
            limits = _limits_of(caller.access, found.topic)
            events = rows.events_of(connection, found.id, since=since, until=until, most=MOST_EVENTS)
            told = tell(connection, found, events, content or found.content, self.site, now=now, further=limits)
        bundle = notification_of(
            found.status_of,
            NotificationType.QUERY_EVENT,
            self.site.base_url,
            content=content or found.content,
            moment=now,
            events=told.events,
        )
        self._record(asked, caller, ReadTold(told.infants, len(told.events), HTTPStatus.OK))
        return Told(bundle, entity_tag(bundle))

    def _wanted(self, body: Json) -> Wanted:
        return read_subscription(body, Rules(self.clock.now(), self.longest, filter_of, self.endpoints.require))

    def _record(self, asked: AskView, caller: Caller, told: ReadTold) -> None:
        place = f"{SUBSCRIPTION}/{asked.id}/" if asked.id else f"{SUBSCRIPTION}/"
        record_read(
            self.engine,
            self.clock,
            caller.access,
            ReadAsked(
                asked=f"{place}{asked.operation}",
                event=SEARCHED,
                request_id=caller.request_id,
                address=caller.address,
                server=self.site.base_url,
                server_address=self.server_address,
            ),
            told,
        )


def _own(connection: Connection, own_id: str, owner: Owner, *, is_locked: bool = False) -> Subscription:
    found = rows.one(connection, own_id, owner, is_locked=is_locked)
    if found is None:
        raise not_found(SUBSCRIPTION)
    return found


def _limits_of(access: Access, topic: Topic) -> Limits:
    """Whose resources of the topic's type the token may read, and be told of; ``Refused`` (403): nobody's."""
    return access.limits(topic.resource_type, READ)


def _require_version(if_match: str, found: Subscription) -> None:
    if not if_match:
        return
    seen = TAG.fullmatch(if_match.strip())
    if seen is None or int(seen[1]) != found.version:
        text = "it has another version than the one that was seen: read it again"
        raise Refused(HTTPStatus.PRECONDITION_FAILED, "conflict", text)


def _resumed(before: Subscription, wanted: Wanted) -> dict[str, object]:
    """Its status: another endpoint, other headers, or more content are agreed on by a handshake first."""
    if wanted.status is SubscriptionStatus.OFF:
        return {"status": SubscriptionStatus.OFF.value, "error": ""}
    is_same_way = (wanted.endpoint, wanted.content) == (before.endpoint, before.content) and wanted.headers is None
    if wanted.status is before.status and before.status is not SubscriptionStatus.REQUESTED and is_same_way:
        return {}
    return {"status": SubscriptionStatus.REQUESTED.value, "error": "", "failures": 0}


def _is_named(found: Subscription, pairs: Sequence[Pair]) -> bool:
    ids = {own for name, value in pairs if name == "id" for own in value.split(",")}
    statuses = {own for name, value in pairs if name == "status" for own in value.split(",")}
    return (not ids or found.id in ids) and (not statuses or found.status.value in statuses)


def _range(pairs: Sequence[Pair]) -> tuple[int, int | None, Content | None]:
    """From which number to which, both included, and how much of each. ``Refused`` (400)."""
    told = dict(pairs)
    for name in ("eventsSinceNumber", "eventsUntilNumber"):
        if name in told and not NUMBER.fullmatch(told[name]):
            raise bad_request(f"{name} is the number of an event")
    until = int(told["eventsUntilNumber"]) if "eventsUntilNumber" in told else None
    try:
        content = Content(told["content"]) if "content" in told else None
    except ValueError as error:
        raise bad_request(f"content is one of {', '.join(one.value for one in Content)}") from error
    return int(told.get("eventsSinceNumber", "0")), until, content


def _audit(unit: UnitOfWork, event: str, found: Subscription, caller: Caller) -> None:
    detail = {
        "subscription": found.id,
        "topic": found.topic.name,
        "filters": "; ".join(found.filters),
        "endpoint": told_endpoint(found.endpoint),
        "content": found.content.value,
        "stands_at": found.status.value,
        "ends": found.ends.isoformat(),
        "units": "; ".join(_units_told(found.limits)),
        "patients": "any" if found.limits.patient is None else "; ".join(sorted(found.limits.patient)),
        **asked_by(caller),
    }
    unit.audit(AuditEvent(event, actor=caller.access.subject, detail=detail))


def _units_told(limits: Limits) -> list[str]:
    return [
        ",".join(f"{one.name}@{one.facility}" if one.facility else one.name for one in units) for units in limits.units
    ]
