"""What the real ensemble says: an embedded Triton on a model repository, asked as scoring asks it, window by window."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from neopain.embedded.state import StateFolder
from neopain.embedded.triton import Triton as TritonServer
from neopain.features.pack import Array
from neopain.scoring.golden import read_served_model, verify
from neopain.scoring.inference import Triton
from neopain.scoring.settings import ScoringSettings

if TYPE_CHECKING:
    from neopain.training.leg import Told
    from neopain.training.windows import PreparedWindows


DEADLINE = timedelta(seconds=60)
"""Of one request: no infant waits for it, however slow the machine is."""


@dataclass(frozen=True, slots=True)
class ServedAnswers:
    """The ensemble's outputs by tensor name, without a batch axis, and milliseconds of each request."""

    outputs: tuple[Mapping[str, Array], ...]
    milliseconds: tuple[float, ...]


def ask_triton(
    repository: Path, state: Path, windows: PreparedWindows, indices: Sequence[int], told: Told
) -> ServedAnswers:
    """Starts Triton on the repository, proves it with the golden windows, and sends these windows one by one.

    ``ConfigurationError`` when it does not start; ``ContractBroken`` when it does not serve what the folder says.
    """
    with TritonServer(StateFolder(state), repository) as server:
        return asyncio.run(_asked(server, repository, windows, indices, told))


async def _asked(
    server: TritonServer, repository: Path, windows: PreparedWindows, indices: Sequence[int], told: Told
) -> ServedAnswers:
    settings = ScoringSettings(triton_url=server.url, model_repository=repository, triton_deadline=DEADLINE)
    triton = Triton(settings)
    outputs, milliseconds = [], []
    try:
        await verify(triton, read_served_model(repository))
        told.begin("windows through Triton", len(indices), 0)
        for done, index in enumerate(indices, start=1):
            arrays = windows.tensors(index).by_name()
            began = time.perf_counter()
            outputs.append(await triton.infer(arrays))
            milliseconds.append(1000 * (time.perf_counter() - began))
            told.advance(done, "")
    finally:
        await triton.aclose()
    return ServedAnswers(tuple(outputs), tuple(milliseconds))
