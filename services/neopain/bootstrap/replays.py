"""Dead letters put in again by a person: ``neopain dead-letters replay``."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass

from neopain.bootstrap.dead_letters import Kept, on_bus, read_kept, with_ids, with_rule
from neopain.bus.bus import Bus
from neopain.domain.deadletter import ReplayOutcome
from neopain.errors import ConfigurationError
from neopain.ingest.hl7.intake import Intake
from neopain.ingest.hl7.replay import Person, replay, why_not
from neopain.ingest.hl7.sources import read_sources
from neopain.ingest.settings import IngestSettings
from neopain.runtime.clock import SystemClock
from neopain.runtime.settings import read_settings


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What the person decided: the letters of these ids, or all whose rule holds ``rule``."""

    by: str
    reason: str
    ids: tuple[str, ...] = ()
    rule: str = ""
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one letter. ``outcome`` is a ``ReplayOutcome``, ``replayed before`` or ``not replayable``."""

    id: str
    outcome: str
    why: str = ""

    @property
    def is_stored(self) -> bool:
        """Whether what it says is on the bus."""
        return self.outcome in (ReplayOutcome.ACCEPTED.value, "replayed before")

    def as_line(self) -> str:
        """For a person."""
        return "  ".join(filter(None, (self.id, self.outcome, self.why)))


def replay_dead_letters(options: ReplayOptions) -> int:
    """Puts letters in again, oldest first, and prints what came of each; 1 when one is not stored.

    The door's settings are those of ``NEOPAIN_INGEST_*``, and are to be the listener's own. ``ConfigurationError`` for
    an id or a rule that no letter has: nothing is done then.
    """
    settings = read_settings(IngestSettings)
    sources = read_sources(settings)

    async def replay_all(bus: Bus) -> int:
        await bus.check_durable()
        chosen = _chosen(await read_kept(bus), options)
        intake = Intake(bus, settings, SystemClock(), sources)
        left = 0
        async for told in _replayed(intake, chosen, Person(options.by, options.reason)):
            print(json.dumps(asdict(told)) if options.as_json else told.as_line(), flush=True)
            left += not told.is_stored
        return left

    return 1 if on_bus(replay_all) else 0


def _chosen(letters: Sequence[Kept], options: ReplayOptions) -> list[Kept]:
    if options.ids:
        return with_ids(letters, options.ids)
    chosen = with_rule(letters, options.rule)
    if not chosen:
        raise ConfigurationError(f"no dead letter has {options.rule!r} in its rule: see `neopain dead-letters list`")
    return chosen


async def _replayed(intake: Intake, chosen: Sequence[Kept], person: Person) -> AsyncIterator[Told]:
    for kept in chosen:
        if before := kept.accepted:
            yield Told(kept.id, "replayed before", f"accepted at {before.moment:%Y-%m-%d %H:%M:%S}Z, by {before.by}")
        elif why := why_not(kept.letter):
            yield Told(kept.id, "not replayable", why)
        else:
            came = await replay(intake, kept.id, kept.letter, person)
            yield Told(kept.id, came.outcome.value, came.why)
