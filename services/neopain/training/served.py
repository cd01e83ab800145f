"""The heavy encoders of a training as a CPU serves them: in int8, several times as fast as torch."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from neopain.features.signature import CRY, TensorSpec
from neopain.models.engines import IR_FILE, SERVED, EngineOptions, OpenVinoEngine
from neopain.models.graph import AUDIO_ENCODER, NetSpec
from neopain.models.log_mel import MEL_BANDS, PATCH_FRAMES, PATCHES
from neopain.models.quantise import convert, quantise, save_ir

Array = npt.NDArray[Any]

PATCHES_SPEC = TensorSpec(CRY.name, (PATCHES, PATCH_FRAMES, MEL_BANDS), np.float32, "log-mel patches, oldest first")
HEARD_ENCODER = replace(AUDIO_ENCODER, inputs=(PATCHES_SPEC,))
"""The audio encoder of a training, without its front end."""

RANGE_WINDOWS = 48
"""So many tell int8 what there is."""


@dataclass
class ServedEncoder:
    """An encoder in evaluation mode as an int8 net, made when it is first needed and kept in ``folder``.

    ``samples`` are inputs of batch 1 that tell int8 its ranges. The same folder must hold the same encoder.
    """

    encoder: nn.Module
    net: NetSpec
    folder: Path
    samples: Callable[[], list[Array]]

    def __call__(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """[B, ...] as the encoder takes them -> tokens [B, n, W] and scores [B, 1], on the CPU."""
        (spec,), (tokens, scores) = self.net.inputs, self.net.outputs
        found = [self._engine.run({spec.name: _as_given(one, spec)}) for one in torch.split(inputs, 1)]
        return _joined([one[tokens.name] for one in found]), _joined([one[scores.name] for one in found])

    @cached_property
    def _engine(self) -> OpenVinoEngine:
        if not self.folder.exists():
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=f".{self.folder.name}-", dir=self.folder.parent) as building:
                made = quantise(convert(self.encoder.cpu(), self.net), self.net, self.samples())
                save_ir(made, Path(building) / "net" / IR_FILE)
                (Path(building) / "net").rename(self.folder)
        return OpenVinoEngine(self.folder / IR_FILE, SERVED.get(self.net.name, EngineOptions()))


def _as_given(inputs: Tensor, spec: TensorSpec) -> Array:
    """Disturbed pixels are whole numbers again."""
    whole = np.issubdtype(spec.dtype, np.integer)
    return np.asarray((inputs.round() if whole and inputs.is_floating_point() else inputs).numpy(), spec.dtype)


def _joined(parts: list[Array]) -> Tensor:
    return torch.from_numpy(np.concatenate(parts))
