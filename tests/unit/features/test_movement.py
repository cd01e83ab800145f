from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from neopain.features.movement import MovementMeter

START = datetime(2026, 3, 1, tzinfo=UTC)
View = NDArray[np.uint8]


@pytest.fixture
def cot() -> Callable[[int], View]:
    """A 320x240 view of a textured cot with a light limb of 60x40 pixels at the given column."""
    background = np.random.default_rng(5).integers(60, 120, (12, 16, 3), dtype=np.uint8)

    def make(column: int) -> View:
        view = np.kron(background, np.ones((20, 20, 1), np.uint8))
        view[100:140, column : column + 60] = 200
        return view

    return make


def energy(first: View, second: View, *, seconds: float = 0.25) -> float | None:
    meter = MovementMeter()
    meter.measure(first, START)
    return meter.measure(second, START + timedelta(seconds=seconds))


def test_a_still_view_has_no_energy(cot: Callable[[int], View]) -> None:
    assert energy(cot(50), cot(50)) == 0.0


def test_sensor_noise_has_almost_none(cot: Callable[[int], View]) -> None:
    noise = np.random.default_rng(6).normal(0, 6, (240, 320, 3))
    noisy = np.clip(cot(50) + noise, 0, 255).astype(np.uint8)
    assert energy(cot(50), noisy) == pytest.approx(0.0, abs=0.05)


def test_a_limb_that_moves_further_has_more_energy(cot: Callable[[int], View]) -> None:
    ways = [energy(cot(50), cot(50 + pixels)) for pixels in (2, 5, 10)]
    assert ways == pytest.approx([0.16, 0.44, 0.57], abs=0.03)


@pytest.mark.parametrize("contrast", [0.3, 2.0])
def test_what_a_limb_is_wrapped_in_matters_little(cot: Callable[[int], View], contrast: float) -> None:
    def wrapped(column: int) -> View:
        view = cot(column).astype(np.float64)
        view[100:140, column : column + 60] = 90 + contrast * 50
        return view.astype(np.uint8)

    assert energy(wrapped(50), wrapped(55)) == pytest.approx(energy(cot(50), cot(55)), rel=0.4)


@pytest.mark.parametrize("gain", [0.5, 0.8, 1.2])
def test_a_change_of_the_light_has_almost_none(cot: Callable[[int], View], gain: float) -> None:
    lit = np.clip(cot(50) * gain, 0, 255).astype(np.uint8)
    assert energy(cot(50), lit) == pytest.approx(0.0, abs=0.05)


def test_a_new_scene_has_the_most() -> None:
    rng = np.random.default_rng(7)
    scenes = [np.kron(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8), np.ones((20, 20, 1), np.uint8)) for _ in "ab"]
    assert energy(scenes[0], scenes[1]) == 1.0


def test_the_same_way_in_half_the_time_is_twice_the_energy(cot: Callable[[int], View]) -> None:
    slow, fast = energy(cot(50), cot(53), seconds=0.25), energy(cot(50), cot(53), seconds=0.125)
    assert slow is not None
    assert fast == pytest.approx(2 * slow)


def test_the_first_picture_has_no_energy_to_tell(cot: Callable[[int], View]) -> None:
    assert MovementMeter().measure(cot(50), START) is None


def test_pictures_more_than_a_second_apart_are_not_compared(cot: Callable[[int], View]) -> None:
    assert energy(cot(50), cot(100), seconds=1.2) is None


def test_pictures_of_different_size_are_not_compared(cot: Callable[[int], View]) -> None:
    assert energy(cot(50), cot(50)[:200]) is None
