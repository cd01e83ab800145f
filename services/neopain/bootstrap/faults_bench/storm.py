"""Kill -9 of every process and server of charting at seeded moments, while entries are on their way."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from neopain.bootstrap.line import Line
from neopain.charting.database import connect
from neopain.charting.ledger import reject_some
from neopain.embedded.server import Server
from neopain.embedded.valkey import Valkey
from neopain.errors import DatabaseUnavailable
from neopain.runtime.clock import SystemClock

PROCESSES = ("charting-consumer", "charting-delivery", "charting-beat")
SERVERS = ("broker", "bus", "database")
PARTS = (*PROCESSES, *SERVERS)
LONGEST_PAUSE_SECONDS = 1.0
LONGEST_DEATH_SECONDS = 0.7
REJECTED_OF = 10
"""A nurse rejects one of so many entries meanwhile."""


@dataclass(slots=True)
class Storm:
    """What is killed, and what was. ``moments`` for each part."""

    line: Line
    broker: Valkey
    seed: int
    moments: int
    killed: Counter[str] = field(default_factory=Counter)
    uninvited: set[str] = field(default_factory=set)
    """Who died although nobody killed it."""
    rejected: int = 0

    def rage(self, tell: Callable[[str], None]) -> None:
        """All of it; returns when everything runs again."""
        chance = random.Random(self.seed)  # noqa: S311 - chooses moments
        for part in self._parts(chance):
            time.sleep(chance.uniform(0.1, LONGEST_PAUSE_SECONDS))
            self.uninvited |= set(self.line.ended())
            self._strike(part, chance.uniform(0.0, LONGEST_DEATH_SECONDS))
            self.killed[part] += 1
            self.reject()
            if self.killed.total() % 20 == 0:
                tell(f"{self.killed.total()} of {self.moments * len(PARTS)} killed")

    def reject(self) -> int:
        """Has a nurse reject some of the entries that the EHR has; returns how many."""
        engine = connect(str(self.line.urls.database_url), connections=1)
        rejected = 0
        try:
            with contextlib.suppress(DatabaseUnavailable):
                rejected = reject_some(engine, SystemClock(), every=REJECTED_OF)
        finally:
            engine.dispose()
        self.rejected += rejected
        return rejected

    def _parts(self, chance: random.Random) -> Iterator[str]:
        """Every part once in a random order, again and again."""
        for _ in range(self.moments):
            yield from chance.sample(PARTS, len(PARTS))

    def _strike(self, part: str, dead_seconds: float) -> None:
        if part in PROCESSES:
            child = self.line.children[part]
            child.kill()
            time.sleep(dead_seconds)
            child.restart()
            self.line.wait_ready(part)
        else:
            server = self._server(part)
            server.kill()
            time.sleep(dead_seconds)
            server.restart()

    def _server(self, part: str) -> Server:
        servers = {"broker": self.broker, "bus": self.line.servers.bus, "database": self.line.servers.database}
        server = servers[part]
        if server is None:
            raise LookupError(f"{part} is not one of ours")
        return server
