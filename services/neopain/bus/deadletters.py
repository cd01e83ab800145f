"""The stream of what could not be processed: written by everyone, read by a person, who may put it in again."""

from __future__ import annotations

from neopain.bus.bus import Bus
from neopain.bus.streams import DEAD_LETTERS, REPLAYS
from neopain.domain.deadletter import DeadLetter, Replay
from neopain.wire.deadletter import decode_dead_letter, decode_replay, encode_dead_letter, encode_replay


async def put_aside(bus: Bus, letter: DeadLetter, *, mark: str = "") -> str:
    """Keeps the letter on the bus and returns its id; it is on disk when this returns.

    With a mark, input that its sender repeats is kept once an hour, so that it cannot fill the bus.
    """
    payload = encode_dead_letter(letter)
    if not mark:
        return await bus.publish(DEAD_LETTERS, payload)
    return (await bus.publish_once(DEAD_LETTERS, payload, mark=mark)).id


async def list_letters(bus: Bus, *, count: int | None = None) -> list[tuple[str, DeadLetter]]:
    """The letters with their ids, oldest first."""
    entries = await bus.read_range(DEAD_LETTERS, count=count)
    return [(entry.id, decode_dead_letter(entry.payload)) for entry in entries]


async def tell_replay(bus: Bus, replay: Replay) -> str:
    """Keeps the fact of a replay; charting writes it to the audit trail. It is on disk when this returns."""
    return await bus.publish(REPLAYS, encode_replay(replay))


async def list_replays(bus: Bus) -> list[Replay]:
    """Every replay that was told, oldest first."""
    return [decode_replay(entry.payload) for entry in await bus.read_range(REPLAYS)]
