"""Nets to be evaluated, whatever runs them: windows are encoded once, then fused in as many presence patterns as asked.

What they say is raw: calibration comes after (``training.calibrate``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Final, Protocol

import numpy as np

from neopain.errors import ConfigurationError
from neopain.models.checkpoint import Checkpoint
from neopain.models.networks import Networks
from neopain.training.encoded import Encoded
from neopain.training.leg import Told
from neopain.training.pool import Indices, Windows
from neopain.training.predict import encode_windows, predict_encoded
from neopain.training.predictions import ModelPredictions

AT_ONCE: Final = 32
"""Windows between two words about how far it is."""

PARTS: Final = tuple(each.name for each in fields(Encoded))


class Nets(Protocol):
    """Three encoders and a fusion head."""

    def encode(self, windows: Windows, indices: Sequence[int]) -> Encoded:
        """These windows, in their order, as the fusion head sees them."""

    def predict(self, encoded: Encoded, pattern: str | None = None) -> ModelPredictions:
        """What the fusion head says of them, with all they have or with what ``pattern`` leaves."""


class CheckpointNets:
    """The nets of a checkpoint, in float32."""

    def __init__(self, networks: Networks, *, device: str = "cpu") -> None:
        self._networks, self._device = networks, device

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint, *, device: str = "cpu") -> CheckpointNets:
        """See ``networks_of``."""
        return cls(networks_of(checkpoint), device=device)

    def encode(self, windows: Windows, indices: Sequence[int]) -> Encoded:
        """See ``Nets``."""
        return encode_windows(self._networks, windows, indices, device=self._device)

    def predict(self, encoded: Encoded, pattern: str | None = None) -> ModelPredictions:
        """See ``Nets``."""
        return predict_encoded(self._networks, encoded, pattern)


def networks_of(checkpoint: Checkpoint) -> Networks:
    """The nets of a checkpoint in evaluation mode; ``ConfigurationError`` when it holds a part of them only."""
    networks = Networks(checkpoint.config)
    try:
        networks.load_state_dict(checkpoint.state)
    except RuntimeError as error:
        raise ConfigurationError(
            f"the checkpoint does not hold all of the nets ({error}): let the training come to its end"
        ) from error
    return networks.eval()


def encode_all(nets: Nets, windows: Windows, indices: Indices, told: Told) -> Encoded:
    """All of these windows, a few at a time; at least one."""
    told.begin("windows through the encoders", len(indices), 0)
    parts = []
    for first in range(0, len(indices), AT_ONCE):
        some = indices[first : first + AT_ONCE].tolist()
        parts.append(nets.encode(windows, some))
        told.advance(first + len(some), "")
    return one_after_another(parts)


def one_after_another(parts: Sequence[Encoded]) -> Encoded:
    """The windows of all parts."""
    return Encoded(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in PARTS})


def rows_of(encoded: Encoded, rows: Indices) -> Encoded:
    """These windows, in their order."""
    return Encoded(**{name: getattr(encoded, name)[rows] for name in PARTS})
