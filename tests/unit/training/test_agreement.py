"""Agreement of raters over the segments of a manifest."""

from __future__ import annotations

import numpy as np
import pytest

from neopain.domain.annotation import Rating, Scale, Segment, Subject
from neopain.errors import ConfigurationError
from neopain.training.agreement import Agreement, agreement
from neopain.training.rating_table import check_threshold, rating_table, scale_named

SCORES = [(0, 0), (1, 1), (2, 3), (3, 3), (7, 6), (7, 7), (4, 2), (0, 1)]


def segment(number: int, *, infant: str = "", scale: Scale = Scale.NIPS, **scores: float) -> Segment:
    ratings = tuple(Rating(scale, rater, score) for rater, score in scores.items())
    subject = Subject(infant or f"inf-{number // 2}", "north")
    return Segment(subject, "s1", f"seg-{number}", 0.0, 10.0, {}, ratings)


def two_raters() -> list[Segment]:
    return [segment(number, anna=first, bert=second) for number, (first, second) in enumerate(SCORES)]


def found(segments: list[Segment], threshold: float = 1.0) -> Agreement:
    return agreement(rating_table(segments, Scale.NIPS), threshold=threshold, resamples=200)


def test_raters_stand_in_alphabetical_order_and_an_absent_score_is_nan() -> None:
    table = rating_table([segment(1, bert=2.0, anna=1.0), segment(2, anna=3.0)], Scale.NIPS)
    assert table.raters == ("anna", "bert")
    assert np.array_equal(table.scores, [[1.0, 2.0], [3.0, np.nan]], equal_nan=True)


def test_a_pair_is_compared_over_the_segments_that_both_rated() -> None:
    pair = found([*two_raters(), segment(20, anna=5.0), segment(21, bert=0.0)]).pairs[0]
    assert (pair.raters, pair.n_segments, pair.n_infants) == (("anna", "bert"), 8, 4)
    assert pair.icc_agreement.by_f.value == pytest.approx(0.93758, abs=5e-6)
    assert (pair.mean_difference, pair.mean_absolute_difference) == (-0.125, 0.625)
    assert pair.share_within_threshold == 0.875


def test_intervals_of_a_pair_hold_their_values() -> None:
    pair = found(two_raters()).pairs[0]
    for figure in (pair.kappa_linear, pair.kappa_quadratic, pair.icc_agreement.by_infant, pair.icc_consistency.by_f):
        assert figure.low <= figure.value <= figure.high


def test_the_same_manifest_gives_the_same_figures() -> None:
    assert found(two_raters()) == found(two_raters())


def test_a_segment_rated_once_is_counted_and_not_compared() -> None:
    result = found([*two_raters(), segment(20, anna=5.0)])
    assert (result.n_segments, result.n_rated_once, result.overall.n_segments) == (9, 1, 8)


def test_a_rater_of_a_few_segments_narrows_only_what_all_raters_rated() -> None:
    result = found([*two_raters(), segment(20, anna=5.0, bert=1.0, cora=3.0)])
    assert (result.overall.n_segments, result.overall.n_rated_by_all) == (9, 1)
    assert np.isnan(result.overall.icc_agreement.by_f.value)
    assert result.overall.icc_one_way.value == pytest.approx(0.81661, abs=5e-6)


def test_raters_who_share_no_segment_make_no_pair() -> None:
    result = found([*two_raters(), segment(20, bert=1.0, cora=3.0)])
    assert [pair.raters for pair in result.pairs] == [("anna", "bert"), ("bert", "cora")]


def test_other_scales_do_not_count() -> None:
    sedation = segment(30, scale=Scale.NPASS_SEDATION, anna=-5.0, bert=-1.0)
    assert found([*two_raters(), sedation]).n_segments == 8


def test_good_agreement_has_no_shortfall() -> None:
    assert found(two_raters()).shortfalls == ()


def test_poor_agreement_is_told_with_its_limit() -> None:
    poor = [segment(number, anna=number % 8, bert=(5 * number) % 8) for number in range(16)]
    assert "anna and bert: ICC(2,1) 0.25 is below 0.75" in found(poor).shortfalls


def test_a_figure_that_cannot_be_computed_is_told() -> None:
    same = [segment(number, anna=0.0, bert=0.0) for number in range(4)]
    told = "anna and bert: quadratic kappa cannot be computed: too few segments, or every score is the same"
    assert told in found(same).shortfalls


@pytest.mark.parametrize(
    ("segments", "words"),
    [
        ([], "no segments"),
        ([segment(1)], "no ratings at all"),
        ([segment(1, scale=Scale.NPASS_PAIN, a=1.0, b=2.0)], "none; it has ratings on N-PASS pain"),
        ([segment(1, anna=1.0), segment(2, anna=2.0)], r"one rater only \(anna\)"),
        ([segment(1, anna=1.0), segment(2, bert=2.0)], "no segment has NIPS ratings of two raters: anna, bert"),
        ([segment(1, anna=1.0, resolved=1.0)], "resolved already"),
    ],
)
def test_where_there_is_nothing_to_compare_it_says_why(segments: list[Segment], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        rating_table(segments, Scale.NIPS)


def test_an_unknown_scale_is_named_beside_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"'PIPP' is not known.*'NIPS', 'N-PASS pain', 'N-PASS sedation'"):
        scale_named("PIPP")


@pytest.mark.parametrize("threshold", [-1.0, 7.5, float("nan"), float("inf")])
def test_a_threshold_off_the_scale_is_refused(threshold: float) -> None:
    with pytest.raises(ConfigurationError, match="expected 0 to 7 on NIPS"):
        check_threshold(threshold, Scale.NIPS)
