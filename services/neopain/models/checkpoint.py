"""A checkpoint: the weights of the nets, their config and what is known about them, in one file.

The file is what ``torch.save`` makes of a plain dict of tensors and texts, so that it can be read without running code
from it: ``format``, ``config`` and ``about`` (JSON texts) and ``state``.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from neopain.errors import ConfigurationError
from neopain.models.config import NetConfig
from neopain.models.torch_file import read_torch_file

FORMAT = "neopain checkpoint 1"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Weights with their origin."""

    config: NetConfig
    state: dict[str, Tensor]
    """Of ``models.networks.Networks``, on the CPU when read; may be a part of it while training."""
    about: dict[str, Any]
    """What JSON can hold: seed, simulator, code version, metrics, and under ``weights`` a ``domain.score.Weights``."""


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes the file whole or not at all, on disk when this returns; what was there is replaced.

    One writer at a time: the file grows under one name beside its place, ``.<name>.part``, which the next save reuses
    after a kill. ``ConfigurationError`` when it cannot be written.
    """
    fields = {
        "format": FORMAT,
        "config": checkpoint.config.to_json(),
        "about": json.dumps(checkpoint.about),
        "state": {name: _alone(tensor) for name, tensor in checkpoint.state.items()},
    }
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            torch.save(fields, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written ({error.strerror}): free the place or give another"
        ) from error


def _alone(tensor: Tensor) -> Tensor:
    """A copy on the CPU without gradient: of a view, torch would save all that lies behind it."""
    return tensor.detach().to("cpu", copy=True)


def _sync_folder(folder: Path) -> None:
    """Makes the renaming itself survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads what ``save_checkpoint`` wrote, without running code from it.

    ``ConfigurationError`` when it cannot be read, is something else, or is of a config that this version does not know.
    """
    fields = read_torch_file(path)
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise ConfigurationError(
            f"{path} is no '{FORMAT}': take one that 'neopain train' or 'neopain model import' of this version wrote"
        )
    try:
        return Checkpoint(
            config=NetConfig.from_json(fields["config"]),
            state=_tensors(fields["state"]),
            about=dict(json.loads(fields["about"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{path} does not hold what a '{FORMAT}' should ({error}): write it again with this version"
        ) from error


def _tensors(state: object) -> dict[str, Tensor]:
    if not isinstance(state, dict):
        raise TypeError(f"state is a {type(state).__name__}, expected a dict of tensors")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise TypeError(f"state[{name!r}] is a {type(value).__name__}, expected a tensor")
    return state
