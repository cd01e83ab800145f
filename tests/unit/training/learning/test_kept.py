"""What a run keeps on disk: curves, states of stages, rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from neopain.errors import ConfigurationError
from neopain.training.curve import Curve
from neopain.training.leg import Leg, LegOver, Silent
from neopain.training.rows import KeptRows, Rows, rows_in_memory
from neopain.training.stage_file import load_stage, save_stage

SHAPES = {"a": ((2,), np.float32), "b": ((), np.int16)}


def numbers(rows: range) -> Rows:
    return {"a": np.array([[row, -row] for row in rows]), "b": np.array(rows)}


def test_a_curve_goes_on_after_the_step_that_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "curves" / "face.csv"
    curve = Curve(path)
    curve.begin(0)
    for step in (10, 20, 30):
        curve.add({"step": step, "seconds": 1.5, "lr": 0.001, "loss": 2.0})
    Curve(path).begin(20)
    assert path.read_text() == "step,seconds,lr,loss,tune_mae\n10,1.5,0.001,2,\n20,1.5,0.001,2,\n"


def test_a_row_that_was_being_written_at_a_kill_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "face.csv"
    path.write_text("step,seconds,lr,loss,tune_mae\n10,1,0.001,2,\n20,1,0.0")
    Curve(path).begin(100)
    assert path.read_text() == "step,seconds,lr,loss,tune_mae\n10,1,0.001,2,\n"


def test_the_state_of_a_stage_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "stages" / "face.pt"
    save_stage(path, {"step": 3, "nets": {"w": torch.tensor([1.5])}})
    found = load_stage(path)
    assert found is not None
    assert found["step"] == 3
    assert found["nets"]["w"].tolist() == [1.5]


def test_a_stage_that_was_never_saved_has_no_state(tmp_path: Path) -> None:
    assert load_stage(tmp_path / "face.pt") is None


def test_a_kill_while_saving_leaves_the_state_before(tmp_path: Path) -> None:
    path = tmp_path / "face.pt"
    save_stage(path, {"step": 3})
    (tmp_path / ".face.pt.part").write_bytes(path.read_bytes()[:100])
    found = load_stage(path)
    assert found is not None
    assert found["step"] == 3


def test_another_file_in_the_place_of_a_state_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "face.pt"
    torch.save({"step": 3}, path)
    with pytest.raises(ConfigurationError, match=r"face.pt is no 'neopain stage 1': delete it"):
        load_stage(path)


def test_rows_that_a_leg_left_open_are_computed_in_the_next_and_no_others(
    tmp_path: Path, counted_leg: Callable[[int], Leg]
) -> None:
    asked: list[range] = []

    def compute(rows: range) -> Rows:
        asked.append(rows)
        return numbers(rows)

    kept = KeptRows(tmp_path / "rows", SHAPES, 5, key="k")
    with pytest.raises(LegOver):
        kept.fill(compute, at_once=2, leg=counted_leg(1), told=Silent())
    found = KeptRows(tmp_path / "rows", SHAPES, 5, key="k").fill(compute, at_once=2, leg=Leg(), told=Silent())
    assert asked == [range(2), range(2, 4), range(4, 5)]
    assert found["a"].tolist() == [[0, 0], [1, -1], [2, -2], [3, -3], [4, -4]]
    assert found["b"].tolist() == [0, 1, 2, 3, 4]


def test_rows_of_something_else_are_computed_anew(tmp_path: Path) -> None:
    KeptRows(tmp_path / "rows", SHAPES, 2, key="old").fill(numbers, at_once=2, leg=Leg(), told=Silent())

    def others(rows: range) -> Rows:
        return {name: array + 7 for name, array in numbers(rows).items()}

    found = KeptRows(tmp_path / "rows", SHAPES, 3, key="new").fill(others, at_once=2, leg=Leg(), told=Silent())
    assert found["b"].tolist() == [7, 8, 9]


def test_rows_in_memory_are_the_same() -> None:
    found = rows_in_memory(SHAPES, 3, numbers, at_once=2)
    assert found["a"].dtype == np.float32
    assert found["b"].tolist() == [0, 1, 2]
