"""Numbers that a test works out by hand: the score is 1 for the face, 2 for the cry and 4 for the vitals, added up."""

import time
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb

OFFSETS = np.array([-2, -1, -0.75, -0.5, 0, 0.5, 0.75, 1, 2], np.float32)
"""Of the quantiles from the score: the 90 % interval is one to either side."""
ANSWER_SECONDS = Path(__file__).with_name("ANSWER_SECONDS")
"""Where a test makes it slow: what each request takes."""


class TritonPythonModel:
    """What Triton loads."""

    def execute(self, requests):
        """One response for each request."""
        if ANSWER_SECONDS.exists():
            time.sleep(float(ANSWER_SECONDS.read_text()) * len(requests))
        return [pb.InferenceResponse(_outputs(_input(request, "PRESENT"))) for request in requests]


def _input(request, name):
    return np.from_dlpack(pb.get_input_tensor_by_name(request, name))


def _outputs(present):
    parts = present.astype(np.float32) * np.array([1, 2, 4], np.float32)
    score = parts.sum(axis=1, keepdims=True)
    outputs = {
        "SCORE_QUANTILES": score + OFFSETS,
        "SCORE_BY_MODALITY": parts,
        "ATTENTION": parts / np.maximum(score, 1),
        "SEDATION": np.zeros_like(score),
        "DISTANCE": np.full_like(score, 0.25),
    }
    return [pb.Tensor.from_dlpack(name, np.ascontiguousarray(array)) for name, array in outputs.items()]
