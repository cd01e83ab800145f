"""What ratings ask of a model."""

from __future__ import annotations

import math

import numpy as np

from neopain.domain.annotation import Rating, Scale, Segment, Subject
from neopain.domain.score import Modality, Presence
from neopain.training.targets import codes_of, items_of, label_of, pattern_of, rated_window, sedation_of

RATINGS = (
    Rating(Scale.NIPS, "zoe", 7.0, {"face": 1.0, "cry": 2.0}),
    Rating(Scale.NIPS, "ann", 3.5, {"face": 0.0}),
    Rating(Scale.NPASS_SEDATION, "ann", -2.0),
    Rating(Scale.NPASS_SEDATION, "zoe", -3.0),
    Rating(Scale.NPASS_PAIN, "ann", 9.0),
)


def segment(*ratings: Rating, **facts: object) -> Segment:
    return Segment(Subject("i1", "north", 200), "s1", "seg", 0, 30, {}, ratings, **facts)


def test_the_label_is_the_mean_of_the_raters_nips_on_0_to_10() -> None:
    assert label_of(segment(*RATINGS)) == 7.5


def test_the_sedation_label_is_the_mean_of_the_raters_npass_sedation() -> None:
    assert sedation_of(segment(*RATINGS)) == -2.5


def test_what_nobody_rated_is_nan() -> None:
    unrated = segment()
    assert [math.isnan(value) for value in (label_of(unrated), sedation_of(unrated))] == [True, True]
    assert np.isnan(items_of(unrated)).all()
    assert np.isnan(codes_of(unrated)).all()


def test_an_item_is_the_mean_over_those_who_noted_it() -> None:
    assert np.array_equal(items_of(segment(*RATINGS)), [0.5, 2.0, *[np.nan] * 4], equal_nan=True)


def test_codes_are_in_the_order_of_the_table() -> None:
    coded = segment(codes={"mouth_open": 0.25, "brow_bulge": 1.0, "chin_quiver": 1.0})
    assert np.array_equal(codes_of(coded), [1.0, np.nan, np.nan, 0.25], equal_nan=True)


def test_the_pattern_names_the_present_modalities_in_order() -> None:
    present = [Presence(one, one is not Modality.CRY) for one in reversed(Modality)]
    assert pattern_of(present) == "FPM"


def test_a_rated_window_carries_each_rater_by_name_and_the_groups() -> None:
    window = rated_window(segment(*RATINGS, procedure="heel lance"), "FCP")
    assert (window.label, window.ratings, window.sedation_label) == (7.5, (5.0, 10.0), -2.5)
    assert (window.subject, window.session, window.segment, window.end_seconds) == ("i1", "s1", "seg", 30)
    assert window.groups == {
        "ga_band": "28-31",
        "sex": "unknown",
        "skin_tone": "unknown",
        "illness": "unknown",
        "site": "north",
        "procedure": "heel lance",
        "sedation": "unknown",
        "support": "unknown",
    }


def test_an_unrated_window_has_no_sedation_label() -> None:
    assert rated_window(segment(), "F").sedation_label is None
