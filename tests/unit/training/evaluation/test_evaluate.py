import json

import pytest

from neopain.errors import ConfigurationError
from neopain.training.evaluate import About, figures, headline
from neopain.training.predictions import Predictions

ABOUT = About(
    model="m-1", weights="untrained", engine="torch", data="made up", is_simulated=True, command="neopain evaluate"
)


def test_the_figures_are_json_without_nan(make_predictions, quick):
    found = figures(make_predictions(infants=3, windows=2), None, ABOUT, resampling=quick)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_figures_have_these_parts(make_predictions, quick):
    found = figures(make_predictions(infants=3, windows=2), None, ABOUT, resampling=quick)
    assert list(found) == [
        "schema", "about", "cohort", "raters", "accuracy", "bland_altman", "reliability", "decision", "intervals",
        "abstention", "sedation", "groups", "patterns", "missing", "modalities", "comparisons", "goals",
    ]  # fmt: skip


def test_one_window_of_one_infant_gives_figures_too(make_sample, make_answers, quick):
    sample = make_sample([3.0], [4.0])
    found = figures(Predictions(sample.windows, {"fusion": make_answers(sample)}), None, ABOUT, resampling=quick)
    assert found["accuracy"]["mae"]["value"] == 1.0
    assert found["accuracy"]["icc21"]["value"] is None
    assert json.dumps(found, allow_nan=False)


def test_the_same_predictions_and_seed_give_the_same_figures(make_predictions, quick):
    made = make_predictions(infants=5, windows=3)
    assert figures(made, None, ABOUT, resampling=quick) == figures(made, None, ABOUT, resampling=quick)


def test_abstained_windows_count_in_the_error(make_sample, make_answers, quick):
    sample = make_sample([1.0, 2.0], [1.0, 6.0])
    answers = make_answers(sample, abstained=("", "unlike-training-data"))
    found = figures(Predictions(sample.windows, {"fusion": answers}), None, ABOUT, resampling=quick)
    assert found["accuracy"]["mae"]["value"] == 2.0


def test_without_a_window_there_is_nothing_to_evaluate(quick):
    with pytest.raises(ConfigurationError, match="no rated window"):
        figures(Predictions((), {}), None, ABOUT, resampling=quick)


def test_the_headline_is_what_the_command_prints(make_predictions, quick):
    found = headline(figures(make_predictions(infants=6, windows=4), None, ABOUT, resampling=quick))
    assert list(found) == [
        "mae", "icc21", "coverage90", "width90", "wilcoxon_p_max", "abstained", "n_infants", "engine",
    ]  # fmt: skip
    assert (found["n_infants"], found["engine"]) == (6, "torch")
