"""Triton's gRPC service: one request for one window. Knows shapes and errors; nothing of what the numbers mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import grpc
import numpy as np
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from neopain.errors import ContractBroken, InferenceUnavailable
from neopain.features.pack import Array, Arrays, require_match
from neopain.features.signature import INPUTS, OUTPUTS
from neopain.scoring.settings import ScoringSettings

CHANNEL_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A Triton that comes back is found at once: a window waits for it ten seconds at most.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 30_000),
]

GONE_STATUS = "StatusCode.UNAVAILABLE"
LATE_STATUS = "StatusCode.DEADLINE_EXCEEDED"
BROKEN_STATUS = frozenset({"StatusCode.INVALID_ARGUMENT", "StatusCode.UNIMPLEMENTED"})


class TritonGone(InferenceUnavailable):
    """There is no connection, or the model is not loaded: who comes back may be another."""


class TritonTooSlow(InferenceUnavailable):
    """No answer came within the time that the request had."""


class Triton:
    """A client of one Triton; made inside the running event loop."""

    def __init__(self, settings: ScoringSettings) -> None:
        self.url = settings.triton_url
        self.model = settings.triton_model
        self.deadline_seconds = settings.triton_deadline.total_seconds()
        self._client = InferenceServerClient(url=self.url, channel_args=CHANNEL_OPTIONS)
        self._outputs = [InferRequestedOutput(spec.name) for spec in OUTPUTS]

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._client.close()

    async def infer(
        self, arrays: Arrays, *, within_seconds: float | None = None, patience: float = 1.0
    ) -> dict[str, Array]:
        """The outputs of one window by tensor name, without a batch axis; ``patience`` multiplies the deadline.

        ``InferenceUnavailable``: no answer in time, or the model failed; the window may be tried again. ``TritonGone``
        of them: what comes back may serve something else; ``TritonTooSlow``: the time was up.
        ``ContractBroken``: inputs or outputs are not what the signature table says; do not serve.
        """
        require_match(arrays)
        inputs = [_input(name, arrays[name]) for name in (spec.name for spec in INPUTS)]
        most = patience * self.deadline_seconds
        deadline = min(most, within_seconds or most)
        try:
            result = await self._client.infer(self.model, inputs, outputs=self._outputs, client_timeout=deadline)
        except InferenceServerException as error:
            raise _translated(self.url, error) from error
        except grpc.RpcError as error:
            raise TritonGone(f"Triton at {self.url} did not answer ({error})") from error
        return _outputs_of({spec.name: cast("Array | None", result.as_numpy(spec.name)) for spec in OUTPUTS})


def _input(name: str, array: Array) -> InferInput:
    tensor = InferInput(name, [1, *array.shape], np_to_triton_dtype(array.dtype))
    tensor.set_data_from_numpy(array[np.newaxis])
    return tensor


def _outputs_of(found: Mapping[str, Array | None]) -> dict[str, Array]:
    batched = {name: array for name, array in found.items() if array is not None}
    require_match(batched, OUTPUTS, batch=(1,))
    return {name: array[0] for name, array in batched.items()}


def _translated(url: str, error: InferenceServerException) -> InferenceUnavailable | ContractBroken:
    # Further lines are a traceback of the model's, which Triton's own log has too.
    said = next(iter(error.message().splitlines()), "no message")
    if error.status() in BROKEN_STATUS:
        return ContractBroken(f"Triton at {url} refused the request: {said}")
    if error.status() == GONE_STATUS:
        return TritonGone(f"Triton at {url} did not answer ({said})")
    if error.status() == LATE_STATUS:
        return TritonTooSlow(f"Triton at {url} did not answer in time ({said})")
    return InferenceUnavailable(f"Triton at {url} gave no outputs ({error.status()}: {said})")
