"""The loop that every stage runs in: steps with AdamW on a running average of the weights, until no better.

Each batch is drawn from the stage's name, the seed and the number of the batch alone, and so is all chance in a step.
So a stage that was killed and goes on does exactly what it would have done, and nothing has to be remembered for it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from neopain.errors import ConfigurationError
from neopain.training.curve import Curve
from neopain.training.leg import LegOver
from neopain.training.machine import Batch
from neopain.training.stage import Stage, Workplace, seed_of
from neopain.training.stage_file import load_stage, save_stage

LOSS_MEMORY = 0.95
"""Of the running mean of the loss that is told."""
LAST_RATE = 0.01
"""Where the cosine ends, as a share of the learning rate."""
LONGEST_GRADIENT = 5.0
"""Norm to which a longer gradient is cut."""
CURVE_ROWS = 200
"""About how many rows a stage writes, beside its looks at the tune infants."""


@dataclass(slots=True)
class _Standing:
    """Where the loop stands, beside the nets and the optimiser."""

    step: int = 0
    seconds: float = 0.0
    loss: float = math.nan
    best_mae: float = math.inf
    worse_looks: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)


def run_stage(stage: Stage, place: Workplace) -> dict[str, float]:
    """Trains the stage to its end, or goes on where it was; its nets then hold the weights that are kept.

    Returns ``steps``, ``seconds`` and ``tune_mae``. ``LegOver`` when the leg ended first; ``ConfigurationError`` when
    the loss is no number any more.
    """
    loop = _Loop(stage, place)
    finished = loop.resume()
    if finished is None:
        loop.train()
        finished = loop.finish()
    return finished


class _Loop:
    def __init__(self, stage: Stage, place: Workplace) -> None:
        self.stage, self.plan, self.place = stage, stage.plan, place
        self.path = place.stage_path(stage.name)
        self.curve = Curve(place.folder / "curves" / f"{stage.name}.csv")
        place.machine.place(stage.nets)
        self.at = _Standing()
        self.optimiser = torch.optim.AdamW(_groups(stage.nets, self.plan.weight_decay), lr=self.plan.lr)
        self.scaler = torch.amp.GradScaler(place.machine.device.type, enabled=place.machine.needs_scaling)
        self.average: dict[str, Tensor] = {}

    def resume(self) -> dict[str, float] | None:
        """Takes up the state on disk, if any; returns the figures of a stage that is finished."""
        saved = load_stage(self.path)
        if saved is None:
            self._begin()
            return None
        nets = self.stage.nets
        if saved["finished"]:
            nets.load_state_dict(saved["nets"])
            return dict(saved["figures"])
        nets.load_state_dict(saved["nets"])
        self.average = {name: tensor.to(self.place.machine.device) for name, tensor in saved["average"].items()}
        self.optimiser.load_state_dict(saved["optimiser"])
        self.scaler.load_state_dict(saved["scaler"])
        self.at = _Standing(**saved["at"])
        self.curve.begin(self.at.step)
        return None

    def _begin(self) -> None:
        self.place.told.begin(self.stage.name, float(self.plan.steps), 0.0)
        self.stage.nets.eval()
        with torch.no_grad():
            self.place.machine.seed(seed_of(self.place.seed, f"{self.stage.name} at its beginning", 0))
            self.stage.begin()
        self.average = _copy(self.stage.nets.state_dict())
        self.curve.begin(0)

    def train(self) -> None:
        """Steps until the plan is done or the tune infants say that it gets no better."""
        told, plan = self.place.told, self.plan
        if self.at.step:
            told.begin(self.stage.name, float(plan.steps), self._progress() * plan.steps)
        saved = time.monotonic()
        with self._batches() as batches:
            while not self._is_done():
                self._end_if_over()
                began = time.monotonic()
                self._step(batches)
                self.at.step += 1
                if self.at.step % plan.check_every == 0 or self._progress() >= 1:
                    self._look()
                self.at.seconds += time.monotonic() - began
                self._note()
                if time.monotonic() - saved > self.place.save_seconds:
                    self._save()
                    saved = time.monotonic()

    def finish(self) -> dict[str, float]:
        """The best weights, settled, on disk; the state of the optimiser is no longer needed."""
        nets = self.stage.nets
        nets.load_state_dict(self.at.best or self.average)
        nets.eval()
        with torch.no_grad():
            self.place.machine.seed(seed_of(self.place.seed, f"{self.stage.name} at its end", 0))
            self.stage.settle()
            mae = self.stage.check()
        figures = {"steps": float(self.at.step), "seconds": self.at.seconds, "tune_mae": mae}
        save_stage(self.path, {"finished": True, "nets": nets.state_dict(), "figures": figures})
        self.place.told.say(f"{self.stage.name}: done after {self.at.step} steps, MAE {mae:.2f} on the tune infants")
        return figures

    def _is_done(self) -> bool:
        return self._progress() >= 1 or self.at.worse_looks >= self.plan.patience

    def _progress(self) -> float:
        """Share of the stage that is done, by steps or by budget, whichever is further."""
        by_steps = self.at.step / self.plan.steps if self.plan.steps else 1.0
        by_budget = self.at.seconds / (60 * self.plan.minutes) if self.plan.minutes else 0.0
        return max(by_steps, by_budget)

    def _rate(self) -> float:
        progress = self._progress()
        if progress < self.plan.warmup:
            return self.plan.lr * (self.at.step + 1) / (self.plan.warmup * max(self.plan.steps, 1) + 1)
        share = (progress - self.plan.warmup) / (1 - self.plan.warmup)
        return self.plan.lr * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))

    def _step(self, batches: Iterator[Batch]) -> None:
        stage, machine = self.stage, self.place.machine
        machine.seed(seed_of(self.place.seed, stage.name, self.at.step))
        stage.nets.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        losses = []
        for _ in range(self.plan.accumulate):
            loss = stage.loss(machine.put(next(batches))) / self.plan.accumulate
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        self.scaler.unscale_(self.optimiser)
        nn.utils.clip_grad_norm_(_learning(stage.nets), LONGEST_GRADIENT)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.optimiser.zero_grad(set_to_none=True)
        self._remember(torch.stack(losses).sum().item())
        self._average()

    def _end_if_over(self) -> None:
        if self.place.leg.is_over:
            self._save()
            raise LegOver

    def _remember(self, loss: float) -> None:
        if not math.isfinite(loss) and not self.place.machine.needs_scaling:
            raise ConfigurationError(
                f"the loss of stage {self.stage.name} is {loss} at step {self.at.step}:"
                f" delete {self.path} and run again with a lower lr"
            )
        known = not math.isnan(self.at.loss)
        self.at.loss = LOSS_MEMORY * self.at.loss + (1 - LOSS_MEMORY) * loss if known else loss

    @torch.no_grad()
    def _average(self) -> None:
        """Follows the weights; faster in the first steps, when there is little to average."""
        decay = min(self.plan.average, (1 + self.at.step) / (10 + self.at.step))
        for name, tensor in self.stage.nets.state_dict().items():
            if tensor.is_floating_point():
                self.average[name].lerp_(tensor, 1 - decay)
            else:
                self.average[name].copy_(tensor)

    def _look(self) -> None:
        """Checks the averaged weights on the tune infants and keeps them if they are the best so far."""
        nets = self.stage.nets
        current = _copy(nets.state_dict())
        nets.load_state_dict(self.average)
        nets.eval()
        with torch.no_grad():
            mae = self.stage.check()
        nets.load_state_dict(current)
        if mae < self.at.best_mae or math.isnan(mae):
            self.at.best_mae, self.at.best, self.at.worse_looks = mae, _copy(self.average), 0
        else:
            self.at.worse_looks += 1
        self._write(mae)

    def _note(self) -> None:
        if self.at.step % max(self.plan.steps // CURVE_ROWS, 1) == 0 and self.at.step % self.plan.check_every != 0:
            self._write(math.nan)
        best = "" if math.isinf(self.at.best_mae) else f", tune MAE {self.at.best_mae:.2f}"
        self.place.told.advance(self._progress() * self.plan.steps, f"loss {self.at.loss:.3f}{best}")

    def _write(self, mae: float) -> None:
        at = self.at
        self.curve.add({"step": at.step, "seconds": at.seconds, "lr": self._rate(), "loss": at.loss, "tune_mae": mae})

    def _save(self) -> None:
        fields: dict[str, Any] = {
            "finished": False,
            "nets": self.stage.nets.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "at": {name: getattr(self.at, name) for name in _Standing.__slots__},
        }
        save_stage(self.path, fields)

    @contextmanager
    def _batches(self) -> Iterator[Iterator[Batch]]:
        """The batches from where the stage stands on, read ahead by threads."""
        pool = ThreadPoolExecutor(self.place.readers, thread_name_prefix="reader")
        try:
            yield self._read_ahead(pool)
        finally:
            pool.shutdown(cancel_futures=True)

    def _read_ahead(self, pool: ThreadPoolExecutor) -> Iterator[Batch]:
        unit = self.at.step * self.plan.accumulate
        waiting: list[Future[Batch]] = []
        while True:
            while len(waiting) <= 2 * self.place.readers:
                waiting.append(pool.submit(self.stage.read, unit))
                unit += 1
            yield waiting.pop(0).result()


def _groups(nets: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices and kernels decay, biases and scales do not."""
    learning = _learning(nets)
    decaying = [one for one in learning if one.dim() > 1]
    others = [one for one in learning if one.dim() <= 1]
    return [{"params": decaying, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _learning(nets: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in nets.parameters() if parameter.requires_grad]


def _copy(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in state.items()}
