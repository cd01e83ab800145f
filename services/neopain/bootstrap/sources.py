"""Who sends HL7, and how well: ``neopain sources``. Read from the receipts of every listener, so that none need run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from neopain.bootstrap.dead_letters import on_bus
from neopain.bootstrap.summary import nearest_rank
from neopain.bus.bus import Bus
from neopain.bus.receipts import last_heard, read_receipts
from neopain.domain.cadence import Cadence
from neopain.domain.identity import BedId, SourceId
from neopain.domain.receipt import REPLAYED, UNANSWERED, Receipt
from neopain.domain.time import SkewEstimate
from neopain.ingest.hl7.source_metrics import rule_of
from neopain.runtime.clock import SystemClock


@dataclass(slots=True)
class SourceReport:
    """One source in the time looked at. ``last_heard`` may be from long before it; the rest is empty then."""

    source: SourceId
    last_heard: datetime | None = None
    messages: int = 0
    unanswered: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    gaps: list[timedelta] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)
    cadence: Cadence = field(default_factory=Cadence)
    clocks: dict[BedId, SkewEstimate] = field(default_factory=dict)

    def add(self, receipt: Receipt) -> None:
        """Takes the next receipt, oldest first; what a person replayed is none of its source's doing."""
        if receipt.answer == REPLAYED:
            return
        self.messages += 1
        self.last_heard = max(receipt.received, self.last_heard or receipt.received)
        if receipt.answer == UNANSWERED:
            self.unanswered += 1
            return
        self.took_ms.append(receipt.took.total_seconds() * 1000)
        if receipt.reason:
            self.rejects[rule_of(receipt.reason)] += 1
        if receipt.numerics and (gap := self.cadence.observe(receipt.received)) is not None:
            self.gaps.append(gap)
        if receipt.delay is not None and receipt.numerics:
            clock = self.clocks.setdefault(receipt.numerics[0].bed, SkewEstimate())
            clock.observe(received=receipt.received, source=receipt.received - receipt.delay)

    @property
    def skew(self) -> timedelta | None:
        """Of its beds' clocks the one that is furthest off; behind ours is positive."""
        return max((skew for one in self.clocks.values() if (skew := one.skew) is not None), key=abs, default=None)

    def is_silent(self, now: datetime) -> bool:
        """Whether its vitals have been away for longer than usual."""
        return self.cadence.last is not None and self.cadence.is_gap(now - self.cadence.last)

    def as_fields(self, now: datetime, minutes: float) -> dict[str, object]:
        """What is told of it."""
        took, skew = sorted(self.took_ms), self.skew
        return {
            "source": str(self.source),
            "last_heard": self.last_heard.isoformat() if self.last_heard else None,
            "silent_seconds": round((now - self.last_heard).total_seconds(), 1) if self.last_heard else None,
            "is_silent": self.is_silent(now),
            "minutes": minutes,
            "messages": self.messages,
            "per_minute": round(self.messages / minutes, 1),
            "gaps": len(self.gaps),
            "longest_gap_seconds": round(max(self.gaps).total_seconds(), 1) if self.gaps else None,
            "clock_skew_seconds": round(skew.total_seconds(), 3) if skew is not None else None,
            "acknowledgement_ms_p50": nearest_rank(took, 0.5) if took else None,
            "acknowledgement_ms_p99": nearest_rank(took, 0.99) if took else None,
            "rejected": sum(self.rejects.values()),
            "rejected_by_rule": dict(self.rejects.most_common()),
            "unanswered": self.unanswered,
        }


def list_sources(*, minutes: float, as_json: bool) -> int:
    """Prints each source that any listener heard, the one heard last in front."""
    now = SystemClock().now()

    async def read(bus: Bus) -> list[SourceReport]:
        heard = await last_heard(bus)
        return await reported(heard, read_receipts(bus, since=now - timedelta(minutes=minutes)))

    rows = [one.as_fields(now, minutes) for one in on_bus(read)]
    lines = [json.dumps(row) for row in rows] if as_json else _as_table(rows)
    for line in lines:
        print(line)
    return 0


async def reported(heard: dict[SourceId, datetime], receipts: AsyncIterator[Receipt]) -> list[SourceReport]:
    """The reports of all sources, the one heard last in front."""
    reports = {source: SourceReport(source, moment) for source, moment in heard.items()}
    async for receipt in receipts:
        reports.setdefault(receipt.source, SourceReport(receipt.source)).add(receipt)
    return sorted(reports.values(), key=lambda one: (one.last_heard is not None, one.last_heard), reverse=True)


COLUMNS = {
    "source": "source",
    "last heard": "last_heard",
    "silent s": "silent_seconds",
    "per min": "per_minute",
    "gaps": "gaps",
    "longest s": "longest_gap_seconds",
    "clock s": "clock_skew_seconds",
    "ack ms p50": "acknowledgement_ms_p50",
    "p99": "acknowledgement_ms_p99",
    "unanswered": "unanswered",
    "rejected": "rejected_by_rule",
}


def _as_table(rows: list[dict[str, object]]) -> list[str]:
    cells = [list(COLUMNS), *([_cell(name, row[name]) for name in COLUMNS.values()] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(COLUMNS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def _cell(name: str, value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{rule} x{times}" for rule, times in value.items()) or "0"
    return str(value)[:19].replace("T", " ") + "Z" if name == "last_heard" else str(value)
