"""The vitals table: what is written is read back, baselines among it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.codecs.vitals_table import BASELINE_KINDS, VitalRow, read_vitals, write_vitals
from neopain.domain.vitals import Validity, VitalKind
from neopain.errors import ConfigurationError

TEXT = """seconds,kind,value,validity
0,heart_rate,142,
0.25,movement,0.031,questionable
-60.5,spo2,,invalid
60,baseline_heart_rate,138.5,
"""


def test_rows_are_values_and_baselines() -> None:
    assert read_vitals(TEXT) == (
        VitalRow(0.0, VitalKind.HEART_RATE, 142.0),
        VitalRow(0.25, VitalKind.MOVEMENT, 0.031, Validity.QUESTIONABLE),
        VitalRow(-60.5, VitalKind.SPO2, math.nan, Validity.INVALID),
        VitalRow(60.0, VitalKind.HEART_RATE, 138.5, is_baseline=True),
    )


def test_a_written_table_has_the_documented_columns() -> None:
    assert write_vitals(read_vitals(TEXT)) == TEXT


def test_an_implausible_value_is_an_artefact_and_no_error() -> None:
    (row,) = read_vitals("seconds,kind,value,validity\n1,rr_interval,2400,good\n")
    assert row.value == 2400.0


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("0,pulse,142,", "vitals line 2, column kind: 'pulse': expected one of heart_rate"),
        ("0,baseline_movement,0.1,", "column kind: 'baseline_movement'"),
        ("0,heart_rate,,", "column value: '': must not be empty"),
        ("1700000000000,heart_rate,140,", "seconds from the start of the session; are these milliseconds?"),
        ("-6e10,heart_rate,140,", "column seconds: '-6e10': is more than 5e"),
        ("0,heart_rate,---,", "column value: '---': '---' is not a number"),
        ("inf,heart_rate,142,", "column seconds: 'inf'"),
        ("0,heart_rate,142,ok", "column validity: 'ok': expected good, questionable, invalid"),
        ("0,baseline_spo2,97,invalid", "column validity: 'invalid': a baseline is good"),
        ("0,heart_rate,142", "vitals line 2: 3 cells, the header has 4"),
    ],
)
def test_a_wrong_row_is_refused_with_its_place(line: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read_vitals(f"seconds,kind,value,validity\n{line}\n")
    assert told in str(refusal.value)


@pytest.mark.parametrize(
    "row",
    [
        VitalRow(0.0, VitalKind.HEART_RATE, math.nan),
        VitalRow(math.inf, VitalKind.HEART_RATE, 140.0),
        VitalRow(0.0, VitalKind.MOVEMENT, 0.5, is_baseline=True),
    ],
)
def test_a_row_that_the_reader_would_refuse_is_not_written(row: VitalRow) -> None:
    with pytest.raises(ConfigurationError):
        write_vitals([row])


numbers = st.floats(allow_nan=False, allow_infinity=False)
times = st.floats(-5e10, 5e10)
values = st.builds(VitalRow, times, st.sampled_from(VitalKind), numbers, st.sampled_from(Validity))
unknown = st.builds(VitalRow, times, st.sampled_from(VitalKind), st.just(math.nan), st.just(Validity.INVALID))
baselines = st.builds(VitalRow, times, st.sampled_from(BASELINE_KINDS), numbers, is_baseline=st.just(True))


@given(st.lists(values | unknown | baselines).map(tuple))
def test_what_is_written_is_read_back(rows: tuple[VitalRow, ...]) -> None:
    assert read_vitals(write_vitals(rows)) == rows
