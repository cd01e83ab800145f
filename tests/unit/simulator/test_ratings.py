"""What raters write down."""

from __future__ import annotations

from statistics import fmean

import numpy as np
import pytest

from neopain.domain.annotation import SCALE_RANGES, Scale
from neopain.simulator.behaviour import Behaviour
from neopain.simulator.condition import Condition, Sedation
from neopain.simulator.course import PainCourse
from neopain.simulator.infant import SimulatedInfant, simulated_infant
from neopain.simulator.ratings import Observed, observed, ratings
from neopain.simulator.vitals import Vitals

LATE_IN_THE_LANCE = 20.0
NOTHING = Observed(0, 0, 0, 0, 0, 0, 0, 0)
EVERYTHING = Observed(1, 1, 1, 1, 1, 1, 1, 0)


def scores(infant: SimulatedInfant, seen: Observed, scale: Scale) -> list[float]:
    return [rating.score for rating in ratings(infant, seen, occasion=1) if rating.scale is scale]


def seen_of(infant: SimulatedInfant, sedation: Sedation) -> Observed:
    condition = Condition(PainCourse(time_scale=2.0), sedation=sedation)
    return observed(Behaviour(infant, condition), Vitals(infant, condition), 2 * LATE_IN_THE_LANCE)


def test_an_infant_that_does_nothing_scores_nothing(infant: SimulatedInfant) -> None:
    assert scores(infant, NOTHING, Scale.NIPS) == [0.0, 0.0]


def test_an_infant_that_does_everything_scores_seven(infant: SimulatedInfant) -> None:
    assert scores(infant, EVERYTHING, Scale.NIPS) == [7.0, 7.0]


def test_a_very_early_infant_in_pain_has_one_point_more_on_npass() -> None:
    early = next(one for one in (simulated_infant(1, n) for n in range(1, 99)) if one.gestational_age_weeks < 30)
    term = next(one for one in (simulated_infant(1, n) for n in range(1, 99)) if one.gestational_age_weeks > 37)

    assert scores(early, EVERYTHING, Scale.NPASS_PAIN) == [11.0, 11.0]
    assert scores(term, EVERYTHING, Scale.NPASS_PAIN) == [10.0, 10.0]


def test_raters_see_no_pain_in_a_paralysed_infant(infant: SimulatedInfant) -> None:
    assert scores(infant, seen_of(infant, Sedation.NONE), Scale.NIPS)[0] >= 5.0
    assert scores(infant, seen_of(infant, Sedation.PARALYSED), Scale.NIPS) == [0.0, 0.0]


def test_a_paralysed_infant_is_deeply_sedated_on_its_own_axis(infant: SimulatedInfant) -> None:
    assert max(scores(infant, seen_of(infant, Sedation.PARALYSED), Scale.NPASS_SEDATION)) <= -7.0
    assert scores(infant, seen_of(infant, Sedation.NONE), Scale.NPASS_SEDATION) == [0.0, 0.0]


def test_every_score_is_the_sum_of_its_items_and_lies_on_its_scale(infant: SimulatedInfant) -> None:
    half = Observed(0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5)
    for rating in ratings(infant, half, occasion=3):
        low, high = SCALE_RANGES[rating.scale]
        assert low <= rating.score <= high
        assert rating.score - sum(rating.items.values()) in (0.0, 1.0)


def test_raters_differ_where_an_item_is_in_doubt(infant: SimulatedInfant) -> None:
    doubtful = Observed(0.42, 0.5, 0.42, 0.42, 0.42, 0.52, 0.5, 0.0)
    pairs = [
        [rating.score for rating in ratings(infant, doubtful, occasion=n) if rating.scale is Scale.NIPS]
        for n in range(60)
    ]
    difference = fmean(abs(one - other) for one, other in pairs)

    assert 0.5 < difference < 2.5


def test_the_same_occasion_is_judged_the_same(infant: SimulatedInfant) -> None:
    seen = Observed(*np.full(8, 0.45))
    assert ratings(infant, seen, occasion=5) == ratings(infant, seen, occasion=5)


@pytest.mark.parametrize("item", ["face", "cry", "breathing", "arms", "legs", "arousal"])
def test_each_item_of_nips_comes_from_what_it_names(infant: SimulatedInfant, item: str) -> None:
    only = Observed(**{**dict.fromkeys(Observed.__slots__, 0.0), item: 1.0})
    first = next(rating for rating in ratings(infant, only, occasion=1) if rating.scale is Scale.NIPS)
    assert [name for name, points in first.items.items() if points] == [item]
