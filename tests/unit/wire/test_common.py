"""Times on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from neopain.errors import ContractBroken
from neopain.wire.common import from_us, to_us


def test_a_time_is_microseconds_since_1970() -> None:
    assert to_us(datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)) == 1_767_323_045_678_901


def test_a_time_of_another_zone_is_the_same_moment() -> None:
    there = datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    assert from_us(to_us(there)) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_time_before_1970_keeps_its_microseconds() -> None:
    assert from_us(-1) == datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def test_a_number_that_is_no_time_breaks_the_contract() -> None:
    with pytest.raises(ContractBroken, match="are no time of this calendar"):
        from_us(2**63 - 1)
