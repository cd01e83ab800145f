"""The map between NIPS 0..7 and the reported 0..10."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.domain.scales import NIPS_X10_7


@pytest.mark.parametrize(("raw", "reported"), [(0, 0), (3.5, 5), (7, 10), (-1, 0), (8, 10)])
def test_nips_is_spread_over_ten_and_clipped(raw: float, reported: float) -> None:
    assert NIPS_X10_7.to_reported(raw) == reported


@pytest.mark.parametrize(("reported", "raw"), [(0, 0), (5, 3.5), (10, 7), (11, 7), (-1, 0)])
def test_the_reported_value_has_a_nips_equivalent(reported: float, raw: float) -> None:
    assert NIPS_X10_7.to_raw(reported) == raw


@given(st.floats(min_value=0, max_value=7))
def test_there_and_back_is_the_same(raw: float) -> None:
    assert NIPS_X10_7.to_raw(NIPS_X10_7.to_reported(raw)) == pytest.approx(raw)


def test_the_map_has_a_version() -> None:
    assert NIPS_X10_7.version == "nips-x10/7-v1"
