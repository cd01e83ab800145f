"""One simulated infant and what hangs on it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from neopain.simulator.behaviour import Behaviour
from neopain.simulator.condition import Condition
from neopain.simulator.course import PainCourse
from neopain.simulator.infant import SimulatedInfant, simulated_infant
from neopain.simulator.segments import Cot

BERLIN_SUMMER = timezone(timedelta(hours=2))


@pytest.fixture
def infant() -> SimulatedInfant:
    return simulated_infant(seed=1, number=2)


@pytest.fixture
def course() -> PainCourse:
    """Rest to 12 s, lance to 20 s, recovery to 50 s, and again."""
    return PainCourse()


@pytest.fixture
def behaviour(infant: SimulatedInfant, course: PainCourse) -> Behaviour:
    return Behaviour(infant, Condition(course))


@pytest.fixture
def cot() -> Cot:
    return Cot("NICU", "R1", "2", "SIM")


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 7, 1, 14, 30, 5, 250_000, tzinfo=BERLIN_SUMMER)
