"""``baselines.pt`` of a run: all that is needed to apply the baselines to other windows.

The file goes along with the nets that are served, so it is small: matrices in int8 with a scale for each row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from neopain.errors import ConfigurationError
from neopain.features.signature import PRESENT_FLAGS
from neopain.models.config import NetConfig
from neopain.models.repository import BASELINES_FILE
from neopain.training.baselines.linear import Linear, as_arrays, from_arrays
from neopain.training.baselines.models import (
    LATE,
    LEARNED,
    RIDGE,
    Baseline,
    Effort,
    LateBaseline,
    LearnedBaseline,
    RidgeBaseline,
)
from neopain.training.heads import HEADS
from neopain.training.stage_file import load_stage, save_stage

WHOLE, ROWS, SCALE = "whole", "rows", "scale"
MOST = 127
LEAST_SCALE = 1e-12

State = Mapping[str, torch.Tensor]


def save_baselines(run: Path, config: NetConfig, baselines: Mapping[str, Baseline]) -> None:
    """Writes the file; ``ConfigurationError`` when it cannot be written."""
    efforts = {name: asdict(one.effort) for name, one in baselines.items()}
    learned = (one for one in baselines.values() if isinstance(one, LearnedBaseline))
    states = {one.name: _packed(one.net.state_dict()) for one in learned}
    ridge = next(_numbers(one.linear) for one in baselines.values() if isinstance(one, RidgeBaseline))
    late = next(one for one in baselines.values() if isinstance(one, LateBaseline))
    joined = {name: _numbers(linear) for name, linear in late.linear.items()}
    fields = {"config": config.to_json(), "efforts": efforts, "states": states, RIDGE: ridge, LATE: joined}
    save_stage(run / BASELINES_FILE, fields)


def load_baselines(run: Path) -> dict[str, Baseline]:
    """The baselines of a run by name: face, cry, vitals, early, late, ridge.

    ``ConfigurationError`` when the run has none yet, or the file is damaged or of another version.
    """
    path = run / BASELINES_FILE
    fields = load_stage(path)
    if fields is None:
        raise ConfigurationError(f"{path} does not exist: let 'neopain train --out {run}' come to its end")
    try:
        return _loaded(fields)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ConfigurationError(f"{path} does not fit this version ({error}): train again") from error


def _loaded(fields: dict[str, Any]) -> dict[str, Baseline]:
    config = NetConfig.from_json(fields["config"])
    efforts = {name: Effort(**effort) for name, effort in fields["efforts"].items()}
    learned: dict[str, LearnedBaseline] = {}
    for name in LEARNED:
        net = HEADS[name](config)
        net.load_state_dict(_unpacked(fields["states"][name]))
        learned[name] = LearnedBaseline(name, efforts[name], net.eval())
    alone = {flag: learned[flag] for flag in PRESENT_FLAGS}
    joined = {name: _linear(numbers) for name, numbers in fields[LATE].items()}
    return {
        **learned,
        LATE: LateBaseline(efforts[LATE], alone, joined),
        RIDGE: RidgeBaseline(efforts[RIDGE], _linear(fields[RIDGE])),
    }


def _packed(state: State) -> dict[str, State]:
    return {name: _packed_one(tensor) for name, tensor in state.items()}


def _packed_one(tensor: torch.Tensor) -> State:
    if tensor.dim() != 2:
        return {WHOLE: tensor}
    scale = tensor.abs().amax(dim=1, keepdim=True).clamp_min(LEAST_SCALE) / MOST
    return {ROWS: (tensor / scale).round().to(torch.int8), SCALE: scale}


def _unpacked(packed: Mapping[str, State]) -> dict[str, torch.Tensor]:
    return {name: one[WHOLE] if WHOLE in one else one[ROWS] * one[SCALE] for name, one in packed.items()}


def _numbers(linear: Linear) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in as_arrays(linear).items()}


def _linear(numbers: dict[str, torch.Tensor]) -> Linear:
    return from_arrays({name: tensor.numpy() for name, tensor in numbers.items()})
