"""Arrays are what the signature table says, or they are refused."""

from __future__ import annotations

import numpy as np
import pytest

from neopain.errors import ContractBroken
from neopain.features.pack import require_match
from neopain.features.signature import INPUTS, PRESENT, VITALS


def zeros(*batch: int) -> dict[str, np.ndarray]:
    """All inputs as zeros."""
    return {spec.name: np.zeros((*batch, *spec.shape), spec.dtype) for spec in INPUTS}


def test_arrays_of_the_table_match() -> None:
    require_match(zeros())


def test_a_batch_axis_counts() -> None:
    require_match(zeros(3), batch=(3,))


def test_a_missing_tensor_is_named() -> None:
    arrays = zeros()
    del arrays["VITALS"]
    with pytest.raises(ContractBroken, match="tensor VITALS is missing"):
        require_match(arrays)


def test_a_wrong_shape_is_told_with_the_right_one() -> None:
    with pytest.raises(
        ContractBroken, match=r"tensor VITALS is float32 \[120, 10\], the signature table says float32 \["
    ):
        require_match({**zeros(), VITALS.name: np.zeros((120, 10), np.float32)})


def test_a_wrong_type_is_refused() -> None:
    with pytest.raises(ContractBroken, match="tensor PRESENT is uint8"):
        require_match({**zeros(), PRESENT.name: np.zeros(3, np.uint8)})
