"""What charting's consumer does now and then: one chore that fails keeps no other waiting, nor does a clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from tests.clocks import SetClock

from neopain.bus.bus import Bus
from neopain.bus.connection import BusAddress
from neopain.charting.service import HOUSEKEEPING, ChartingConsumer
from neopain.charting.settings import ChartingSettings
from neopain.errors import ConfigurationError, DatabaseUnavailable
from neopain.runtime.service import Running

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
URL = "postgresql+psycopg2://nobody@127.0.0.1:1/none"


class Rounds(Running):
    """Each round begins so long after the start; after the last one the service is to stop."""

    def __init__(self, clock: SetClock, *begins: timedelta) -> None:
        super().__init__()
        self.clock = clock
        self.begins = list(begins)

    async def pause(self, seconds: float) -> bool:
        if not self.begins:
            return False
        self.clock.moment = NOON + self.begins.pop(0)
        return True


class Tended(ChartingConsumer):
    """A consumer whose chores only say that they were done."""

    def __init__(self, clock: SetClock) -> None:
        settings = ChartingSettings(database_url=URL, audit_anchor_path=Path("anchors"), audit_anchor_seconds=60)
        super().__init__(settings, Bus(BusAddress("redis://127.0.0.1:1", ())), create_engine(URL), clock)
        self.done: list[str] = []
        self.failing: dict[str, Exception] = {}

    def note(self, chore: str) -> None:
        if chore in self.failing:
            raise self.failing[chore]
        self.done.append(chore)

    async def close_silent_beds(self) -> None:
        self.note("beds")

    async def _anchor(self) -> None:
        self.note("anchor")

    def _keep_house(self) -> None:
        self.note("house")


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOON)


async def test_an_anchor_that_cannot_be_written_keeps_no_old_data(clock: SetClock) -> None:
    tended = Tended(clock)
    tended.failing = {"anchor": ConfigurationError("no space"), "beds": DatabaseUnavailable("away")}

    await tended._tend(Rounds(clock, HOUSEKEEPING))

    assert tended.done == ["house"]


async def test_what_a_clock_that_was_ahead_put_off_is_done_when_it_is_right(clock: SetClock) -> None:
    tended = Tended(clock)
    ahead = timedelta(days=1)

    await tended._tend(Rounds(clock, ahead, timedelta(seconds=1), timedelta(seconds=2)))

    assert tended.done == ["beds", "anchor", "house"] * 2 + ["beds"]
