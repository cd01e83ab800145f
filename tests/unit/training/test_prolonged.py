"""The aggregator of prolonged pain against raters of made-up courses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neopain.domain.annotation import Rating, Scale, Segment, Subject
from neopain.domain.prolonged import LEAST_MOMENTS
from neopain.errors import ConfigurationError
from neopain.features.signature import QUANTILES
from neopain.training.conformal import margin
from neopain.training.predictions import ModelPredictions
from neopain.training.prolonged import fit, looks_of, prolonged_figures

LOOKS, STEP = 24, 450.0


def course(number: int, *, hours: bool = True, sedation: str = "none") -> tuple[list[Segment], np.ndarray]:
    """An infant whose pain ebbs, rated at each look; and what a model says of the looks, half of it hidden by drugs."""
    rng = np.random.default_rng(number)
    pain = rng.uniform(4, 9) * np.exp(-np.arange(LOOKS) / rng.uniform(8, 30))
    segments = []
    for look, level in enumerate(pain):
        end = (look + 1) * (STEP if hours else 20.0)
        ratings = tuple(Rating(Scale.NPASS_PAIN, rater, float(round(level))) for rater in ("a", "b"))
        subject = Subject(f"i{number}", "site")
        segments.append(Segment(subject, "s", f"{number}-{look}", end - 30.0, end, {}, ratings, sedation=sedation))
    shown = pain * (0.5 if sedation != "none" else 1.0)
    return segments, np.clip(shown + rng.normal(0, 1.2, LOOKS), 0, 10)


def answers(values: np.ndarray, sedation: np.ndarray, abstained: tuple[str, ...] | None = None) -> ModelPredictions:
    quantiles = np.clip(values[:, None] + np.linspace(-1.5, 1.5, len(QUANTILES)), 0, 10)
    three = np.full((len(values), 3), np.nan)
    return ModelPredictions(quantiles, sedation, np.zeros(len(values)), three, three, abstained or ("",) * len(values))


def cohort(numbers: range) -> tuple[list[Segment], ModelPredictions]:
    """Every other infant is sedated, and the model knows it."""
    parts = [course(n, sedation="light sedation" if n % 2 else "none") for n in numbers]
    segments = [segment for some, _ in parts for segment in some]
    sedation = np.array([-5.0 if segment.sedation != "none" else 0.0 for segment in segments])
    return segments, answers(np.concatenate([values for _, values in parts]), sedation)


def test_it_comes_nearer_to_the_raters_than_the_newest_score_and_the_plain_mean() -> None:
    aggregator = fit(looks_of(*cohort(range(40))))
    found = prolonged_figures(aggregator, looks_of(*cohort(range(100, 140))))

    assert found["mae"] < 0.8 * found["mae_newest_score"]
    assert found["mae"] < found["mae_mean_of_hour"]
    assert found["icc21"] > 0.8
    assert found["coverage90"] == pytest.approx(0.9, abs=0.06)


def test_the_margin_is_that_of_errors_on_infants_whom_the_fit_did_not_know() -> None:
    looks = [look for look in looks_of(*cohort(range(9))) if len(look.moments) >= LEAST_MOMENTS]
    others = {one: fit([look for look in looks if look.subject != one]) for one in {look.subject for look in looks}}
    errors = []
    for look in looks:
        estimate = others[look.subject].estimate(look.moments)
        assert estimate is not None
        errors.append(abs(estimate.value - look.target))
    _, infants = np.unique([look.subject for look in looks], return_inverse=True)

    assert fit(looks).margin == pytest.approx(margin(np.array(errors), infants, level=0.9))


def test_a_look_whose_newest_moment_is_old_is_not_learnt_from() -> None:
    looks = looks_of(*cohort(range(10)))
    old = replace(
        looks[-1], moments=tuple(replace(one, age_seconds=one.age_seconds + 1000) for one in looks[-1].moments)
    )

    assert fit([*looks[:-1], old]) == fit(looks[:-1])


def test_sedation_that_hides_signs_raises_what_is_told() -> None:
    assert fit(looks_of(*cohort(range(40)))).sedation_gain < -0.1


def test_a_session_of_minutes_is_no_course() -> None:
    segments, values = course(1, hours=False)
    assert looks_of(segments, answers(values, np.zeros(LOOKS))) == []


def test_an_abstained_window_is_no_moment() -> None:
    segments, values = course(1)
    last = looks_of(segments, answers(values, np.zeros(LOOKS), ("unlike-training-data",) * LOOKS))[-1]
    assert last.moments == ()


def test_the_target_is_the_raters_mean_over_the_last_hour() -> None:
    segments, values = course(1)
    looks = looks_of(segments, answers(values, np.zeros(LOOKS)))
    hour = [rating.score for segment in segments[4:13] for rating in segment.ratings]
    assert looks[12].target == pytest.approx(sum(hour) / len(hour))


def test_too_few_courses_cannot_be_fitted() -> None:
    with pytest.raises(ConfigurationError, match="4 infants have a course of hours, fitting needs 5"):
        fit(looks_of(*cohort(range(4))))


def test_what_there_is_nothing_to_tell_from_is_none() -> None:
    aggregator = fit(looks_of(*cohort(range(40))))
    segments, values = course(2)
    found = prolonged_figures(aggregator, looks_of(segments, answers(values, np.zeros(LOOKS))))

    assert found["mae_sedated"] is None
    assert found["mae_awake"] == found["mae"]


def test_courses_of_which_nothing_can_be_told_give_no_figures() -> None:
    aggregator = fit(looks_of(*cohort(range(40))))
    segments, values = course(1)
    silent = looks_of(segments, answers(values, np.zeros(LOOKS), ("x",) * LOOKS))
    assert prolonged_figures(aggregator, silent) == {"n_looks": 24, "n_told": 0}
