"""Every metric stands in the table, once."""

from __future__ import annotations

import pytest

from neopain.runtime.metrics import METRICS, counter, gauge, histogram

SERVICES = {"ingest", "scoring", "charting", "dashboard", "simulator", "runtime"}


def test_no_two_metrics_share_a_name() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_each_name_begins_with_its_service() -> None:
    assert {metric.name.split("_")[0] for metric in METRICS} <= SERVICES


def test_counters_and_only_they_end_in_total() -> None:
    assert all((metric.kind == "counter") == metric.name.endswith("_total") for metric in METRICS)


def test_a_metric_is_made_once() -> None:
    assert counter("scoring_ticks_total") is counter("scoring_ticks_total")


def test_a_metric_is_asked_for_as_what_it_is() -> None:
    with pytest.raises(TypeError, match="scoring_ticks_total is no histogram"):
        histogram("scoring_ticks_total")
    with pytest.raises(TypeError, match="scoring_ticks_total is no gauge"):
        gauge("scoring_ticks_total")


def test_a_metric_that_is_not_in_the_table_cannot_be_used() -> None:
    with pytest.raises(KeyError):
        counter("scoring_surprises_total")
