"""What simulated windows show, and the command that says how well they can be scored."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from neopain.bootstrap.bound import command
from neopain.bootstrap.bound.command import BoundOptions, run_bound
from neopain.bootstrap.bound.shown import shown
from neopain.cli import run
from neopain.domain.annotation import Availability
from neopain.features.movement import MovementMeter
from neopain.simulator import cohort
from neopain.simulator.behaviour import Signs
from neopain.simulator.infant import simulated_infant
from neopain.simulator.scene import Scene
from neopain.simulator.view import View
from neopain.training.targets import label_of

SEED = 3
INTUBATED_AFTER_SURGERY, ON_CPAP = 21, 11


@pytest.fixture(scope="module")
def intubated():
    return shown(SEED, [INTUBATED_AFTER_SURGERY])


@pytest.fixture(scope="module")
def on_cpap():
    return shown(SEED, [ON_CPAP])


def test_windows_and_labels_are_those_of_the_cohort(intubated, monkeypatch, tmp_path):
    monkeypatch.setattr(cohort, "_video", lambda *_: Availability(path="not-drawn"))
    monkeypatch.setattr(cohort, "movement_rows", lambda *_: [])
    monkeypatch.setattr(cohort.RecordedBed, "_audio", lambda *_, **__: Availability(path="not-heard"))
    monkeypatch.setattr(View, "frames", lambda *_: [])
    monkeypatch.setattr(View, "empty_frames", lambda *_: [])

    segments = cohort.write_infant(tmp_path, SEED, INTUBATED_AFTER_SURGERY)

    assert intubated.labels.tolist() == pytest.approx([label_of(one) for one in segments if one.has_infant])
    assert {one.session for one in segments} == {"procedures", "postoperative"}


def test_nobody_hears_an_intubated_infant_or_sees_it_breathe(intubated):
    breath = intubated.signs["P"][:, -6:]
    assert np.isnan(intubated.signs["C"]).all()
    assert np.isnan(breath).all()
    assert np.isfinite(intubated.signs["F"]).all()


def test_an_infant_on_cpap_is_heard_and_breathes_by_itself(on_cpap):
    assert np.isfinite(on_cpap.signs["C"]).all()
    assert np.isfinite(on_cpap.signs["P"]).all()


def test_perfect_devices_tell_numbers_and_their_baselines_instead_of_what_drives_them(on_cpap):
    heart, baseline = on_cpap.devices["P"][:, 0], on_cpap.devices["P"][:, -3]
    rest = simulated_infant(SEED, ON_CPAP).physiology.heart_rate_bpm
    assert np.median(baseline) == pytest.approx(rest, abs=20)
    assert heart.max() > heart.min() + 10
    assert on_cpap.signs["P"][:, :12].max() <= 1.0


def test_movement_tells_arms_and_hardly_legs():
    still = Signs(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0), (0.0, 0.0), 0.0)
    scene, start = Scene(simulated_infant(SEED, ON_CPAP)), datetime(2026, 1, 1, tzinfo=UTC)

    def told(limb: str) -> float:
        meter = MovementMeter()
        meter.measure(scene.outline(still), start)
        moved = scene.outline(replace(still, **{limb: (0.3, -0.3)}))
        return meter.measure(moved, start + timedelta(seconds=0.25))

    assert told("arms") > 0.5
    assert told("legs") < told("arms") / 20


def test_the_command_tells_both_kinds_of_readers(capsys):
    assert run_bound(BoundOptions(5, infants=2, learn_infants=4, workers=1, resamples=20, as_json=True)) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["learnt_from"]["infants"] == 4
    assert [list(found[view]["missing"]) for view in ("signs", "devices")] == [
        ["face", "cry", "physiology", "movement"]
    ] * 2


def test_a_person_reads_errors_by_support_and_rises_in_percent(capsys, monkeypatch):
    error = {"mae": {"value": 0.648, "low": 0.592, "high": 0.707}, "by_support": {"cpap": 0.64, "intubated": None}}
    view = {"patterns": {"CPM": error}, "missing": {"cry": {"value": -0.004, "low": -0.02, "high": 0.021}}}
    monkeypatch.setattr(command, "_found", lambda _: {"signs": view, "devices": view})

    run_bound(BoundOptions(5))

    assert capsys.readouterr().out.splitlines()[:3] == [
        "MAE of 10, readers of what the infants do",
        "CPM   0.65 (0.59 to 0.71)  cpap 0.64",
        "without cry: 0 % (-2 to 2 %) more",
    ]


def test_infants_that_teach_do_not_judge(capsys):
    assert run(["simulate", "bound", "--seed", "5", "--learn-seed", "5"]) == 2
    assert "give another --learn-seed" in capsys.readouterr().err


def test_a_pattern_that_is_none_is_refused(capsys):
    assert run(["simulate", "bound", "--seed", "5", "--pattern", "CF"]) == 2
    assert "'CF' is no presence pattern, expected one of FCPM" in capsys.readouterr().err
