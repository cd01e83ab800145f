"""A Triton that has proved with golden windows what it serves: at the start, and again after each outage."""

from __future__ import annotations

import asyncio

from neopain.errors import ContractBroken, InferenceUnavailable
from neopain.features.pack import Array, Arrays
from neopain.runtime.backoff import Backoff
from neopain.runtime.log import Log
from neopain.runtime.service import Running
from neopain.scoring.golden import ServedModel, verify
from neopain.scoring.inference import Triton, TritonGone

LOG = Log(__name__)

MOST_FAILURES = 5
"""How often a Triton that is there may fail on golden windows before the worker refuses to start."""


START_PATIENCE = 6.0
"""At the start no window waits for the answer, and a machine that starts everything at once is slow."""


class TrustedTriton:
    """Answers only while Triton serves ``model``.

    What breaks the contract stops the service: ``refusal`` then says why, and the window in hand stays with the bus.
    """

    def __init__(self, triton: Triton, model: ServedModel, running: Running) -> None:
        self.triton = triton
        self.model = model
        self.running = running
        self.refusal: ContractBroken | None = None
        self._is_proved = False
        self._proving = asyncio.Lock()

    @property
    def deadline_seconds(self) -> float:
        """The most that one request may take."""
        return self.triton.deadline_seconds

    async def prove_when_there(self) -> None:
        """Waits until Triton answers and has proved what it serves, or until the service is asked to stop.

        ``ContractBroken`` when it serves something else, or is there and fails again and again.
        """
        backoff = Backoff(first=0.1, longest=1.0)
        failures = 0
        while not self.running.stopping.is_set():
            try:
                await self._prove(START_PATIENCE)
            except InferenceUnavailable as error:
                failures = 0 if isinstance(error, TritonGone) else failures + 1
                if failures >= MOST_FAILURES:
                    raise ContractBroken(f"{error}; {failures} times in a row: see Triton's log") from error
                self.running.health.not_ready("waiting for Triton")
                LOG.info("waiting_for_triton", why=error)
                await self.running.pause(backoff.next_seconds())
            else:
                return

    async def infer(self, arrays: Arrays, *, within_seconds: float) -> dict[str, Array]:
        """The outputs of one window; ``InferenceUnavailable`` when there is no answer, or none that may be trusted."""
        try:
            await self._prove()
            return await self.triton.infer(arrays, within_seconds=within_seconds)
        except TritonGone:
            self._is_proved = False
            raise
        except ContractBroken as error:
            self.refusal = error
            self.running.stop()
            raise InferenceUnavailable(f"stopping: {error}") from error

    async def _prove(self, patience: float = 1.0) -> None:
        async with self._proving:
            if self._is_proved:
                return
            deviation = await verify(self.triton, self.model, patience=patience)
            self._is_proved = True
            LOG.info("golden_windows_agree", model=self.model.version.name, mean=deviation.mean, p99=deviation.p99)
