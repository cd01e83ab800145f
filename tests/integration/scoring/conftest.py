"""A worker with the stand-in Triton, driven tick by tick."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from neopain.bus.bus import Bus
from neopain.bus.streams import SCORES
from neopain.domain.calibration import AbstentionLimits
from neopain.domain.score import Score
from neopain.domain.window import window_end_before
from neopain.embedded.triton import Triton as TritonServer
from neopain.runtime.clock import SystemClock
from neopain.runtime.service import Running
from neopain.scoring.golden import read_served_model
from neopain.scoring.inference import Triton
from neopain.scoring.settings import ScoringSettings
from neopain.scoring.trusted import TrustedTriton
from neopain.scoring.worker import Worker
from neopain.wire.score import decode_score


@pytest.fixture
def end() -> datetime:
    """The end of the last complete window."""
    return window_end_before(datetime.now(UTC))


@pytest.fixture
async def worker(bus: Bus, stand_in_triton: TritonServer, stand_in_repository: Path) -> AsyncIterator[Worker]:
    """A worker that trusts the stand-in."""
    triton = Triton(ScoringSettings(triton_url=stand_in_triton.url))
    trusted = TrustedTriton(triton, read_served_model(stand_in_repository), Running())
    yield Worker(bus, trusted, AbstentionLimits(), SystemClock())
    await triton.aclose()


@pytest.fixture
def scores(bus: Bus) -> Scores:
    """What is on the stream of scores."""
    return Scores(bus)


class Scores:
    """The stream of scores of this test."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus

    async def all(self) -> list[Score]:
        """Every score, oldest first."""
        return [decode_score(entry.payload) for entry in await self.bus.read_range(SCORES)]

    async def only(self) -> Score:
        """The one score that there is."""
        (score,) = await self.all()
        return score
