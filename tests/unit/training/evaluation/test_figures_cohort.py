from neopain.training.figures.cohort import cohort
from neopain.training.figures.raters import raters


def test_infants_sessions_windows_and_patterns_are_counted(make_sample):
    sample = make_sample([0.0, 10.0, 5.0], [0.0, 0.0, 0.0], subjects=["a", "a", "b"], patterns=["FCPM", "F", "FCPM"])
    found = cohort(sample.windows, without_infant=4)
    assert (found["infants"], found["sessions"], found["windows"], found["windows_without_infant"]) == (2, 2, 3, 4)
    assert found["patterns"] == {"FCPM": 2, "F": 1}
    assert (found["label"]["mean"], found["label"]["sd"]) == (5.0, 5.0)


def test_the_histogram_has_a_bar_for_every_half_nips_point(make_sample):
    labels = [0.0, 0.5 * 10 / 7, 0.5 * 10 / 7, 10.0]
    histogram = cohort(make_sample(labels, labels).windows, without_infant=0)["label"]["histogram"]
    assert len(histogram["values"]) == 15
    assert histogram["counts"] == [1, 2, *[0] * 12, 1]


def test_raters_are_compared_with_each_other_and_the_model_with_one_of_them(make_sample, quick):
    sample = make_sample([1.0, 6.0], [1.0, 6.0], ratings=[(0.0, 2.0), (5.0, 7.0)])
    found = raters(sample, quick)
    assert found["between"]["mae"]["value"] == 2.0
    assert found["model_to_one"]["mae"]["value"] == 1.0


def test_one_rater_cannot_be_compared(make_sample, quick):
    found = raters(make_sample([1.0, 6.0], [1.0, 6.0], ratings=[(1.0,), (6.0,)]), quick)
    assert found["count"] == 1
    assert found["between"]["icc21"] == {"value": None, "low": None, "high": None}
    assert found["model_to_one"]["kappa"]["value"] is None


def test_windows_with_an_unusual_number_of_raters_are_left_out(make_sample, quick):
    ratings = [(0.0, 1.0), (2.0, 3.0), (9.0, 1.0, 5.0)]
    found = raters(make_sample([0.5, 2.5, 5.0], [0.0, 0.0, 0.0], ratings=ratings), quick)
    assert (found["count"], found["windows"]) == (2, 2)
    assert found["between"]["mae"]["value"] == 1.0
