import numpy as np

from neopain.training.figures.doubt import abstention, intervals, sedation
from neopain.training.predictions import Predictions


def test_coverage_and_width_are_told_at_every_level(make_sample):
    found = intervals(make_sample([5.0, 5.6, 5.9, 9.0], [5.0] * 4, half_width=1.0), cutoff_nips=3.0)
    assert list(found["levels"]) == ["0.5", "0.8", "0.9", "0.95"]
    assert [node["coverage"]["value"] for node in found["levels"].values()] == [0.25, 0.5, 0.75, 0.75]
    assert [node["width"] for node in found["levels"].values()] == [1.0, 1.5, 2.0, 4.0]


def test_windows_with_pain_have_a_coverage_of_their_own(make_sample):
    # 3 of 7 NIPS points are 4.29 of 10: the last two are painful, and only one of them is in its interval.
    sample = make_sample([0.0, 4.2, 5.0, 9.0], [0.0, 4.2, 5.0, 5.0], half_width=1.0)
    found = intervals(sample, cutoff_nips=3.0)
    assert found["levels"]["0.9"]["coverage"]["value"] == 0.75
    assert found["with_pain"]["windows"] == 2
    assert found["with_pain"]["levels"]["0.9"]["coverage"]["value"] == 0.5


def test_doubt_that_knows_the_hard_windows_beats_one_width_for_all(make_sample):
    labels = [2.0, 2.0, 2.0, 2.0, 5.0, 9.0, 6.0, 10.0]
    sample = make_sample(labels, [2.0, 2.0, 2.0, 2.0, 7.5, 7.5, 7.5, 7.5])
    widths = np.array([0.01] * 4 + [2.0] * 4)[:, None]
    knowing = type(sample)(
        sample.windows, sample.scores[:, None] + widths * (sample.quantiles - sample.scores[:, None])
    )
    found = intervals(knowing, cutoff_nips=3.0)
    assert found["crps"] < found["crps_constant_width"]


def test_abstentions_are_counted_by_reason_the_most_frequent_first(make_sample, make_answers, quick):
    sample = make_sample([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 6.0])
    answers = make_answers(sample, abstained=("too-wide", "far", "far", ""))
    found = abstention(Predictions(sample.windows, {"fusion": answers}), "fusion", None, quick)
    assert (found["windows"], found["abstained"], found["share"]) == (4, 3, 0.75)
    assert list(found["reasons"].items()) == [("far", 2), ("too-wide", 1)]
    assert found["mae_answered"]["value"] == 2.0
    assert found["mae_abstained"]["value"] == 0.0


def test_windows_without_an_infant_are_counted_apart(make_sample, make_answers, quick):
    sample, empty = make_sample([1.0], [1.0]), make_sample([0.0, 0.0], [0.0, 0.0])
    rated = Predictions(sample.windows, {"fusion": make_answers(sample)})
    nobody = Predictions(empty.windows, {"fusion": make_answers(empty, abstained=("far", ""))})
    found = abstention(rated, "fusion", nobody, quick)
    assert found["share"] == 0.0
    assert found["without_infant"] == {"windows": 2, "abstained": 1, "share": 0.5, "reasons": {"far": 1}}


def test_an_answer_that_is_not_finite_is_counted(make_sample, make_answers, quick):
    sample = make_sample([1.0, 2.0], [1.0, float("nan")])
    found = abstention(Predictions(sample.windows, {"fusion": make_answers(sample)}), "fusion", None, quick)
    assert found["not_finite"] == 1
    assert found["mae_answered"]["value"] == 0.0


def test_the_sedation_axis_is_judged_where_it_was_rated(make_predictions, quick):
    made = make_predictions(infants=4, windows=3)
    answers = made.models["fusion"]
    found = sedation(made.windows, answers, quick)
    assert (found["infants"], found["windows"]) == (2, 6)
    assert found["pcc"]["value"] > 0.9
