"""What a calibration does to quantiles, and whose margins a window gets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.domain.calibration import (
    INTERVALS,
    PATTERNS,
    POOLED,
    AbstentionLimits,
    Calibration,
    Margins,
    identity,
    pattern_of,
)
from neopain.domain.score import Modality, Presence
from neopain.features.signature import QUANTILES

RAW = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]


def with_margins(*widths: float, **changes: object) -> Calibration:
    """The identity with those margins for every window."""
    return replace(identity(), margins={POOLED: Margins(widths, infants=100)}, **changes)  # type: ignore[arg-type]


def applied(calibration: Calibration, quantiles: list[float]) -> list[float]:
    """The calibrated quantiles of a window with everything, of an infant at term."""
    values: list[float] = calibration.applied(quantiles, pattern="FCPM", band=">=37").tolist()
    return values


def test_the_quantiles_of_the_signature_enclose_the_intervals() -> None:
    enclosed = [QUANTILES[4 + k] - QUANTILES[4 - k] for k in range(1, 5)]
    assert enclosed == pytest.approx(INTERVALS)


def test_the_identity_changes_nothing() -> None:
    assert applied(identity(), RAW) == RAW


def test_quantiles_beyond_the_scale_end_there() -> None:
    beyond = [-2.0, -1.0, 0.0, 4.0, 5.0, 6.0, 10.0, 11.0, 12.0]
    assert applied(identity(), beyond) == [0.0, 0.0, 0.0, 4.0, 5.0, 6.0, 10.0, 10.0, 10.0]


def test_an_interval_holds_all_quantiles_up_to_its_own() -> None:
    crossing = [3.0, 5.0, 4.5, 4.5, 4.0, 4.5, 4.5, 4.5, 8.0]
    assert applied(identity(), crossing) == [3.0, 4.0, 4.0, 4.0, 4.0, 4.5, 4.5, 5.0, 8.0]


def test_the_map_is_straight_between_its_knots() -> None:
    bent = replace(identity(), knots=((0.0, 0.0), (4.0, 2.0), (10.0, 10.0)))
    raw = [1.0, 2.0, 3.0, 4.0, 5.5, 7.0, 8.0, 8.5, 9.25]
    assert bent.mapped(raw).tolist() == [0.5, 1.0, 1.5, 2.0, 4.0, 6.0, pytest.approx(22 / 3), 8.0, 9.0]


def test_each_interval_gets_its_own_margin_at_both_ends() -> None:
    wider = with_margins(0.25, 0.5, 0.75, 1.0)
    assert applied(wider, RAW) == [0.0, 1.25, 2.5, 3.75, 5.0, 6.25, 7.5, 8.75, 10.0]


def test_a_margin_below_zero_narrows() -> None:
    assert applied(with_margins(0.0, 0.0, -0.25, -0.5), RAW) == [1.5, 2.25, 3.0, 4.0, 5.0, 6.0, 7.0, 7.75, 8.5]


def test_no_margin_takes_the_value_out_of_its_interval() -> None:
    assert applied(with_margins(-5.0, -5.0, -5.0, -5.0), RAW) == [5.0] * 9


def test_a_narrower_interval_never_reaches_beyond_a_wider_one() -> None:
    assert applied(with_margins(3.5, 0.0, 0.0, 0.0), RAW) == [0.5, 0.5, 0.5, 0.5, 5.0, 9.5, 9.5, 9.5, 9.5]


def test_an_end_near_an_end_of_the_scale_is_that_end_whatever_the_margin() -> None:
    narrower = with_margins(0.0, 0.0, 0.0, -0.5, edge=0.35)
    near = [0.35, 0.4, 1.0, 4.0, 5.0, 6.0, 7.0, 9.6, 9.7]
    assert applied(narrower, near) == [0.0, 0.4, 1.0, 4.0, 5.0, 6.0, 7.0, 9.6, 10.0]


def test_an_end_that_the_model_puts_at_an_end_of_the_scale_stays_there_after_the_map() -> None:
    """The map takes 10 to 8; the median follows, what the model does not exclude stays in."""
    flat = replace(identity(), knots=((0.0, 2.0), (10.0, 8.0)), edge=0.35)
    raw = [0.0, 0.3, 1.0, 9.0, 9.5, 9.6, 9.65, 9.8, 10.0]
    assert flat.mapped(raw).tolist() == pytest.approx([0.0, 0.0, 2.6, 7.4, 7.7, 7.76, 10.0, 10.0, 10.0])


@given(
    st.lists(st.floats(-1, 11), min_size=9, max_size=9),
    st.lists(st.floats(-10, 10), min_size=4, max_size=4),
    st.floats(0, 1),
)
def test_calibrated_quantiles_rise_within_the_scale(raw: list[float], widths: list[float], edge: float) -> None:
    found = applied(with_margins(*widths, edge=edge), raw)
    assert found == sorted(found)
    assert found[0] >= 0
    assert found[-1] <= 10


def test_many_windows_of_a_group_are_calibrated_as_one_is() -> None:
    calibration = with_margins(0.1, 0.2, 0.3, 0.4)
    rows = np.array([RAW, RAW[::-1]])
    together = calibration.applied(rows, pattern="F", band="<28")
    assert together.tolist() == [applied(calibration, RAW), applied(calibration, RAW[::-1])]


GROUPS = {
    ("FC", "<28"): Margins((1.0,) * 4, infants=20),
    ("FC", ""): Margins((2.0,) * 4, infants=80),
    ("", "<28"): Margins((3.0,) * 4, infants=30),
    POOLED: Margins((4.0,) * 4, infants=99),
}


@pytest.mark.parametrize(
    ("pattern", "band", "margin"),
    [("FC", "<28", 1.0), ("FC", ">=37", 2.0), ("PM", "<28", 3.0), ("PM", "unknown", 4.0)],
)
def test_a_window_takes_the_margins_of_the_closest_group(pattern: str, band: str, margin: float) -> None:
    calibration = replace(identity(), margins=GROUPS)
    assert calibration.margins_for(pattern=pattern, band=band) == (margin,) * 4


def test_a_site_may_be_stricter_than_the_calibration_and_not_laxer() -> None:
    calibration = replace(identity(), limits=AbstentionLimits(most_distance=1.5, widest=6.0))
    site = AbstentionLimits(most_distance=2.0, widest=5.0)
    assert calibration.tightened_by(site).limits == AbstentionLimits(most_distance=1.5, widest=5.0)


def test_a_limit_of_one_side_only_holds() -> None:
    one, other = AbstentionLimits(most_distance=1.5), AbstentionLimits(widest=5.0)
    assert one.tightened_by(other) == AbstentionLimits(most_distance=1.5, widest=5.0)


@pytest.mark.parametrize(
    ("distance", "width", "reason"),
    [(1.0, 4.0, ""), (1.01, 4.0, "unlike-training-data"), (1.0, 4.01, "interval-too-wide")],
)
def test_a_window_beyond_a_limit_gets_no_number(distance: float, width: float, reason: str) -> None:
    limits = AbstentionLimits(most_distance=1.0, widest=4.0)
    assert limits.reason_for(distance=distance, width=width) == reason


def test_without_limits_nothing_abstains() -> None:
    assert AbstentionLimits().reason_for(distance=99.0, width=10.0) == ""


def test_a_pattern_has_a_letter_for_each_present_modality() -> None:
    presences = [
        Presence(Modality.MOVEMENT, True),
        Presence(Modality.PHYSIOLOGY, False),
        Presence(Modality.CRY, False),
        Presence(Modality.FACE, True),
    ]
    assert pattern_of(presences) == "FM"


def test_there_are_fifteen_patterns_the_fullest_first() -> None:
    assert len(PATTERNS) == 15
    assert PATTERNS[0] == "FCPM"
    assert PATTERNS[-4:] == ("F", "C", "P", "M")
