"""The table of tensors is the contract of DESIGN section 3."""

from __future__ import annotations

import numpy as np
import pytest

from neopain.features.signature import INPUTS, OUTPUTS, TensorSpec


@pytest.mark.parametrize(
    ("spec", "name", "shape", "dtype"),
    [
        (INPUTS[0], "CLIP", (16, 224, 224, 3), np.uint8),
        (INPUTS[1], "CRY", (160_000,), np.float32),
        (INPUTS[2], "VITALS", (10, 120), np.float32),
        (INPUTS[3], "CONTEXT", (22,), np.float32),
        (INPUTS[4], "PRESENT", (3,), np.bool_),
        (OUTPUTS[0], "SCORE_QUANTILES", (9,), np.float32),
        (OUTPUTS[1], "SCORE_BY_MODALITY", (3,), np.float32),
        (OUTPUTS[2], "ATTENTION", (3,), np.float32),
        (OUTPUTS[3], "SEDATION", (1,), np.float32),
        (OUTPUTS[4], "DISTANCE", (1,), np.float32),
    ],
)
def test_each_tensor_is_what_the_design_says(
    spec: TensorSpec, name: str, shape: tuple[int, ...], dtype: type[np.generic]
) -> None:
    assert (spec.name, spec.shape, spec.dtype) == (name, shape, dtype)
