import numpy as np
import pytest

from neopain.training.figures.accuracy import accuracy, decision, limits_of_agreement, reliability, whole_points


def test_errors_are_those_of_the_medians(make_sample, quick):
    found = accuracy(make_sample([0.0, 5.0, 10.0], [1.0, 5.0, 8.0]), quick)
    assert found["mae"]["value"] == 1.0
    assert found["rmse"]["value"] == 1.29099
    assert found["bias"]["value"] == -0.33333
    assert found["calibration_in_the_large"]["value"] == 0.33333


def test_a_constant_offset_lowers_agreement_but_not_consistency(make_sample, quick):
    found = accuracy(make_sample([0.0, 2.0, 4.0, 6.0], [1.0, 3.0, 5.0, 7.0]), quick)
    assert found["icc31"]["value"] == 1.0
    assert found["icc21"]["value"] == pytest.approx(0.93023, abs=1e-5)


def test_the_interval_is_over_infants(make_sample, quick):
    one_infant = accuracy(make_sample([1.0, 2.0], [1.0, 4.0], subjects=["a", "a"]), quick)
    assert one_infant["mae"] == {"value": 1.0, "low": None, "high": None}
    two_infants = accuracy(make_sample([1.0, 2.0], [1.0, 4.0], subjects=["a", "b"]), quick)
    assert (two_infants["mae"]["low"], two_infants["mae"]["high"]) == (0.0, 2.0)


def test_half_a_nips_point_is_rounded_up():
    assert whole_points(np.array([0.0, 0.71, 0.715, 4.2857, 5.0, 10.0])).tolist() == [0, 0, 1, 3, 4, 7]


def test_limits_of_agreement_enclose_the_bias(make_sample, quick):
    found = limits_of_agreement(
        make_sample([1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 4.0, 4.0], subjects=["a", "a", "b", "b"]), quick
    )
    assert found["bias"]["value"] == 0.5
    assert found["low"]["value"] == pytest.approx(0.5 - 1.96 * 0.70711, abs=1e-4)
    assert found["sd_between"] == 0.0


def test_pain_is_a_label_above_the_cut_off_and_not_on_it(make_sample, quick):
    found = decision(make_sample([3 * 10 / 7, 3.5 * 10 / 7, 0.0], [9.0, 9.0, 0.0]), quick, cutoff_nips=3.0)
    assert found["positives"] == 1
    assert found["cutoff"] == 4.28571
    assert found["sensitivity"]["value"] == 1.0
    assert found["specificity"]["value"] == 0.5


def test_one_class_alone_has_no_roc(make_sample, quick):
    found = decision(make_sample([0.0, 1.0], [0.0, 1.0]), quick, cutoff_nips=3.0)
    assert found["auc"]["value"] is None
    assert found["roc"] == {"false_alarms": [], "sensitivity": []}


def test_the_roc_begins_and_ends_in_the_corners(make_sample, quick):
    roc = decision(make_sample([0.0, 1.0, 6.0, 7.0], [0.0, 5.0, 4.0, 9.0]), quick, cutoff_nips=3.0)["roc"]
    assert (roc["false_alarms"][0], roc["sensitivity"][0]) == (0.0, 0.0)
    assert (roc["false_alarms"][-1], roc["sensitivity"][-1]) == (1.0, 1.0)


def test_a_label_on_a_quantile_is_not_below_it(make_sample, quick):
    found = reliability(make_sample([5.0, 5.0, 6.0, 4.0], [5.0, 5.0, 5.0, 5.0]), quick)
    median = found["levels"].index(0.5)
    assert found["below"][median] == 0.25
    assert found["at_or_below"][median] == 0.75


def test_bins_hold_windows_with_neighbouring_scores(make_sample, quick):
    labels = [float(row) / 2 for row in range(20)]
    bins = reliability(make_sample(labels, labels), quick)["bins"]
    assert [one["windows"] for one in bins] == [2] * 10
    assert bins[0]["score"] == 0.25
    assert bins[0]["label"]["value"] == 0.25
