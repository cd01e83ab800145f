"""What a subscriber is sent: a Bundle whose first entry is the subscription's status (R5 Backport IG 1.1).

Profiles backport-subscription-notification-r4 and backport-subscription-status-r4.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from neopain.codecs.fhir.subscription import IG, Content, SubscriptionStatus
from neopain.codecs.fhir.terminology import Json

NOTIFICATION = f"{IG}/StructureDefinition/backport-subscription-notification-r4"
STATUS = f"{IG}/StructureDefinition/backport-subscription-status-r4"


class NotificationType(Enum):
    """Of subscription-notification-type."""

    HANDSHAKE = "handshake"
    HEARTBEAT = "heartbeat"
    EVENT = "event-notification"
    QUERY_STATUS = "query-status"
    QUERY_EVENT = "query-event"


@dataclass(frozen=True, slots=True)
class StatusOf:
    """What of a subscription its status says. ``events`` is the number of the last one there is."""

    id: str
    topic: str
    status: SubscriptionStatus
    events: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class ToldEvent:
    """One event. ``reference`` (``Observation/ID``) is empty where the subscriber may not know of it (any more)."""

    number: int
    moment: datetime
    reference: str = ""
    resource: Json | None = None


def status_of(
    told: StatusOf, kind: NotificationType, base_url: str, *, content: Content, events: Sequence[ToldEvent] = ()
) -> Json:
    """The Parameters that say what a subscription stands at, and of which events a notification tells."""
    parameters: list[Json] = [
        {"name": "subscription", "valueReference": {"reference": f"{base_url}/Subscription/{told.id}"}}
    ]
    if content is not Content.EMPTY:
        parameters.append({"name": "topic", "valueCanonical": told.topic})
    parameters += [
        {"name": "status", "valueCode": told.status.value},
        {"name": "type", "valueCode": kind.value},
        {"name": "events-since-subscription-start", "valueString": str(told.events)},
    ]
    parameters += [_event(one, base_url, content) for one in events]
    if told.error:
        parameters.append({"name": "error", "valueCodeableConcept": {"text": told.error}})
    return {"resourceType": "Parameters", "meta": {"profile": [STATUS]}, "parameter": parameters}


def notification_of(
    told: StatusOf,
    kind: NotificationType,
    base_url: str,
    *,
    content: Content,
    moment: datetime,
    events: Sequence[ToldEvent] = (),
) -> Json:
    """The Bundle: the status, and as the content says what each event is about."""
    status: Json = {
        "fullUrl": f"urn:uuid:{uuid.uuid4()}",
        "resource": status_of(told, kind, base_url, content=content, events=events),
        "request": {"method": "GET", "url": f"{base_url}/Subscription/{told.id}/$status"},
        "response": {"status": "200"},
    }
    return {
        "resourceType": "Bundle",
        "id": str(uuid.uuid4()),
        "meta": {"profile": [NOTIFICATION]},
        "type": "history",
        "timestamp": moment.isoformat(),
        "entry": [status, *_entries(base_url, content, events)],
    }


def status_bundle(found: Sequence[tuple[str, Json]], base_url: str) -> Json:
    """The searchset of statuses, each with its subscription's id."""
    entries: list[Json] = [
        {
            "fullUrl": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{base_url}/Subscription/{own_id}/$status')}",
            "resource": status,
            "search": {"mode": "match"},
        }
        for own_id, status in found
    ]
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    return {**bundle, "entry": entries} if entries else bundle


def _event(event: ToldEvent, base_url: str, content: Content) -> Json:
    parts: list[Json] = [
        {"name": "event-number", "valueString": str(event.number)},
        {"name": "timestamp", "valueInstant": event.moment.isoformat()},
    ]
    if content is not Content.EMPTY and event.reference:
        parts.append({"name": "focus", "valueReference": {"reference": f"{base_url}/{event.reference}"}})
    return {"name": "notification-event", "part": parts}


def _entries(base_url: str, content: Content, events: Sequence[ToldEvent]) -> Iterator[Json]:
    """Each resource once: as it is now, however many events are about it."""
    if content is Content.EMPTY:
        return
    for reference, resource in {one.reference: one.resource for one in events if one.reference}.items():
        url = f"{base_url}/{reference}"
        entry: Json = {"fullUrl": url, "request": {"method": "GET", "url": url}, "response": {"status": "200"}}
        if content is Content.FULL and resource is not None:
            entry["resource"] = resource
        yield entry
