import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from neopain.bootstrap.evaluated_model import EvaluatedModel, find_model
from neopain.codecs.calibration import calibration_to_json
from neopain.domain.annotation import Availability, Recorded, Segment, Subject
from neopain.domain.calibration import POOLED, Margins, identity
from neopain.errors import ConfigurationError
from neopain.models.checkpoint import Checkpoint, save_checkpoint
from neopain.models.config import NetConfig
from neopain.training.fingerprints import fingerprints, noted

COHORT = {"folder": "c", "digest": "ab12", "windows": 5, "dataset": {"simulator": "1", "seed": 11}}


@pytest.fixture
def run(tmp_path):
    """The folder of a finished training, without weights in it."""
    about = {"weights": "trained on the simulator", "seed": 3, "data": [COHORT]}
    save_checkpoint(tmp_path / "run-3" / "checkpoint.pt", Checkpoint(NetConfig(), {}, about))
    return tmp_path / "run-3"


@pytest.fixture
def repository(tmp_path):
    """A folder with a model file alone."""
    fields = {
        "name": "m-1",
        "weights": "trained on the simulator",
        "digest": "0123456789abcdef",
        "seed": 4,
        "config": json.loads(NetConfig().to_json()),
        "precision": {"fusion_head": "float"},
        "tolerance": {"mean": 0.05, "p99": 0.15},
        "reached": {"mean": 0.01, "p99": 0.02},
        "about": {"checkpoint": {"data": [COHORT]}},
    }
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps(fields))
    return folder


def test_a_run_is_known_by_its_checkpoint_and_runs_in_torch(run):
    model = find_model(run, None)
    assert (model.name, model.engine, model.weights) == ("run-3", "torch", "trained on the simulator")
    assert find_model(run / "checkpoint.pt", "torch") == model


def test_a_repository_is_known_by_its_model_file_and_runs_in_openvino(repository):
    model = find_model(repository, None)
    assert (model.name, model.engine) == ("m-1", "openvino")
    assert find_model(repository, "triton").engine == "triton"
    assert model.facts()["precision"] == '{"fusion_head": "float"}'


def test_the_seeds_of_simulated_cohorts_are_found_wherever_they_are_noted(run, repository):
    assert find_model(run, None).simulated_seeds() == {11}
    assert find_model(repository, None).simulated_seeds() == {11}


def prepared(digest, segments=()):
    """Windows of whom nothing is asked but whose they are."""
    return SimpleNamespace(folder=Path(digest), segments=segments)


def test_windows_that_went_into_a_model_are_refused(run, repository, tmp_path):
    for place in (run, repository):
        find_model(place, None).require_strangers(prepared("cd34"), tmp_path)
        with pytest.raises(ConfigurationError, match=r"the infants of .* went into"):
            find_model(place, None).require_strangers(prepared("ab12"), tmp_path)


def test_infants_that_went_into_a_model_are_known_again_in_other_windows(repository, tmp_path):
    (tmp_path / "a.csv").write_bytes(np.random.default_rng(1).bytes(5000))
    heard = Segment(Subject("a", "n"), "s", "1", 0, 30, {Recorded.VITALS: Availability("a.csv")}, ())
    strangers = replace(heard, subject=Subject("b", "n"), recorded={})
    path = repository / "model.json"
    fields = json.loads(path.read_text())
    fields["about"]["checkpoint"]["data"][0] |= noted(fingerprints([heard], tmp_path))
    path.write_text(json.dumps(fields))

    find_model(repository, None).require_strangers(prepared("cd34", [strangers]), tmp_path)
    with pytest.raises(ConfigurationError, match=r"1 of the 1 infants of .* went into m-1"):
        find_model(repository, None).require_strangers(prepared("cd34", [heard, strangers]), tmp_path)


def test_who_calibrated_a_model_did_not_teach_it(repository, tmp_path):
    path = repository / "model.json"
    fields = json.loads(path.read_text())
    fields["about"]["calibrated_on"] = {"windows": 5, "digest": "cd34", "simulator": "1", "seed": 12}
    path.write_text(json.dumps(fields))
    model = find_model(repository, None)
    assert model.simulated_seeds() == {11, 12}
    assert model.without_calibration().simulated_seeds() == {11}
    model.without_calibration().require_strangers(prepared("cd34"), tmp_path)
    with pytest.raises(ConfigurationError, match="went into"):
        model.require_strangers(prepared("cd34"), tmp_path)


def test_who_calibrated_the_model_of_the_encoders_may_calibrate_what_came_of_them(repository, tmp_path):
    path = repository / "model.json"
    fields = json.loads(path.read_text())
    calibrated = {"seed": 3, "calibrated_on": {"windows": 5, "digest": "cd34", "simulator": "1", "seed": 12}}
    fields["about"]["began_with"] = {"encoders": {"about": calibrated}}
    path.write_text(json.dumps(fields))
    model = find_model(repository, None).without_calibration()
    assert model.simulated_seeds() == {11}
    model.require_strangers(prepared("cd34"), tmp_path)


def test_an_engine_that_cannot_run_the_model_is_refused(run, repository):
    with pytest.raises(ConfigurationError, match="is a checkpoint: export it first"):
        find_model(run, "triton")
    with pytest.raises(ConfigurationError, match="is a model repository: give --engine openvino or triton"):
        find_model(repository, "torch")


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="is no model"):
        find_model(tmp_path, None)
    with pytest.raises(ConfigurationError, match="is no model"):
        find_model(tmp_path / "nothing.pt", None)


def test_a_checkpoint_without_a_calibration_says_what_its_nets_say(run):
    model = find_model(run, None)
    assert model.calibration() == identity()
    assert model.calibrated() == "none: quantiles are said as the nets give them"


def calibrated(run, fitted_for):
    fitted = replace(identity(), margins={POOLED: Margins((0.1, 0.2, 0.3, 0.4), 30)}, seed=7, fitted_for=fitted_for)
    (run / "calibration.json").write_text(calibration_to_json(fitted))
    (run / "calibrated_on.json").write_text(json.dumps({"fitted_for": fitted_for, "simulator": "1", "seed": 12}))
    return fitted


def test_a_calibration_beside_the_checkpoint_is_used_and_whom_it_knows_is_remembered(run):
    fitted = calibrated(run, find_model(run, None).fitted_as)
    model = find_model(run, None)
    assert model.calibration() == fitted
    assert model.calibrated() == "calibration.json of the model, fitted to 30 other infants (seed 7)"
    assert (model.simulated_seeds(), model.without_calibration().simulated_seeds()) == ({11, 12}, {11})


@pytest.mark.parametrize(
    ("fitted_for", "told"), [("", "an unknown checkpoint"), ("checkpoint-0123456789ab", "checkpoint-0123456789ab")]
)
def test_a_calibration_of_another_checkpoint_is_refused(run, fitted_for, told):
    calibrated(run, fitted_for)
    model = find_model(run, None)
    assert model.simulated_seeds() == {11}
    with pytest.raises(ConfigurationError, match=rf"was fitted for {told}, this is {model.fitted_as}: calibrate it"):
        model.calibration()


def test_a_note_of_a_calibration_that_cannot_be_read_is_named(run):
    (run / "calibrated_on.json").write_text("[")
    with pytest.raises(ConfigurationError, match=r"calibrated_on\.json cannot be read as JSON .* calibrate again"):
        find_model(run, None)


def test_a_calibration_that_cannot_be_used_is_named(run):
    (run / "calibration.json").write_text("{}")
    with pytest.raises(ConfigurationError, match=r"calibration\.json cannot be used"):
        find_model(run, None).calibration()


def test_trained_nets_that_are_served_need_a_calibration(repository):
    with pytest.raises(ConfigurationError, match="calibrate it"):
        find_model(repository, None).calibration()


def test_a_model_without_baselines_has_none_and_a_named_run_must_have_them(run, tmp_path):
    model: EvaluatedModel = find_model(run, None)
    assert model.baselines(None) == {}
    with pytest.raises(ConfigurationError, match=r"baselines\.pt does not exist"):
        model.baselines(tmp_path)
