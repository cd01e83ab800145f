"""Pictures and times that several rooms' tests share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from neopain.domain.time import TimeQuality, Timing

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def timing_of(seconds: float) -> Timing:
    moment = START + timedelta(seconds=seconds)
    return Timing(moment, moment, TimeQuality.SOURCE, moment)


@pytest.fixture
def timing_at() -> Callable[[float], Timing]:
    """The timing of an item so many seconds after 12:00, by a source clock that is right."""
    return timing_of


@pytest.fixture
def halves() -> NDArray[np.uint8]:
    """A 320x240 picture: left half red, right half blue."""
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[:, :160] = (255, 0, 0)
    picture[:, 160:] = (0, 0, 255)
    return picture
