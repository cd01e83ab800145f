"""Connections: what the database refuses is told without the values that were to be written."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, insert
from sqlalchemy.exc import DataError

from neopain.charting.tables import CENSUS_FACTS


def test_a_refused_statement_is_told_without_patient_data(engine: Engine) -> None:
    fact = {"fact_id": "x" * 41, "bed": "NICU/1/1", "effective": "2026-10-05", "arrived": "2026-10-05"}

    with pytest.raises(DataError) as refused, engine.begin() as connection:
        connection.execute(insert(CENSUS_FACTS).values({**fact, "held_reason": "", "state": {"mrn": "MRN-4711"}}))

    assert "census_facts" in str(refused.value)
    assert "MRN-4711" not in str(refused.value)
