"""What could not be processed, looked at: ``neopain dead-letters list`` and ``show``."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TypeVar

from neopain.bootstrap.looks import tell_look
from neopain.bootstrap.raw import hex_lines, segment_lines
from neopain.bus.bus import Bus
from neopain.bus.deadletters import list_letters, list_replays
from neopain.domain.deadletter import DeadLetter, Replay, ReplayOutcome
from neopain.errors import ConfigurationError
from neopain.runtime.settings import BusSettings, read_settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kept:
    """A dead letter, its id, and what persons did with it, oldest first."""

    id: str
    letter: DeadLetter
    replays: tuple[Replay, ...] = ()

    @property
    def rule(self) -> str:
        """Place and rule, as they are listed."""
        return f"{self.letter.location}: {self.letter.reason}" if self.letter.location else self.letter.reason

    @property
    def accepted(self) -> Replay | None:
        """The replay that got it through, if one did."""
        return next((one for one in self.replays if one.outcome is ReplayOutcome.ACCEPTED), None)


def list_dead_letters(*, rule: str, by: str, as_json: bool) -> int:
    """Prints the dead letters, oldest first, with ``rule`` those whose rule holds that text.

    Raw bytes only in JSON, which is patient data, and audited.
    """

    async def read(bus: Bus) -> list[Kept]:
        found = with_rule(await read_kept(bus), rule)
        if as_json:
            # Whose data are in raw bytes that could not be read, nobody knows.
            await tell_look(bus, "dead-letters list --json", (), by=by)
        return found

    for kept in on_bus(read):
        print(_as_json(kept) if as_json else _as_line(kept))
    return 0


def show_dead_letter(letter_id: str, *, by: str, as_json: bool) -> int:
    """Prints one letter with its diagnosis: patient data, and audited.

    ``ConfigurationError`` when there is none of that id.
    """

    async def read(bus: Bus) -> list[Kept]:
        found = with_ids(await read_kept(bus), [letter_id])
        await tell_look(bus, f"dead-letters show {letter_id}", (), by=by)
        return found

    (kept,) = on_bus(read)
    print(_as_json(kept) if as_json else "\n".join(_as_page(kept)))
    return 0


def on_bus(work: Callable[[Bus], Awaitable[T]]) -> T:
    """Does something with the bus of the environment."""

    async def run() -> T:
        bus = Bus(read_settings(BusSettings).address())
        try:
            return await work(bus)
        finally:
            await bus.aclose()

    return asyncio.run(run())


async def read_kept(bus: Bus) -> list[Kept]:
    """Every dead letter, oldest first."""
    replays: defaultdict[str, list[Replay]] = defaultdict(list)
    for replay in await list_replays(bus):
        replays[replay.letter].append(replay)
    return [Kept(letter_id, letter, tuple(replays[letter_id])) for letter_id, letter in await list_letters(bus)]


def with_rule(letters: Iterable[Kept], rule: str) -> list[Kept]:
    """Those whose rule holds the text, whatever its case; all for an empty one."""
    return [one for one in letters if rule.casefold() in one.rule.casefold()]


def with_ids(letters: Iterable[Kept], ids: Iterable[str]) -> list[Kept]:
    """Those of the ids, oldest first; ``ConfigurationError`` names an id that is none."""
    wanted = set(ids)
    chosen = [one for one in letters if one.id in wanted]
    if missing := sorted(wanted - {one.id for one in chosen}):
        raise ConfigurationError(f"no dead letter has the id {missing[0]}: see `neopain dead-letters list`")
    return chosen


def _as_line(kept: Kept) -> str:
    letter = kept.letter
    when = f"{letter.received:%Y-%m-%d %H:%M:%S}Z"
    replayed = f"[replayed: {kept.replays[-1].outcome.value}]" if kept.replays else ""
    return "  ".join(filter(None, (kept.id, when, letter.origin, str(letter.source), kept.rule, replayed)))


def _as_page(kept: Kept) -> Iterator[str]:
    letter = kept.letter
    yield f"id          {kept.id}"
    yield f"received    {letter.received:%Y-%m-%d %H:%M:%S.%f}Z, {len(letter.raw)} bytes"
    yield f"origin      {letter.origin}"
    yield f"source      {letter.source}{f' at {letter.address}' if letter.address else ''}"
    if letter.names:
        yield f"certificate {', '.join(letter.names)}"
    yield f"control id  {letter.control_id or '-'}"
    yield f"place       {letter.location or '-'}"
    yield f"rule        {letter.reason}"
    if letter.fault:
        yield f"framing     {letter.fault}"
    for one in kept.replays:
        why = f": {one.why}" if one.why else ""
        yield f"replayed    {one.moment:%Y-%m-%d %H:%M:%S}Z by {one.by} ({one.reason}), {one.outcome.value}{why}"
    yield ""
    yield from segment_lines(letter.raw, location=letter.location) if letter.origin == "hl7" else hex_lines(letter.raw)


def _as_json(kept: Kept) -> str:
    fields = asdict(kept.letter) | {"id": kept.id, "raw": kept.letter.raw.decode("latin-1")}
    replays = [asdict(one) | {"outcome": one.outcome.value} for one in kept.replays]
    return json.dumps(fields | {"replays": replays}, default=str)
