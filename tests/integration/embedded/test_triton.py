from __future__ import annotations

import urllib.request
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc

from neopain.embedded.state import StateFolder
from neopain.embedded.triton import SHM, Triton
from neopain.errors import ConfigurationError


def double(url: str, values: list[float]) -> list[float]:
    client = triton_grpc.InferenceServerClient(url)
    try:
        sent = triton_grpc.InferInput("X", [3], "FP32")
        sent.set_data_from_numpy(np.array(values, np.float32))
        return client.infer("doubler", [sent]).as_numpy("Y").tolist()
    finally:
        client.close()


def test_it_serves_a_python_model_and_its_metrics(state: StateFolder, doubler: Path) -> None:
    with Triton(state, doubler) as triton:
        assert double(triton.url, [1.0, 2.0, 3.0]) == [2.0, 4.0, 6.0]
        with urllib.request.urlopen(triton.metrics_url) as metrics:  # noqa: S310
            assert b'nv_inference_count{model="doubler",version="1"}' in metrics.read()
        assert list(SHM.glob(f"{triton.shm_prefix}*")) != []

    assert list(SHM.glob(f"{triton.shm_prefix}*")) == []


def test_two_live_side_by_side_and_one_survives_the_others_kill(state: StateFolder, doubler: Path, tree_of) -> None:
    with Triton(state, doubler, name="triton-a") as one, Triton(state, doubler, name="triton-b") as other:
        one.kill()

        assert double(other.url, [1.0, 2.0, 3.0]) == [2.0, 4.0, 6.0]
        assert list(SHM.glob(f"{one.shm_prefix}*")) == []
        one.restart()
        assert double(one.url, [0.0, 0.5, 1.0]) == [0.0, 1.0, 2.0]


def test_a_model_that_does_not_load_is_told_with_the_log(state: StateFolder, doubler: Path) -> None:
    (doubler / "doubler" / "1" / "model.py").write_text("raise ValueError('no weights')")

    with pytest.raises(ConfigurationError, match=r"(?s)triton ended with code 1 before it was ready.*no weights"):
        Triton(state, doubler).start()
