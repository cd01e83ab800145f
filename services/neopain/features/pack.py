"""The five input arrays of one window, and the check that arrays are what the signature table says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neopain.errors import ContractBroken
from neopain.features.signature import CLIP, CONTEXT, CRY, INPUTS, PRESENT, VITALS, TensorSpec

Array = npt.NDArray[np.generic]
Arrays = Mapping[str, Array]
"""Arrays by tensor name, without a batch axis."""


@dataclass(frozen=True, slots=True)
class WindowTensors:
    """The inputs of one window, as ``features.signature`` says: physical units, zeros where a modality is absent."""

    clip: npt.NDArray[np.uint8]
    cry: npt.NDArray[np.float32]
    vitals: npt.NDArray[np.float32]
    context: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_]

    def by_name(self) -> dict[str, Array]:
        """The arrays by tensor name."""
        return {
            CLIP.name: self.clip,
            CRY.name: self.cry,
            VITALS.name: self.vitals,
            CONTEXT.name: self.context,
            PRESENT.name: self.present,
        }


def require_match(arrays: Arrays, specs: Iterable[TensorSpec] = INPUTS, *, batch: tuple[int, ...] = ()) -> None:
    """Refuses arrays that are not what the table says, each after a leading ``batch`` shape (``ContractBroken``)."""
    for spec in specs:
        if spec.name not in arrays:
            raise ContractBroken(f"tensor {spec.name} is missing, there are {', '.join(sorted(arrays))}")
        found, wanted = arrays[spec.name], (*batch, *spec.shape)
        if found.shape != wanted or found.dtype != spec.dtype:
            raise ContractBroken(
                f"tensor {spec.name} is {found.dtype} {list(found.shape)}, "
                f"the signature table says {np.dtype(spec.dtype)} {list(wanted)}"
            )
