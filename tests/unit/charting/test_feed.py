"""Changes handed to streams: filtered, numbered, bounded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from neopain.charting.api import feed as feeds
from neopain.charting.api.access import Limits
from neopain.charting.api.changes import Change
from neopain.charting.api.feed import OVERFLOW, STOPPING, UNAVAILABLE, Feed, Subscription
from neopain.domain.identity import BedId, PatientId, Unit
from neopain.errors import DatabaseUnavailable


def change(number: int = 0, *, reference: str = "", bed: str = "NICU/1/1") -> Change:
    return Change("live-score", reference or f"Observation/{number}", "1", PatientId("1", "HOSP"), BedId(bed))


def everything() -> Subscription:
    return Subscription({"Observation": Limits()})


async def fed(look: Callable[[], list[Change]], subscription: Subscription) -> Feed:
    """A feed that has looked until something came of it."""
    feed = Feed(look)
    with feed.subscribed(subscription):
        await asyncio.wait_for(subscription.news.wait(), 5)
    return feed


def once(*changes: Change) -> Callable[[], list[Change]]:
    left = [list(changes)]
    lock = threading.Lock()

    def look() -> list[Change]:
        with lock:
            return left.pop() if left else []

    return look


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "LOOK_SECONDS", 0.001)


async def test_changes_are_numbered_and_a_client_goes_on_after_any_of_them() -> None:
    subscription = everything()
    feed = await fed(once(change(1), change(2), change(3)), subscription)
    found = subscription.taken()

    assert [one.change.reference for one in found] == ["Observation/1", "Observation/2", "Observation/3"]
    assert feed.since(found[0].id) == found[1:]
    assert feed.since(feed.last_id) == []
    feed.stop()


@pytest.mark.parametrize("last", ["", "x-1", "-1", "1", "{name}-4", "{name}-x", "{name}-²"])
async def test_a_number_that_is_not_known_is_none(last: str) -> None:
    feed = await fed(once(change(1), change(2), change(3)), everything())

    assert feed.since(last.format(name=feed.last_id.partition("-")[0])) is None
    feed.stop()


async def test_what_is_no_longer_kept_cannot_be_gone_on_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "MOST_KEPT", 2)
    subscription = everything()
    feed = await fed(once(change(1), change(2), change(3)), subscription)
    first, second, third = subscription.taken()

    name = first.id.rpartition("-")[0]
    assert feed.since(f"{name}-0") is None
    assert feed.since(first.id) == [second, third]
    feed.stop()


def numbered(one: Change) -> feeds.Numbered:
    return feeds.Numbered("a-1", one)


async def test_only_what_the_limits_allow_is_offered() -> None:
    narrow = Subscription({"Observation": Limits(units=((Unit("NICU"),),)), "Flag": None})
    for one in (change(1), change(2, bed="PICU/1/1"), change(reference="Flag/1"), change(reference="Patient/1")):
        narrow.offer(numbered(one))

    assert [one.change.reference for one in narrow.taken()] == ["Observation/1"]


async def test_a_client_that_is_too_slow_is_cut_off_and_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "MOST_WAITING", 2)
    slow = everything()
    for number in range(3):
        slow.offer(numbered(change(number)))

    assert (slow.ended, slow.taken()) == (OVERFLOW, [])


@pytest.mark.parametrize("error", [DatabaseUnavailable("gone"), RuntimeError("a fault of ours")])
async def test_changes_that_cannot_be_seen_end_the_streams(error: Exception) -> None:
    def fail() -> list[Change]:
        raise error

    subscription = everything()
    feed = await fed(fail, subscription)

    assert subscription.ended == UNAVAILABLE
    feed.stop()


async def test_streams_end_when_the_server_stops() -> None:
    subscription = everything()
    feed = Feed(once())
    with feed.subscribed(subscription):
        feed.stop()

    assert subscription.ended == STOPPING
