"""What the demo sees of the line at work: read from the bus, the database, the ward's status and Triton's metrics."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neopain.bootstrap.line import Line
from neopain.bus.bus import Bus
from neopain.bus.streams import SCORES
from neopain.charting.reading import EntryCounts, count_entries
from neopain.domain.identity import BedId
from neopain.domain.score import Outcome, Score
from neopain.wire.score import decode_score


@dataclass(slots=True)
class Observed:
    """What has been seen up to now. ``ward`` is the simulator's status file, the rest is the line's own."""

    ward: dict[str, Any] = field(default_factory=dict)
    newest: dict[BedId, Score] = field(default_factory=dict)
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    latencies_ms: list[float] = field(default_factory=list)
    entries: dict[BedId, EntryCounts] = field(default_factory=dict)

    @property
    def confirmed(self) -> int:
        """Entries that the EHR has given back."""
        return sum(counts.confirmed for counts in self.entries.values())


class Observer:
    """Looks at a line again and again; every look adds what is new."""

    def __init__(self, line: Line, ward_status: Path) -> None:
        self.line = line
        self.ward_status = ward_status
        self.observed = Observed()
        self._runner = asyncio.Runner()
        self._bus = Bus(line.bus_settings.address())
        self._last_id = "0"

    def look(self) -> Observed:
        """What has been seen up to now."""
        self._runner.run(self._read_scores())
        self.observed.ward = read_status(self.ward_status)
        self.observed.entries = count_entries(str(self.line.urls.database_reader_url))
        return self.observed

    def drain(self, *, seconds: float) -> Observed:
        """Looks until every entry is confirmed or the time is over, and closes its connections."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            observed = self.look()
            if all(counts.confirmed == counts.entries for counts in observed.entries.values()):
                break
            time.sleep(0.3)
        self._runner.run(self._bus.aclose())
        self._runner.close()
        return self.observed

    async def _read_scores(self) -> None:
        for entry in await self._bus.read_range(SCORES, first=f"({self._last_id}"):
            self._last_id = entry.id
            score = decode_score(entry.payload)
            self.observed.outcomes[score.outcome] += 1
            if score.outcome is Outcome.SCORED:
                self.observed.latencies_ms.append(score.latency_ms)
            known = self.observed.newest.get(score.bed)
            if known is None or score.window_end > known.window_end:
                self.observed.newest[score.bed] = score


def read_status(path: Path) -> dict[str, Any]:
    """The ward's status; empty until it has written one."""
    try:
        status: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return status


def inference_count(metrics_url: str, model: str) -> int:
    """How many inferences Triton itself counts for a model (``nv_inference_count``)."""
    with urllib.request.urlopen(metrics_url, timeout=5) as answer:  # noqa: S310 - our own Triton on loopback
        lines = answer.read().decode().splitlines()
    wanted = [line for line in lines if line.startswith("nv_inference_count{") and f'model="{model}"' in line]
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in wanted)
