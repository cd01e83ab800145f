"""A session's vitals: in the order of time, with the baseline that scoring would have had."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from neopain.codecs.vitals_table import VitalRow, write_vitals
from neopain.domain.vitals import VitalKind
from neopain.errors import UnreadableRecording
from neopain.training.session_vitals import moment, read_session_vitals, session_vitals

HEART, SPO2, MEAN_PRESSURE = VitalKind.HEART_RATE, VitalKind.SPO2, VitalKind.BLOOD_PRESSURE_MEAN


def test_samples_are_in_the_order_of_time() -> None:
    vitals = session_vitals([VitalRow(9, HEART, 142), VitalRow(5, HEART, 138), VitalRow(7, HEART, 140)])
    assert [sample.value for sample in vitals.between(5, 7)] == [138, 140]
    assert vitals.samples[0].timing.aligned == moment(5)


def test_the_baseline_of_the_table_counts() -> None:
    rows = [VitalRow(second, HEART, 150) for second in range(300)]
    rows += [VitalRow(240, kind, value, is_baseline=True) for kind, value in ((HEART, 131.0), (SPO2, 96.0))]
    (baseline,) = session_vitals(rows).baselines_before(299)
    assert (baseline.computed, baseline.medians) == (moment(240), {HEART: 131.0, SPO2: 96.0})


@pytest.mark.parametrize(("second", "is_given"), [(119, False), (120, True), (300, True), (301, False)])
def test_a_baseline_of_the_table_counts_for_three_minutes_and_then_one_is_computed(second: int, is_given: bool) -> None:
    rows = [VitalRow(at, HEART, 130) for at in range(301)]
    rows.append(VitalRow(second, HEART, 150.0, is_baseline=True))
    (baseline,) = session_vitals(rows).baselines_before(300)
    assert baseline.medians == {HEART: 150.0 if is_given else 130.0}


@pytest.mark.parametrize("baseline", [[], [VitalRow(3590, HEART, 131.0, is_baseline=True)]])
@pytest.mark.parametrize(
    ("at", "value", "expected"), [(0, 38.0, 38.0), (2000, 38.0, 38.0), (2000, 900.0, None), (-1, 38.0, None)]
)
def test_the_newest_usable_pressure_of_the_last_hour_comes_with_it(
    baseline: list[VitalRow], at: int, value: float, expected: float | None
) -> None:
    rows = [VitalRow(second, HEART, 130) for second in range(3000, 3601)]
    (found,) = session_vitals([VitalRow(at, MEAN_PRESSURE, value), *rows, *baseline]).baselines_before(3600)
    assert (found.pressure and found.pressure.value) == expected


def test_a_baseline_is_computed_from_what_lies_before_the_window() -> None:
    rows = [VitalRow(second, HEART, 130 if second <= 270 else 190) for second in range(301)]
    (baseline,) = session_vitals(rows).baselines_before(300)
    assert (baseline.computed, baseline.medians) == (moment(300), {HEART: 130.0})


@pytest.mark.parametrize(("first", "count"), [(150, 1), (151, 0)])
def test_less_than_two_minutes_before_the_window_are_no_baseline(first: int, count: int) -> None:
    vitals = session_vitals([VitalRow(second, HEART, 130) for second in range(first, 301)])
    assert len(vitals.baselines_before(300)) == count


def test_a_table_that_cannot_be_read_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("seconds,kind,value,validity\n0,pulse,1,\n")
    with pytest.raises(UnreadableRecording, match=r"a\.csv: vitals line 2, column kind: 'pulse'"):
        read_session_vitals(tmp_path / "a.csv")


def test_a_table_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableRecording, match=r"gone\.csv: cannot be opened"):
        read_session_vitals(tmp_path / "gone.csv")


def test_a_table_of_other_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"seconds,kind,value,validity\n\xff")
    with pytest.raises(UnreadableRecording, match=r"a\.csv: "):
        read_session_vitals(tmp_path / "a.csv")


def test_a_table_that_was_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(write_vitals([VitalRow(1, HEART, 140)]))
    before = read_session_vitals(path).samples[0].value
    path.write_text(write_vitals([VitalRow(1, HEART, 150)]))
    os.utime(path, ns=(1, 1))
    assert (before, read_session_vitals(path).samples[0].value) == (140, 150)
