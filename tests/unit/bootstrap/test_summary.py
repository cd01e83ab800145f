"""The figures of the demo's summary."""

from __future__ import annotations

from dataclasses import replace

from neopain.bootstrap.summary import Percentiles, Summary, percentiles

WHOLE = Summary(
    hl7_acknowledged=10,
    frames=10,
    audio_seconds=1.0,
    scores=1,
    abstained=0,
    missed=0,
    triton_inferences=1,
    entries=2,
    observations_in_ehr=2,
    beds=2,
    beds_charted=2,
    audit_verified=True,
    score_latency_ms=Percentiles(1.0, 1.0),
    weights="untrained",
)


def test_percentiles_are_nearest_rank() -> None:
    assert percentiles([float(n) for n in range(1, 101)]) == Percentiles(50.0, 95.0)


def test_percentiles_of_nothing_are_zero() -> None:
    assert percentiles([]) == Percentiles(0.0, 0.0)


def test_a_run_holds_when_each_bed_is_charted_and_the_audit_is_whole() -> None:
    assert WHOLE.holds


def test_a_run_with_one_bed_uncharted_does_not_hold() -> None:
    assert not replace(WHOLE, beds_charted=1).holds


def test_a_run_with_a_broken_audit_does_not_hold() -> None:
    assert not replace(WHOLE, audit_verified=False).holds


def test_a_run_without_beds_does_not_hold() -> None:
    assert not replace(WHOLE, beds=0, beds_charted=0).holds
