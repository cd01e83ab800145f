"""What ``neopain bench charting`` measures of searches, on few Observations."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from neopain.charting.api.search_bench import SEARCHED, fill_entries, measure_searches


@pytest.mark.usefixtures("own_database")
def test_searches_find_by_indexes_and_a_walk_is_told(owner_engine: Engine) -> None:
    fill_entries(owner_engine, rows=12_000)

    measured = {one.query: one for one in measure_searches(owner_engine, times=1)}

    assert set(measured) == set(SEARCHED)
    assert measured["an infant's last day"].found == 96
    assert measured["an infant's, counted"].found == 120
    assert {one.query for one in measured.values() if one.found == 0 or not one.indexes} == set()
    assert "entries_of_patient_id" in measured["an infant's newest"].indexes
    assert [one.query for one in measured.values() if one.walked] == []

    with owner_engine.begin() as connection:
        connection.execute(text("DROP INDEX entries_of_patient_id"))
    (without,) = measure_searches(owner_engine, times=1, names=["an infant's, counted"])
    assert without.walked == ["entries"]
