"""What a stage is to the loop that runs it, and where it is run."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from torch import Tensor, nn

from neopain.training.config import Steps
from neopain.training.leg import Leg, Told
from neopain.training.machine import Batch, Machine

_SEED_END = 2**63


class Stage(Protocol):
    """What one stage trains and on what."""

    @property
    def name(self) -> str:
        """Of its files."""

    @property
    def plan(self) -> Steps: ...

    @property
    def nets(self) -> nn.Module:
        """All that is trained, with what serves the training alone."""

    def read(self, unit: int) -> Batch:
        """Batch number ``unit``, on the CPU; called in another thread, so it touches no net."""

    def loss(self, batch: Batch) -> Tensor:
        """Of a batch on the machine; chance comes from torch's global generator."""

    def begin(self) -> None:
        """Before the very first step, such as statistics for batch norms that will be held."""

    def check(self) -> float:
        """MAE on the tune infants; NaN when they carry no labels for this stage."""

    def settle(self) -> None:
        """Last touch to the kept weights, such as the batch norms' statistics."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """What the loop needs beside the stage."""

    machine: Machine
    leg: Leg
    told: Told
    folder: Path
    """The run's folder: ``stages/<name>.pt`` and ``curves/<name>.csv``."""
    seed: int
    readers: int = 2
    save_seconds: float = 120.0

    def stage_path(self, name: str) -> Path:
        """Where a stage keeps its state."""
        return self.folder / "stages" / f"{name}.pt"


def seed_of(seed: int, name: str, unit: int) -> int:
    """A seed of its own for every batch of every stage."""
    sequence = np.random.SeedSequence([seed, zlib.crc32(name.encode()), unit])
    return int(sequence.generate_state(1, np.uint64)[0] % _SEED_END)
