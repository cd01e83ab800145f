"""A real Triton that serves the nets of this tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tritonclient.grpc
from tritonclient.utils import np_to_triton_dtype

from neopain.embedded.state import StateFolder
from neopain.embedded.triton import Triton
from neopain.features import signature
from neopain.models.graph import ENSEMBLE
from neopain.models.repository import Arrays, committed_repository

Ask = Callable[[Arrays], Arrays]


@pytest.fixture(scope="session")
def repository() -> Path:
    return committed_repository()


@pytest.fixture(scope="session")
def triton(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    with Triton(StateFolder(tmp_path_factory.mktemp("triton")), repository) as server:
        yield server


@pytest.fixture(scope="session")
def ask(triton: Triton) -> Iterator[Ask]:
    """The ensemble: inputs by name, batch axis first, to outputs by name."""
    with tritonclient.grpc.InferenceServerClient(triton.url) as client:

        def infer(inputs: Arrays) -> Arrays:
            tensors = []
            for name, array in inputs.items():
                tensor = tritonclient.grpc.InferInput(name, array.shape, np_to_triton_dtype(array.dtype))
                tensors.append(tensor.set_data_from_numpy(array))
            answer = client.infer(ENSEMBLE, tensors)
            return {spec.name: answer.as_numpy(spec.name) for spec in signature.OUTPUTS}

        yield infer
