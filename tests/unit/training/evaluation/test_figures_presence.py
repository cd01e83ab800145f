import numpy as np

from neopain.training.figures.presence import missing, modalities, patterns
from neopain.training.predictions import Predictions


def test_patterns_are_told_with_most_present_first_and_those_not_asked_left_out(make_predictions, quick):
    asked = {name: make_predictions(infants=3, windows=2, pattern=name) for name in ("M", "FCPM", "CP")}
    assert list(patterns(asked, quick)) == ["FCPM", "CP", "M"]


def test_an_answer_that_is_not_finite_is_told_of_its_pattern(make_sample, make_answers, quick):
    sample = make_sample([1.0, 2.0], [1.0, float("nan")], patterns=["F", "F"])
    found = patterns({"F": Predictions(sample.windows, {"fusion": make_answers(sample)})}, quick)
    assert (found["F"]["windows"], found["F"]["not_finite"]) == (1, 1)


def test_the_rise_of_the_error_is_over_windows_that_both_have(make_sample, make_answers):
    whole = make_sample([1.0, 2.0], [2.0, 3.0])
    less = make_sample([1.0, 2.0, 9.0], [2.5, 3.5, 0.0], half_width=2.0)
    found = missing(
        {
            "FCPM": Predictions(whole.windows, {"fusion": make_answers(whole)}),
            "CPM": Predictions(less.windows, {"fusion": make_answers(less)}),
        }
    )
    assert list(found) == ["face"]
    assert found["face"] == {
        "windows": 2,
        "mae_with": 1.0,
        "mae_without": 1.5,
        "rise": 0.5,
        "width_with": 2.0,
        "width_without": 4.0,
    }


def test_attention_is_told_by_level_of_pain(make_sample, make_answers, quick):
    sample = make_sample([0.0, 2.8, 5.7, 10.0], [0.0] * 4)
    shares = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.3, 0.5], [0.0, 0.0, 1.0]])
    answers = make_answers(sample, attention=shares, by_modality=np.zeros((4, 3)))
    found = modalities(sample.windows, answers, quick)["attention"]
    assert found["low"] == {"windows": 2, "face": 0.75, "cry": 0.25, "vitals": 0.0}
    assert found["middle"]["vitals"] == 0.5
    assert found["high"]["windows"] == 1


def test_an_encoder_is_judged_where_it_had_something(make_sample, make_answers, quick):
    sample = make_sample([1.0, 5.0], [0.0, 0.0])
    scores = np.array([[2.0, np.nan, 1.0], [np.nan, np.nan, 1.0]])
    found = modalities(sample.windows, make_answers(sample, by_modality=scores), quick)["alone"]
    assert found["face"]["value"] == 1.0
    assert found["cry"]["value"] is None
    assert found["vitals"]["value"] == 2.0
