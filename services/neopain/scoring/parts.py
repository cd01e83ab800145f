"""Where the time of one window goes, from the tick on the bus to the score on the bus."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from neopain.runtime.metrics import histogram

Part = Literal["queue", "read", "features", "inference", "publish"]


@dataclass(slots=True)
class Parts:
    """Seconds by part; each is also observed as ``scoring_<part>_seconds``. A part that is repeated adds up."""

    published_ms: int
    """When the tick was published: the time in its id."""
    seconds: dict[Part, float] = field(default_factory=dict)

    @classmethod
    def of_tick(cls, entry_id: str, taken: datetime) -> Parts:
        """Begins when the tick with that id was taken."""
        parts = cls(int(entry_id.partition("-")[0]))
        parts.add("queue", max(parts.since_published_ms(taken), 0.0) / 1000)
        return parts

    def since_published_ms(self, moment: datetime) -> float:
        """Milliseconds from the tick's publication to the moment."""
        return moment.timestamp() * 1000 - self.published_ms

    @contextmanager
    def measured(self, part: Part) -> Iterator[None]:
        """Measures what runs inside; also when it fails."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.add(part, time.perf_counter() - begin)

    def add(self, part: Part, seconds: float) -> None:
        """Adds to a part."""
        self.seconds[part] = self.seconds.get(part, 0.0) + seconds
        histogram(f"scoring_{part}_seconds").observe(seconds)

    def fields(self) -> dict[str, float]:
        """The parts as log fields, in ms."""
        return {f"{part}_ms": round(seconds * 1000, 1) for part, seconds in self.seconds.items()}
