import json

import pytest

from neopain.bootstrap import evaluated_data
from neopain.bootstrap.evaluated_data import cohort, own_data
from neopain.errors import ConfigurationError
from neopain.training.leg import Silent


def test_a_data_set_is_a_folder_with_a_manifest(tmp_path):
    with pytest.raises(ConfigurationError, match=r"holds no manifest\.csv"):
        own_data(tmp_path)


def test_a_data_set_of_ones_own_is_not_simulated(tmp_path):
    (tmp_path / "manifest.csv").write_text("")
    data = own_data(tmp_path)
    assert (data.is_simulated, data.simulated_seed) == (False, None)
    assert data.text == f"Data set '{tmp_path.name}'"


def test_a_simulated_data_set_is_known_by_its_notes(tmp_path):
    (tmp_path / "manifest.csv").write_text("")
    (tmp_path / "dataset.json").write_text(json.dumps({"simulator": "1", "seed": 5}))
    data = own_data(tmp_path)
    assert (data.is_simulated, data.simulated_seed) == (True, 5)


def test_notes_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "manifest.csv").write_text("")
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"dataset\.json cannot be read"):
        own_data(tmp_path)


def test_a_cohort_is_made_once(tmp_path, monkeypatch):
    made = []

    def write(folder, *, seed, infants, workers, told):
        made.append((seed, infants))
        folder.mkdir()
        (folder / "manifest.csv").write_text("")

    monkeypatch.setattr(evaluated_data, "write_cohort", write)
    first = cohort(tmp_path, seed=7, infants=3, told=Silent())
    again = cohort(tmp_path, seed=7, infants=3, told=Silent())
    assert made == [(7, 3)]
    assert first == again
    assert (first.simulated_seed, first.name) == (7, "cohort-s7-n3")


def test_another_simulator_makes_another_cohort(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluated_data, "write_cohort", lambda folder, **_: folder.mkdir())
    folders = []
    for digest in ("a" * 64, "b" * 64):
        monkeypatch.setattr(evaluated_data, "sources_digest", lambda digest=digest: digest)
        folders.append(cohort(tmp_path, seed=7, infants=3, told=Silent()).folder)
    assert folders[0] != folders[1]
