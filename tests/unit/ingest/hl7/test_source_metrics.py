"""Counts by source: however many send, and whatever they break, the number of series is bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prometheus_client import REGISTRY

from neopain.domain.identity import BedId, SourceId
from neopain.domain.receipt import Receipt, Stored
from neopain.ingest.hl7.source_metrics import MOST_REASONS, MOST_SOURCES, SourceMetrics, rule_of

NOON = datetime(2026, 7, 4, 12, tzinfo=UTC)


def receipt(source: str, *, second: float = 0, reason: str = "") -> Receipt:
    moment = NOON + timedelta(seconds=second)
    return Receipt(
        source=SourceId("hl7", source),
        control_id="1",
        received=moment,
        size_bytes=10,
        message_type="ORU^R01",
        answer="AE" if reason else "AA",
        took=timedelta(milliseconds=2),
        reason=reason,
        delay=timedelta(seconds=1.5),
        stored=() if reason else (Stored(BedId("1"), "1-0", True, moment, moment),),
    )


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"neopain_ingest_source_{name}", labels)


def test_messages_gaps_and_clock_of_a_source_are_counted() -> None:
    metrics = SourceMetrics()
    metrics.count([receipt("counted", second=second) for second in (0, 1, 2, 60)])
    metrics.count([receipt("counted", second=61, reason="102 OBX[7]-5: a number")])
    assert value("messages_total", source="counted", answer="AA") == 4
    assert value("rejects_total", source="counted", rule="102 OBX-5") == 1
    assert value("gaps_total", source="counted") == 1
    assert value("delay_seconds", source="counted") == 1.5
    assert value("last_heard_seconds", source="counted") == NOON.timestamp() + 61
    assert value("acknowledgement_seconds_total", source="counted") == 0.01


def test_sources_and_rules_beyond_the_bound_count_together() -> None:
    metrics = SourceMetrics()
    metrics.count([receipt(f"bounded-{number}") for number in range(MOST_SOURCES + 10)])
    metrics.count([receipt("bounded-0", reason=f"102 X{number}-1: x") for number in range(MOST_REASONS + 10)])
    assert value("messages_total", source="other", answer="AA") == 10
    assert value("rejects_total", source="bounded-0", rule="other") == 10


def test_a_rule_is_the_code_and_the_place_without_the_segments_number() -> None:
    assert rule_of("102 OBX[12]-5: a number is expected") == "102 OBX-5"
