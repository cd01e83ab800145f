from __future__ import annotations

import csv
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from neopain.errors import ConfigurationError
from neopain.training.config import Steps
from neopain.training.leg import Leg, LegOver
from neopain.training.loop import run_stage
from neopain.training.machine import Batch
from neopain.training.stage import Workplace

PLAN = Steps(steps=40, batch=8, lr=0.05, warmup=0.1, average=0.9, check_every=10, patience=100, weight_decay=0.0)

Work = Callable[..., Workplace]


class Line:
    """Learns y = 3 x - 1 with a little dropout, so that chance plays a part; says so in ``mae``."""

    name = "line"

    def __init__(self, plan: Steps = PLAN) -> None:
        torch.manual_seed(0)
        self.plan = plan
        self.nets = nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.1), nn.Linear(8, 1))
        self.pause = 0.0
        self.maes: list[float] = []
        self.begun = self.settled = 0

    def read(self, unit: int) -> Batch:
        x = torch.from_numpy(np.random.default_rng(unit).normal(size=(self.plan.batch, 1)).astype(np.float32))
        return {"x": x, "y": 3 * x - 1}

    def loss(self, batch: Batch) -> Tensor:
        time.sleep(self.pause)
        out: Tensor = self.nets(batch["x"])
        return (out - batch["y"]).square().mean()

    def begin(self) -> None:
        self.begun += 1

    def check(self) -> float:
        x = torch.linspace(-1, 1, 5)[:, None]
        mae = float((self.nets(x) - (3 * x - 1)).abs().mean().detach())
        return self.maes.pop(0) if self.maes else mae

    def settle(self) -> None:
        self.settled += 1


def weights(stage: Line) -> list[float]:
    return torch.cat([each.flatten() for each in stage.nets.state_dict().values()]).tolist()


def rows(place: Workplace) -> list[dict[str, str]]:
    with (place.folder / "curves" / "line.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_stage_learns_and_says_how_well(place: Workplace) -> None:
    stage = Line(replace(PLAN, steps=300))
    before = stage.check()
    figures = run_stage(stage, place)
    assert figures["steps"] == 300
    assert figures["tune_mae"] < 0.2 < before


def test_a_stage_that_was_interrupted_ends_with_the_same_weights(
    tmp_path: Path, work_in: Work, counted_leg: Callable[[int], Leg]
) -> None:
    whole = Line()
    run_stage(whole, work_in(tmp_path / "whole"))
    with pytest.raises(LegOver):
        run_stage(Line(), work_in(tmp_path / "legs", counted_leg(17)))
    resumed = Line()
    run_stage(resumed, work_in(tmp_path / "legs"))
    assert weights(resumed) == weights(whole)


KILLED = """
import sys
from pathlib import Path
import torch
sys.path.insert(0, {here!r})
import test_loop
from neopain.training.leg import Leg, Silent
from neopain.training.loop import run_stage
from neopain.training.stage import Workplace
from neopain.training.machine import Machine
torch.set_num_threads(1)
stage = test_loop.Line()
stage.pause = 0.02
place = Workplace(Machine(torch.device("cpu"), None), Leg(), Silent(), Path({folder!r}), seed=3, readers=1,
                  save_seconds=0.0)
run_stage(stage, place)
"""


def test_a_stage_whose_process_was_killed_ends_with_the_same_weights(tmp_path: Path, work_in: Work) -> None:
    folder = tmp_path / "killed"
    source = KILLED.format(here=str(Path(__file__).parent), folder=str(folder))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", source], env=env) as process:
        wait_for_row(folder / "curves" / "line.csv", step=10)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    whole, resumed = Line(), Line()
    run_stage(whole, work_in(tmp_path / "whole"))
    figures = run_stage(resumed, work_in(folder))
    assert figures["steps"] == 40
    assert resumed.begun == 0
    assert weights(resumed) == weights(whole)
    steps = [int(row["step"]) for row in rows(work_in(folder))]
    assert steps == sorted(set(steps))
    assert steps[-1] == 40


def wait_for_row(path: Path, *, step: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if path.exists() and f"\n{step}," in path.read_text():
            return
        time.sleep(0.01)
    pytest.fail(f"{path} has no row of step {step} after a minute")


def test_a_finished_stage_is_not_trained_again(place: Workplace) -> None:
    first, again = Line(), Line()
    figures = run_stage(first, place)
    assert run_stage(again, place) == figures
    assert weights(again) == weights(first)
    assert (again.begun, again.settled) == (0, 0)


def test_the_best_weights_are_kept_and_not_the_last(place: Workplace) -> None:
    stage = Line(replace(PLAN, steps=30))
    stage.maes = [2.0, 1.0, 3.0]
    run_stage(stage, place)
    at_best = Line(replace(PLAN, steps=30))
    at_best.maes = [2.0, 1.0, 0.5]
    run_stage(at_best, replace(place, folder=place.folder / "other"))
    assert weights(stage) != weights(at_best)


def test_a_stage_stops_when_it_gets_no_better(place: Workplace) -> None:
    stage = Line(replace(PLAN, patience=2))
    stage.maes = [1.0, 2.0, 2.0, 0.1]
    assert run_stage(stage, place)["steps"] == 30


def test_a_stage_stops_when_its_budget_is_spent(place: Workplace) -> None:
    stage = Line(replace(PLAN, steps=100_000, minutes=0.3 / 60))
    stage.pause = 0.01
    assert run_stage(stage, place)["steps"] < 1000


def test_a_stage_of_no_steps_is_only_settled(place: Workplace) -> None:
    stage = Line(replace(PLAN, steps=0))
    before = weights(stage)
    run_stage(stage, place)
    assert weights(stage) == before
    assert stage.settled == 1


def test_gradients_of_several_batches_make_one_step(tmp_path: Path, work_in: Work) -> None:
    class Halves(Line):
        """The same numbers, in batches of half the size."""

        def read(self, unit: int) -> Batch:
            whole = super().read(unit // 2)
            return {name: tensor[4 * (unit % 2) : 4 * (unit % 2) + 4] for name, tensor in whole.items()}

    one, two = Line(), Halves(replace(PLAN, accumulate=2))
    one.nets[1], two.nets[1] = nn.Identity(), nn.Identity()
    run_stage(one, work_in(tmp_path / "one"))
    run_stage(two, work_in(tmp_path / "two"))
    assert weights(two) == pytest.approx(weights(one), abs=1e-4)


def test_a_loss_that_is_no_number_stops_the_stage_by_name(place: Workplace) -> None:
    stage = Line()
    stage.read = lambda _: {"x": torch.full((8, 1), math.nan), "y": torch.zeros(8, 1)}  # type: ignore[method-assign]
    with pytest.raises(ConfigurationError, match="loss of stage line is nan at step 0"):
        run_stage(stage, place)


def test_the_rate_rises_and_falls_as_planned(place: Workplace) -> None:
    run_stage(Line(), place)
    rates = [float(row["lr"]) for row in rows(place)]
    assert rates[0] < 0.05 * 0.75
    assert max(rates) == pytest.approx(0.05, rel=0.02)
    assert rates[-1] == pytest.approx(0.0005, rel=0.01)


def test_the_curve_has_the_error_of_the_tune_infants_where_it_was_looked_at(place: Workplace) -> None:
    run_stage(Line(), place)
    assert [row["step"] for row in rows(place) if row["tune_mae"]] == ["10", "20", "30", "40"]
