"""What could not be processed is kept as it came."""

from __future__ import annotations

from datetime import UTC, datetime

from neopain.bus.bus import Bus
from neopain.bus.deadletters import list_letters, put_aside
from neopain.domain.deadletter import DeadLetter
from neopain.domain.identity import SourceId

LETTER = DeadLetter(
    origin="hl7",
    source=SourceId("hl7", "monitor"),
    raw=b"MSH|^~\\&|\xff\x00",
    location="OBX[3]-5",
    reason="not a number",
    received=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    control_id="17",
)


async def test_a_letter_is_read_back_as_it_was_put_aside(bus: Bus) -> None:
    letter_id = await put_aside(bus, LETTER)
    assert await list_letters(bus) == [(letter_id, LETTER)]


async def test_letters_are_never_trimmed(bus: Bus) -> None:
    await put_aside(bus, LETTER)
    await bus.trim()
    assert len(await list_letters(bus)) == 1
