"""Bands of gestational age."""

from __future__ import annotations

import pytest

from neopain.domain.gestation import ga_band


@pytest.mark.parametrize(
    ("days", "band"),
    [(195, "<28"), (196, "28-31"), (223, "28-31"), (224, "32-36"), (258, "32-36"), (259, ">=37"), (None, "unknown")],
)
def test_a_band_ends_with_its_last_completed_week(days: int | None, band: str) -> None:
    assert ga_band(days) == band
