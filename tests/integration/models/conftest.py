"""A real Triton that serves the nets of this tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import tritonclient.grpc
from tritonclient.utils import np_to_triton_dtype

from neopain.embedded.triton import Triton
from neopain.features import signature
from neopain.models.graph import ENSEMBLE
from neopain.models.repository import Arrays

Ask = Callable[[Arrays], Arrays]


@pytest.fixture(scope="session")
def ask(nets_triton: Triton) -> Iterator[Ask]:
    """The ensemble: inputs by name, batch axis first, to outputs by name."""
    with tritonclient.grpc.InferenceServerClient(nets_triton.url) as client:

        def infer(inputs: Arrays) -> Arrays:
            tensors = []
            for name, array in inputs.items():
                tensor = tritonclient.grpc.InferInput(name, array.shape, np_to_triton_dtype(array.dtype))
                tensors.append(tensor.set_data_from_numpy(array))
            answer = client.infer(ENSEMBLE, tensors)
            return {spec.name: answer.as_numpy(spec.name) for spec in signature.OUTPUTS}

        yield infer
