"""A Subscription's body: whatever it is, it is read or refused with the elements that are wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fhir.resources.R4B.subscription import Subscription
from hypothesis import given, settings
from hypothesis import strategies as st

from neopain.codecs.fhir.refusal import Refused, bad_request
from neopain.codecs.fhir.subscription import (
    CONTENT,
    FILTER,
    HEARTBEAT,
    Content,
    Rules,
    ShownSubscription,
    SubscriptionStatus,
    read_subscription,
    subscription_of,
)
from neopain.codecs.fhir.topics import TOPICS, InUnits, Topic, TopicEvent, matches, read_filter
from neopain.domain.identity import Unit

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)


def refuse_ftp(url: str) -> None:
    if url.startswith("ftp"):
        raise bad_request("no ftp")


RULES = Rules(NOON, timedelta(days=30), lambda _topic, _text: None, refuse_ftp)
GOOD: dict[str, Any] = {
    "resourceType": "Subscription",
    "status": "requested",
    "end": "2026-10-20T12:00:00+02:00",
    "reason": "a display",
    "criteria": "https://neopain.org/fhir/SubscriptionTopic/pain-entry",
    "_criteria": {"extension": [{"url": FILTER, "valueString": "Observation?unit=NICU"}]},
    "channel": {
        "type": "rest-hook",
        "endpoint": "https://display.example/told",
        "header": ["Authorization: Bearer abc"],
        "payload": "application/fhir+json",
        "_payload": {"extension": [{"url": CONTENT, "valueCode": "id-only"}]},
        "extension": [{"url": HEARTBEAT, "valueUnsignedInt": 60}],
    },
}


def test_what_is_wanted_is_read() -> None:
    wanted = read_subscription(GOOD, RULES)

    assert (wanted.topic, wanted.status, wanted.content) == (TOPICS[0], SubscriptionStatus.REQUESTED, Content.ID_ONLY)
    assert wanted.filters == ("Observation?unit=NICU",)
    assert wanted.headers == (("Authorization", "Bearer abc"),)
    assert (wanted.heartbeat_seconds, wanted.timeout_seconds, wanted.most_events) == (60, 10, 20)
    assert wanted.end == datetime(2026, 10, 20, 10, 0, tzinfo=UTC)
    assert "abc" not in repr(wanted)


def test_what_is_shown_is_valid_and_can_be_sent_back() -> None:
    shown = ShownSubscription(
        id="1",
        version=3,
        updated=NOON,
        status=SubscriptionStatus.ERROR,
        error="heartbeat: HTTP 503",
        topic=TOPICS[0].canonical,
        filters=("Observation?unit=NICU",),
        endpoint="https://display.example/told",
        content=Content.FULL,
        heartbeat_seconds=60,
        timeout_seconds=5,
        most_events=7,
        end=NOON + timedelta(days=1),
        reason="a display",
    )
    resource = subscription_of(shown)

    Subscription.model_validate(resource)
    wanted = read_subscription(resource, RULES)
    assert (wanted.filters, wanted.headers, wanted.end) == (shown.filters, None, shown.end)
    assert (wanted.heartbeat_seconds, wanted.timeout_seconds, wanted.most_events) == (60, 5, 7)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(
    changes=st.dictionaries(st.sampled_from([*GOOD, "contact"]), JSON, max_size=3),
    channel=st.dictionaries(st.sampled_from([*GOOD["channel"], "x"]), JSON, max_size=3),
)
def test_any_body_is_read_or_refused(changes: dict[str, Any], channel: dict[str, Any]) -> None:
    body = {**GOOD, "channel": {**GOOD["channel"], **channel}, **changes}
    wrong: list[str] = []
    try:
        read_subscription(body, RULES)
    except Refused as error:
        wrong = [one.expression for one in error.issues]

    assert all(one.startswith("Subscription.") for one in wrong)


EVENT = TopicEvent("Observation", "p1", Unit("NICU", "EAST"), "final", ("http://loinc.org", "98012-8"))


@pytest.mark.parametrize(
    ("name", "value", "is_so"),
    [
        ("unit", "NICU", True),
        ("unit", "NICU@EAST", True),
        ("unit", "PICU,NICU@EAST", True),
        ("unit", "NICU@WEST", False),
        ("patient", "Patient/p1", True),
        ("patient", "p2", False),
        ("status", "final,amended", True),
        ("status", "preliminary", False),
        ("code", "http://loinc.org|98012-8", True),
        ("code", "98012-7", False),
    ],
)
def test_a_filter_means_what_a_search_means(name: str, value: str, *, is_so: bool) -> None:
    assert matches(EVENT, read_filter(TOPICS[0], "Observation", [(name, value)])) is is_so


@pytest.mark.parametrize(
    ("topic", "resource_type", "pairs"),
    [
        (TOPICS[0], "Flag", [("unit", "NICU")]),
        (TOPICS[0], "Observation", []),
        (TOPICS[0], "Observation", [("date", "2026")]),
        (TOPICS[0], "Observation", [("unit", "")]),
        (TOPICS[0], "Observation", [("patient", "Device/1")]),
        (TOPICS[1], "Flag", [("code", "severe")]),
    ],
)
def test_what_a_topic_cannot_be_filtered_by_is_refused(
    topic: Topic, resource_type: str, pairs: list[tuple[str, str]]
) -> None:
    with pytest.raises(Refused):
        read_filter(topic, resource_type, pairs)


def test_a_filter_by_units_keeps_each() -> None:
    (found,) = read_filter(TOPICS[1], "Flag", [("unit", "NICU,PICU@WEST")])

    assert found == InUnits((Unit("NICU"), Unit("PICU", "WEST")))
