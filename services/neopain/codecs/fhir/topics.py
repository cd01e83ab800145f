"""What a client can subscribe to: topics by their canonical addresses, and what each can be filtered by.

Subscriptions R5 Backport IG 1.1: a topic is the ``criteria`` of a Subscription, a filter a search without paging,
``Observation?patient=ID``. ``unit`` is a name of ours: R4 has no search by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.refusal import Warnings, bad_request
from neopain.codecs.fhir.search import Criterion, Pair, References, Tokens, read_search
from neopain.domain.identity import Unit

UNIT = "unit"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic: of which resources it tells, what its events can be filtered by, and what it means."""

    name: str
    resource_type: str
    filters: tuple[str, ...]
    meaning: str

    @property
    def canonical(self) -> str:
        """Its address, by which clients name it."""
        return f"{terms.BASE}/SubscriptionTopic/{self.name}"


TOPICS = (
    Topic(
        "pain-entry",
        "Observation",
        ("patient", "code", "status", UNIT),
        "A charted entry, of ours or a nurse's, is new or says something else: verified, changed, entered in error",
    ),
    Topic(
        "pain-alert",
        "Flag",
        ("patient", "status", UNIT),
        "An alert opened, changed its level, was answered, escalated or ended",
    ),
)


@dataclass(frozen=True, slots=True)
class InUnits:
    """The filter ``unit``: any of these."""

    units: tuple[Unit, ...]


Filter = Criterion | InUnits


@dataclass(frozen=True, slots=True)
class TopicEvent:
    """Of an event what filters ask for. ``patient`` is the id of the Patient, ``code`` system and code."""

    resource_type: str
    patient: str
    unit: Unit
    status: str
    code: tuple[str, str] = ("", "")


STATUS_SYSTEMS = {"Observation": terms.OBSERVATION_STATUS, "Flag": terms.FLAG_STATUS}


def topic_of(canonical: object) -> Topic | None:
    """The topic of that address; None when there is none."""
    return next((one for one in TOPICS if one.canonical == canonical), None)


def topic_named(name: str) -> Topic | None:
    """The topic of that name; None when there is none (any more)."""
    return next((one for one in TOPICS if one.name == name), None)


def read_filter(topic: Topic, resource_type: str, pairs: Sequence[Pair]) -> tuple[Filter, ...]:
    """The conditions of one filter, all of which must hold. ``Refused`` for what the topic cannot be filtered by."""
    if resource_type != topic.resource_type or not pairs:
        raise bad_request(f"a filter of this topic is {topic.resource_type}?name=value")
    found: list[Filter] = []
    for name, value in pairs:
        if name not in topic.filters or not value:
            raise bad_request(f"this topic is filtered by {', '.join(topic.filters)}, each with a value")
        if name == UNIT:
            found.append(_units(value))
        else:
            search = read_search(topic.resource_type, [(name, value)], is_strict=True, warnings=Warnings())
            found += search.criteria
    return tuple(found)


def matches(event: TopicEvent, filters: Sequence[Filter]) -> bool:
    """Whether an event is one that all of the filters ask for."""
    return all(_holds(event, one) for one in filters)


def _holds(event: TopicEvent, asked: Filter) -> bool:
    match asked:
        case InUnits(units):
            return any(one.name == event.unit.name and one.facility in ("", event.unit.facility) for one in units)
        case References("patient", ids):
            return event.patient in ids
        case Tokens("status"):
            return asked.mean(STATUS_SYSTEMS[event.resource_type], event.status)
        case Tokens("code"):
            return asked.mean(*event.code)
    raise NotImplementedError(f"a filter of the table that nobody looks at: {asked}")


def _units(value: str) -> InUnits:
    named = [one.partition("@") for one in value.split(",")]
    if not all(name for name, _, _ in named):
        raise bad_request("a unit is NAME or NAME@FACILITY")
    return InUnits(tuple(Unit(name, facility) for name, _, facility in named))
