"""What ``neopain bench aggregates`` measures, on a small ward."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from neopain.charting.api import sums_bench


@pytest.mark.usefixtures("own_database")
def test_an_hour_is_found_by_the_index_and_a_ward_is_written(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums_bench, "INFANTS", 1)

    measured = sums_bench.measure_sums(engine, rows=2400, searches=2)

    assert measured.rows == 2400
    assert measured.found == 500
    assert len(measured.searches_ms) == 2
    assert min(*measured.searches_ms, *measured.vitals_write_ms, *measured.scores_sum_ms) > 0
    assert "md5_begins_idx" in "\n".join(measured.plan)
    with engine.connect() as connection:
        written = connection.exec_driver_sql(
            "SELECT kind = 'score', count(*) FROM aggregates WHERE bed LIKE 'NEW/%%' GROUP BY 1 ORDER BY 1"
        ).all()
    assert [tuple(row) for row in written] == [(False, 20), (True, 3)]
