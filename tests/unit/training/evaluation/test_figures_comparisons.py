from neopain.training.figures.comparisons import UNCALIBRATED, comparisons
from neopain.training.predictions import Predictions


def test_every_baseline_is_compared_infant_by_infant(make_predictions, quick):
    found = comparisons(make_predictions(), {"face": {"trials": 3, "budget": "4 min"}}, quick)
    assert list(found["baselines"]) == ["face", "cry", "vitals", "early-fusion", "late-fusion", "ridge"]
    face = found["baselines"]["face"]
    assert face["p_holm"] < 0.001
    assert face["median_difference"] > 0
    assert (face["trials"], face["budget"]) == (3, "4 min")


def test_the_largest_p_is_that_of_the_baseline_that_is_hardest_to_beat(make_predictions, quick):
    close = make_predictions(infants=10, errors={"fusion": 1.0, "close": 1.0, "far": 4.0})
    found = comparisons(close, {}, quick)
    assert found["p_max"] == found["baselines"]["close"]["p_holm"]
    assert found["p_max"] > 0.01


def test_raw_answers_are_compared_where_they_are_there(make_sample, make_answers, quick):
    calibrated, raw, other = (make_sample([1.0, 2.0], scores) for scores in ([1.0, 2.0], [2.0, 3.0], [3.0, 4.0]))
    models = {"fusion": make_answers(calibrated), UNCALIBRATED: make_answers(raw), "other": make_answers(other)}
    found = comparisons(Predictions(raw.windows, models), {}, quick)
    assert found["reference"] == UNCALIBRATED
    assert found["fusion"]["mae"]["value"] == 1.0
    assert found["baselines"]["other"]["median_difference"] == 1.0
    assert list(found["baselines"]) == ["other"]


def test_without_baselines_there_is_no_largest_p(make_sample, make_answers, quick):
    sample = make_sample([1.0, 2.0], [1.0, 2.0])
    found = comparisons(Predictions(sample.windows, {"fusion": make_answers(sample)}), {}, quick)
    assert (found["p_max"], found["baselines"]) == (None, {})
