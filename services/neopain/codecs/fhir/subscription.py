"""Subscription of R4 in the profile backport-subscription (Subscriptions R5 Backport IG 1.1): read, refused, written.

Every element that is wrong is named, all in one answer. What is not known is refused: a client that was told less than
it asked for would not notice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from http import HTTPStatus

from neopain.codecs.fhir.refusal import Issue, Refused
from neopain.codecs.fhir.terminology import Json
from neopain.codecs.fhir.topics import TOPICS, Topic, topic_of

IG = "http://hl7.org/fhir/uv/subscriptions-backport"
PROFILE = f"{IG}/StructureDefinition/backport-subscription"
FILTER = f"{IG}/StructureDefinition/backport-filter-criteria"
HEARTBEAT = f"{IG}/StructureDefinition/backport-heartbeat-period"
TIMEOUT = f"{IG}/StructureDefinition/backport-timeout"
MOST_EVENTS = f"{IG}/StructureDefinition/backport-max-count"
CONTENT = f"{IG}/StructureDefinition/backport-payload-content"
PAYLOAD = "application/fhir+json"
CHANNEL = "Subscription.channel"

KNOWN = {"resourceType", "id", "meta", "status", "end", "reason", "criteria", "_criteria", "error", "channel"}
KNOWN_OF_CHANNEL = {"type", "endpoint", "payload", "_payload", "header", "extension"}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
HEADER = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}):[ \t]*([\x21-\x7e](?:[\x20-\x7e]{0,4094}[\x21-\x7e])?)")
"""RFC 9110 section 5, without what is obsolete."""
OURS = {
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "expect",
    "te",
    "trailer",
    "upgrade",
    "user-agent",
}
"""Headers that a client cannot give: they say what we send, and how."""
MOST_HEADERS = 10
MOST_FILTERS = 10
LONGEST_FILTER = 500
LONGEST_REASON = 200
LONGEST_ENDPOINT = 1000
HEARTBEATS = (10, 86_400)
TIMEOUTS = (1, 30)
COUNTS = (1, 100)
DEFAULT_TIMEOUT = 10
DEFAULT_COUNT = 20


class SubscriptionStatus(Enum):
    """Of R4's subscription-status."""

    REQUESTED = "requested"
    """Its endpoint has not answered yet."""
    ACTIVE = "active"
    ERROR = "error"
    """Its endpoint failed too often: a client asks for it again."""
    OFF = "off"


class Content(Enum):
    """How much a notification says (backport-content-value-set)."""

    EMPTY = "empty"
    ID_ONLY = "id-only"
    FULL = "full-resource"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client wants to be told, where and how. ``headers`` None: those that it gave before."""

    topic: Topic
    status: SubscriptionStatus
    filters: tuple[str, ...]
    endpoint: str
    headers: tuple[tuple[str, str], ...] | None = field(repr=False)
    content: Content
    heartbeat_seconds: int | None
    timeout_seconds: int
    most_events: int
    end: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What the site allows. The two functions raise ``Refused`` for a filter and an endpoint that may not be."""

    now: datetime
    longest: timedelta
    require_filter: Callable[[Topic, str], object]
    require_endpoint: Callable[[str], object]


@dataclass(frozen=True, slots=True)
class ShownSubscription:
    """What of a Subscription its client is shown: everything but the headers, which are secret."""

    id: str
    version: int
    updated: datetime
    status: SubscriptionStatus
    error: str
    topic: str
    filters: tuple[str, ...]
    endpoint: str
    content: Content
    heartbeat_seconds: int | None
    timeout_seconds: int
    most_events: int
    end: datetime
    reason: str


def subscription_of(shown: ShownSubscription) -> Json:
    """The resource."""
    channel_extensions: list[Json] = []
    if shown.heartbeat_seconds is not None:
        channel_extensions.append({"url": HEARTBEAT, "valueUnsignedInt": shown.heartbeat_seconds})
    channel_extensions.append({"url": TIMEOUT, "valueUnsignedInt": shown.timeout_seconds})
    channel_extensions.append({"url": MOST_EVENTS, "valuePositiveInt": shown.most_events})
    resource: Json = {
        "resourceType": "Subscription",
        "id": shown.id,
        "meta": {
            "versionId": str(shown.version),
            "lastUpdated": shown.updated.isoformat(),
            "profile": [PROFILE],
        },
        "status": shown.status.value,
        "end": shown.end.isoformat(),
        "reason": shown.reason,
        "criteria": shown.topic,
        "channel": {
            "extension": channel_extensions,
            "type": "rest-hook",
            "endpoint": shown.endpoint,
            "payload": PAYLOAD,
            "_payload": {"extension": [{"url": CONTENT, "valueCode": shown.content.value}]},
        },
    }
    if shown.filters:
        resource["_criteria"] = {"extension": [{"url": FILTER, "valueString": one} for one in shown.filters]}
    if shown.error:
        resource["error"] = shown.error
    return resource


def read_subscription(body: Json, rules: Rules) -> Wanted:
    """What is wanted. ``Refused`` (422) with every element that is missing, wrong or too much."""
    return _Reader(body, rules).wanted()


class _Reader:
    def __init__(self, body: Json, rules: Rules) -> None:
        self.body = body
        self.rules = rules
        channel = body.get("channel")
        self.channel: Json = channel if isinstance(channel, dict) else {}
        self.issues: list[Issue] = []

    def wanted(self) -> Wanted:
        for name in sorted(set(self.body) - KNOWN):
            self._wrong(f"Subscription.{name[:64]}", "this is not known here: nothing would come of it")
        for name in sorted(set(self.channel) - KNOWN_OF_CHANNEL):
            self._wrong(f"{CHANNEL}.{name[:64]}", "this is not known here: nothing would come of it")
        topic = self._topic()
        extensions = self._extensions(
            f"{CHANNEL}.extension", self.channel.get("extension"), (HEARTBEAT, TIMEOUT, MOST_EVENTS)
        )
        self._whats_fixed()
        wanted = Wanted(
            topic=topic or TOPICS[0],
            status=self._status(),
            filters=self._filters(topic),
            endpoint=self._endpoint(),
            headers=self._headers(),
            content=self._content(),
            heartbeat_seconds=self._number(extensions, HEARTBEAT, "valueUnsignedInt", HEARTBEATS),
            timeout_seconds=self._number(extensions, TIMEOUT, "valueUnsignedInt", TIMEOUTS) or DEFAULT_TIMEOUT,
            most_events=self._number(extensions, MOST_EVENTS, "valuePositiveInt", COUNTS) or DEFAULT_COUNT,
            end=self._end(),
            reason=self._reason(),
        )
        if self.issues:
            raise refused(self.issues)
        return wanted

    def _topic(self) -> Topic | None:
        topic = topic_of(self.body.get("criteria"))
        if topic is None:
            known = ", ".join(one.canonical for one in TOPICS)
            self._wrong("Subscription.criteria", f"the topics here are {known}")
        return topic

    def _whats_fixed(self) -> None:
        if not isinstance(self.body.get("channel"), dict):
            self._wrong(CHANNEL, "it says where to, and how")
        if self.channel.get("type") != "rest-hook":
            self._wrong(f"{CHANNEL}.type", "notifications are sent by rest-hook")
        if self.channel.get("payload") != PAYLOAD:
            self._wrong(f"{CHANNEL}.payload", f"a notification is {PAYLOAD}")

    def _status(self) -> SubscriptionStatus:
        try:
            return SubscriptionStatus(self.body.get("status"))
        except ValueError:
            self._wrong("Subscription.status", "requested, or off")
            return SubscriptionStatus.OFF

    def _filters(self, topic: Topic | None) -> tuple[str, ...]:
        if "_criteria" not in self.body:
            return ()
        place = "Subscription.criteria.extension"
        told = self.body["_criteria"]
        listed = told.get("extension") if isinstance(told, dict) and set(told) == {"extension"} else None
        if not isinstance(listed, list) or not 0 < len(listed) <= MOST_FILTERS:
            self._wrong(place, f"up to {MOST_FILTERS} extensions {FILTER}")
            return ()
        found = []
        for number, one in enumerate(listed):
            text = one.get("valueString") if isinstance(one, dict) and len(one) == 2 else None
            if not isinstance(text, str) or one.get("url") != FILTER or not _is_kept(text):
                self._wrong(f"{place}[{number}]", f"{FILTER} with a valueString of up to {LONGEST_FILTER} signs")
                continue
            with self._at(f"{place}[{number}]"):
                if topic is not None:
                    self.rules.require_filter(topic, text)
            found.append(text)
        return tuple(found)

    def _endpoint(self) -> str:
        told = self.channel.get("endpoint")
        place = f"{CHANNEL}.endpoint"
        if not isinstance(told, str) or not re.fullmatch(rf"[\x21-\x7e]{{1,{LONGEST_ENDPOINT}}}", told):
            self._wrong(place, f"an address of up to {LONGEST_ENDPOINT} signs of ASCII")
            return ""
        with self._at(place):
            self.rules.require_endpoint(told)
        return told

    def _headers(self) -> tuple[tuple[str, str], ...] | None:
        if "header" not in self.channel:
            return None
        listed = self.channel["header"]
        place = f"{CHANNEL}.header"
        if not isinstance(listed, list) or not 0 < len(listed) <= MOST_HEADERS:
            self._wrong(place, f"up to {MOST_HEADERS} headers")
            return None
        found: dict[str, tuple[str, str]] = {}
        for number, one in enumerate(listed):
            read = HEADER.fullmatch(one) if isinstance(one, str) else None
            # What is wrong with it is said without it: it may be a password.
            if read is None:
                self._wrong(f"{place}[{number}]", "Name: value, in signs of ASCII")
            elif read[1].lower() in OURS or read[1].lower() in found:
                self._wrong(f"{place}[{number}]", "this name is not a client's to give, or comes twice")
            else:
                found[read[1].lower()] = (read[1], read[2])
        return tuple(found.values())

    def _content(self) -> Content:
        place = f"{CHANNEL}.payload.extension"
        told = self.channel.get("_payload")
        found = self._extensions(place, told.get("extension") if isinstance(told, dict) else None, (CONTENT,))
        try:
            return Content(found.get(CONTENT, {}).get("valueCode"))
        except ValueError:
            known = ", ".join(one.value for one in Content)
            self._wrong(place, f"{CONTENT} with a valueCode of {known}")
            return Content.EMPTY

    def _end(self) -> datetime:
        told = self.body.get("end")
        latest = self.rules.now + self.rules.longest
        found = _instant(told) if isinstance(told, str) else None
        if found is None or not self.rules.now < found <= latest:
            days = self.rules.longest.days
            text = f"it is needed, as an instant that is to come, at most {days} days from now"
            self._wrong("Subscription.end", text)
            return latest
        return found

    def _reason(self) -> str:
        told = self.body.get("reason")
        words = " ".join(told.split()) if isinstance(told, str) else ""
        if not words or len(words) > LONGEST_REASON or not words.isprintable():
            self._wrong("Subscription.reason", f"it says what for, in up to {LONGEST_REASON} signs")
        return words

    def _extensions(self, place: str, told: object, known: tuple[str, ...]) -> dict[str, Json]:
        if told is None:
            return {}
        found: dict[str, Json] = {}
        for number, one in enumerate(told if isinstance(told, list) and told else [None]):
            url = one.get("url") if isinstance(one, dict) and len(one) == 2 else None
            if not isinstance(one, dict) or url not in known or url in found:
                self._wrong(f"{place}[{number}]", f"each once, with one value: {', '.join(known)}")
            else:
                found[url] = one
        return found

    def _number(self, found: dict[str, Json], url: str, value: str, bounds: tuple[int, int]) -> int | None:
        if url not in found:
            return None
        told = found[url].get(value)
        least, most = bounds
        if not isinstance(told, int) or isinstance(told, bool) or not least <= told <= most:
            place = f"{CHANNEL}.extension.where(url='{url}')"
            self._wrong(place, f"{value} is a whole number from {least} to {most}")
            return None
        return told

    @contextmanager
    def _at(self, place: str) -> Iterator[None]:
        """What is refused within is so for this element."""
        try:
            yield
        except Refused as error:
            self._wrong(place, error.issue.text)

    def _wrong(self, place: str, rule: str) -> None:
        self.issues.append(Issue("business-rule", f"{place}: {rule}", expression=place))


def refused(issues: list[Issue]) -> Refused:
    """What says all that is wrong with a resource (422)."""
    first, *others = issues
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, first.code, first.text, expression=first.expression, further=others)


def _is_kept(text: str) -> bool:
    """Whether a text can be kept: PostgreSQL takes no control characters and no halves of characters."""
    return text.isprintable() and len(text) <= LONGEST_FILTER


def _instant(text: str) -> datetime | None:
    if not INSTANT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
