"""Windows kept in short: the same ends and names come out again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from neopain.domain.identity import BedId, PatientId
from neopain.domain.runs import Run, runs_of
from neopain.domain.score import ModelVersion, Outcome, Score, Weights

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ANNA, BERT = PatientId("1", "HOSP"), PatientId("2", "HOSP")
SECOND = timedelta(seconds=1)


def window(second: float, *named: PatientId) -> Score:
    end = NOON + timedelta(seconds=second)
    model = ModelVersion("m1", Weights.UNTRAINED)
    return Score(BedId("NICU/1/A"), end, Outcome.MISSED, model, (), end, patients=named)


def test_a_quarter_of_an_hour_of_windows_is_one_run() -> None:
    assert runs_of(window(second, ANNA) for second in range(1, 901)) == (Run(NOON + SECOND, SECOND, 900, (ANNA,)),)


def test_another_name_begins_another_run() -> None:
    runs = runs_of([window(1), window(2), window(3, BERT), window(4)])

    assert [(run.count, run.named) for run in runs] == [(2, ()), (1, (BERT,)), (1, ())]


def test_a_window_that_two_models_scored_counts_once() -> None:
    again = replace(window(2), model=ModelVersion("m2", Weights.SITE))

    assert runs_of([window(1), window(2), again]) == (Run(NOON + SECOND, SECOND, 2),)


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from([(), (ANNA,), (BERT,)])), max_size=40))
def test_every_window_comes_out_again(seen: list[tuple[int, tuple[PatientId, ...]]]) -> None:
    runs = runs_of(window(second, *named) for second, named in seen)

    again = [((end - NOON) // SECOND, run.named) for run in runs for end in run.ends()]
    assert len(again) == len(set(again))
    assert set(again) == set(seen)


@given(st.integers(1, 5), st.integers(1, 9), st.integers(-3, 60))
def test_the_first_window_from_a_moment_on(step: int, count: int, moment: int) -> None:
    run = Run(NOON, step * SECOND, count)

    expected = next((end for end in run.ends() if end >= NOON + moment * SECOND), None)
    assert run.first_from(NOON + moment * SECOND) == expected
