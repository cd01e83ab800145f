"""The tensors of a published file by their names there, whatever kind of file it is; nothing in it is run."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from neopain.errors import ConfigurationError
from neopain.models.published.caffe2 import Array, read_blobs
from neopain.models.torch_file import BROKEN, opened, read_torch_file

ZIP = b"PK\x03\x04"
OLD_TORCH = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
"""A torch file begins with the first since 1.6, with the second before; torchvggish's is of 2019."""
PICKLE = b"\x80"


def read_published(path: Path) -> dict[str, Tensor]:
    """Returns the tensors of a torch file (those under ``model_state`` where there is one) or a Caffe2 pickle.

    ``ConfigurationError``: it cannot be read, asks for more than tensors and plain values, or holds no tensors by name.
    """
    with opened(path) as file:
        head = file.read(len(OLD_TORCH))
    if head.startswith((ZIP, OLD_TORCH)):
        return _state(path, read_torch_file(path))
    if head.startswith(PICKLE):
        return _blobs(path)
    raise ConfigurationError(
        f"{path} is neither a torch file nor a pickle: give the .pyth, .pkl, .pth or .pt as it was published"
    )


def _state(path: Path, content: object) -> dict[str, Tensor]:
    state = content.get("model_state", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not state:
        raise ConfigurationError(
            f"{path} holds a {type(state).__name__}, expected tensors by name: give a state_dict, alone or under"
            " 'model_state'"
        )
    for name, value in state.items():
        if not isinstance(name, str) or not _is_plain(value):
            raise ConfigurationError(
                f"{path} has under {name!r} a {type(value).__name__}, expected a dense tensor: give a state_dict, alone"
                " or under 'model_state'"
            )
    return state


def _is_plain(value: object) -> bool:
    """Whether it is a tensor of numbers in memory; sparse, nested, quantised and shapes without numbers are not."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not (value.is_nested or value.is_quantized)
    )


def _blobs(path: Path) -> dict[str, Tensor]:
    with opened(path) as file:
        try:
            arrays = read_blobs(file)
        except BROKEN as error:
            reason = str(error) or type(error).__name__
            raise ConfigurationError(
                f"{path} is no Caffe2 checkpoint that can be read ({reason}): give the .pkl as it was published"
            ) from error
    return {name: torch.from_numpy(_native(array)) for name, array in arrays.items()}


def _native(array: Array) -> Array:
    """A copy in the machine's order of bytes, which may be written to."""
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
