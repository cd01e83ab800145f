"""What pages poll: one row in the audit trail stands for a minute of it.

A board asks for newest scores and aggregates every second; a row for each answer and infant would bury all other reads.
So the first answer is written down before it is sent, with until when it stands for the same (``stands_until``): the
same token, client and address, asking in the same way for the newest scores and aggregates of the same infant. The next
row after that says for how many answers the one before it stood (``repeated``). Everything else is written each time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

Watcher = tuple[str, ...]
"""Who watches, and how: what must be the same for a row to stand for another answer."""
Note = Mapping[str, str | int]
"""What a row says of the answers that it stands for."""

MOST_KEPT = 50_000


@dataclass(slots=True)
class _Standing:
    until: datetime
    repeated: int = 0


@dataclass(slots=True)
class Watching:
    """Which rows stand now, as this process knows: after a start none does. Safe to share between threads."""

    stands_for: timedelta = timedelta(seconds=60)
    _standing: dict[tuple[Watcher, str], _Standing] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def due(self, watcher: Watcher, infants: Iterable[str], *, now: datetime) -> dict[str, Note]:
        """The infants for whom a row is to be written before the answer is sent, each with what it is to say."""
        notes: dict[str, Note] = {}
        with self._lock:
            for infant in infants:
                standing = self._standing.get((watcher, infant))
                # One that begins after now was written by a clock that was ahead: it would stand until then.
                if standing is not None and standing.until - self.stands_for <= now < standing.until:
                    standing.repeated += 1
                else:
                    before = {"repeated": standing.repeated} if standing is not None else {}
                    notes[infant] = {"stands_until": (now + self.stands_for).isoformat(), **before}
        return notes

    def written(self, watcher: Watcher, infants: Iterable[str], *, now: datetime) -> None:
        """Says that the rows are in the trail."""
        with self._lock:
            if len(self._standing) > MOST_KEPT:
                self._standing = {key: one for key, one in self._standing.items() if now < one.until}
            for infant in infants:
                self._standing[watcher, infant] = _Standing(now + self.stands_for)
