"""The MLLP sender against a listener that refuses, stays silent and dies."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from neopain.simulator.mllp_sender import MllpSender

if TYPE_CHECKING:
    from .conftest import Listener, Until


@contextlib.asynccontextmanager
async def running(sender: MllpSender) -> AsyncIterator[MllpSender]:
    task = asyncio.create_task(sender.run())
    try:
        yield sender
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def sender(listener: Listener) -> AsyncIterator[MllpSender]:
    async with running(MllpSender("127.0.0.1", listener.port, name="test", answer_seconds=2.0)) as one:
        yield one


def text(control_id: str) -> bytes:
    return f"MSH|^~\\&|A|B|C|D|20260701120000||ORU^R01^ORU_R01|{control_id}|T|2.6\r".encode()


def hand_over(sender: MllpSender, count: int) -> list[str]:
    ids = [f"m{number}" for number in range(1, count + 1)]
    for control_id in ids:
        sender.send(control_id, text(control_id))
    return ids


async def test_messages_are_sent_in_order_and_acknowledged(listener: Listener, sender: MllpSender) -> None:
    ids = hand_over(sender, 3)

    assert await sender.settled(within_seconds=5)
    assert listener.received == ids
    assert sender.ledger.acknowledged == ids


async def test_the_message_arrives_as_it_was_handed_over(listener: Listener, sender: MllpSender) -> None:
    hand_over(sender, 1)

    assert await sender.settled(within_seconds=5)
    assert listener.messages == [text("m1").decode()]


@pytest.mark.parametrize("code", ["AA", "CA"])
async def test_both_modes_of_acknowledgement_count(listener: Listener, sender: MllpSender, code: str) -> None:
    listener.answers = [code]
    hand_over(sender, 1)

    assert await sender.settled(within_seconds=5)
    assert sender.ledger.acknowledged == ["m1"]


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR"])
async def test_a_refused_message_is_not_sent_again(listener: Listener, sender: MllpSender, code: str) -> None:
    listener.answers = [code]
    hand_over(sender, 2)

    assert await sender.settled(within_seconds=5)
    assert listener.received == ["m1", "m2"]
    assert sender.ledger.refused == ["m1"]
    assert sender.ledger.acknowledged == ["m2"]


async def test_a_message_whose_listener_died_is_sent_again_and_counted_once(
    listener: Listener, sender: MllpSender
) -> None:
    listener.answers = ["AA", "AA", "die"]
    ids = hand_over(sender, 5)

    assert await sender.settled(within_seconds=5)
    assert listener.received == ["m1", "m2", "m3", "m3", "m4", "m5"]
    assert sender.ledger.acknowledged == ids
    assert sender.ledger.resent == 1


async def test_the_ledger_is_right_when_the_server_goes_and_comes_back(
    listener: Listener, sender: MllpSender, until: Until
) -> None:
    listener.answers = ["AA"] * 7 + ["silence"]
    ids = hand_over(sender, 20)
    await until(lambda: len(listener.received) == 8)
    await listener.stop()

    assert sender.ledger.acknowledged == ids[:7]
    assert sender.waiting == 13

    await listener.start()

    assert await sender.settled(within_seconds=10)
    assert sender.ledger.acknowledged == ids
    assert listener.received == ids[:8] + ids[7:]


async def test_messages_wait_for_a_listener_that_is_not_there_yet(listener: Listener) -> None:
    await listener.stop()
    async with running(MllpSender("127.0.0.1", listener.port, name="test")) as sender:
        ids = hand_over(sender, 3)
        assert not await sender.settled(within_seconds=0.3)
        await listener.start()

        assert await sender.settled(within_seconds=10)
        assert listener.received == ids


async def test_an_answer_to_another_message_is_not_taken_for_this_ones(listener: Listener, sender: MllpSender) -> None:
    listener.answers = ["another"]
    hand_over(sender, 1)

    assert await sender.settled(within_seconds=5)
    assert sender.ledger.acknowledged == ["m1"]
    assert sender.ledger.resent == 0


async def test_an_answer_may_come_in_pieces(listener: Listener, sender: MllpSender) -> None:
    listener.pieces = 40
    hand_over(sender, 2)

    assert await sender.settled(within_seconds=5)
    assert sender.ledger.acknowledged == ["m1", "m2"]


async def test_a_listener_that_does_not_answer_in_time_gets_the_message_again(listener: Listener) -> None:
    listener.answers = ["silence"]
    async with running(MllpSender("127.0.0.1", listener.port, name="test", answer_seconds=0.1)) as sender:
        hand_over(sender, 1)

        assert await sender.settled(within_seconds=5)
        assert listener.received == ["m1", "m1"]
        assert sender.ledger.resent == 1
