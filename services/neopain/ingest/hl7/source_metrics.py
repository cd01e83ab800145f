"""What Prometheus is told of each source; a bounded number of names and reasons, all others together as ``other``."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from neopain.domain.cadence import Cadence
from neopain.domain.identity import SourceId
from neopain.domain.receipt import Receipt
from neopain.runtime.metrics import counted, gauged

MOST_SOURCES = 200
MOST_REASONS = 50
OTHER = "other"
_REPETITION = re.compile(r"\[\d+\]")


def rule_of(reason: str) -> str:
    """The code and the place of a receipt's reason, without the number of the segment: ``102 OBX-5``."""
    return _REPETITION.sub("", reason.partition(":")[0])


@dataclass(slots=True)
class SourceMetrics:
    """Counts receipts by source."""

    cadences: dict[SourceId, Cadence] = field(default_factory=dict)
    names: dict[SourceId, str] = field(default_factory=dict)
    reasons: set[str] = field(default_factory=set)

    def count(self, receipts: Sequence[Receipt]) -> None:
        """Counts receipts, oldest first, each to be given once."""
        of_source: defaultdict[SourceId, list[Receipt]] = defaultdict(list)
        for receipt in receipts:
            of_source[receipt.source].append(receipt)
        for source, own in of_source.items():
            self._count(source, own)

    def _count(self, source: SourceId, receipts: list[Receipt]) -> None:
        name = self._name(source)
        for answer, times in Counter(one.answer for one in receipts).items():
            counted("ingest_source_messages_total", name, answer).inc(times)
        for reason, times in Counter(one.reason for one in receipts if one.reason).items():
            counted("ingest_source_rejects_total", name, self._reason(reason)).inc(times)
        took = sum(one.took.total_seconds() for one in receipts)
        counted("ingest_source_acknowledgement_seconds_total", name).inc(took)
        gauged("ingest_source_last_heard_seconds", name).set(receipts[-1].received.timestamp())
        if delays := [one.delay for one in receipts if one.delay is not None]:
            gauged("ingest_source_delay_seconds", name).set(min(delays).total_seconds())
        if name != OTHER:
            cadence = self.cadences.setdefault(source, Cadence())
            gaps = [cadence.observe(one.received) for one in receipts if one.numerics]
            counted("ingest_source_gaps_total", name).inc(sum(gap is not None for gap in gaps))

    def _name(self, source: SourceId) -> str:
        if source not in self.names:
            if len(self.names) >= MOST_SOURCES:
                return OTHER
            self.names[source] = source.name
        return self.names[source]

    def _reason(self, reason: str) -> str:
        rule = rule_of(reason)
        if rule not in self.reasons:
            if len(self.reasons) >= MOST_REASONS:
                return OTHER
            self.reasons.add(rule)
        return rule
