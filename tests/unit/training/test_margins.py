"""Which groups have margins of their own, and what moves them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neopain.domain.calibration import POOLED, Floats
from neopain.training.margins import group_margins
from neopain.training.rated import Rated

# How far the ends of each quantile lie from the median, for a 50 % interval of half width 1.
SHAPE = np.array([-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0])


def rated(label: Floats, quantiles: Floats, *, pattern: str = "FC", band: str = ">=37") -> Rated:
    """One window of each infant."""
    count = len(label)
    return Rated(
        quantiles=quantiles,
        label=label,
        distance=np.zeros(count),
        infants=np.arange(count),
        moments=np.arange(count),
        patterns=np.full(count, pattern),
        bands=np.full(count, band),
    )


def both(one: Rated, other: Rated) -> Rated:
    """The rows of both."""
    names = ("quantiles", "label", "distance", "infants", "moments", "patterns", "bands")
    return Rated(**{name: np.concatenate([getattr(one, name), getattr(other, name)]) for name in names})


def around_five(infants: int, *, half_width: float = 0.25, off: float = 0.0) -> Rated:
    """Infants whose medians are 5 and whose labels are ``off`` from there."""
    quantiles = np.tile(5.0 + half_width * SHAPE, (infants, 1))
    return rated(np.full(infants, 5.0 + off), quantiles)


def widths(rows: Rated, group: tuple[str, str] = POOLED) -> tuple[float, ...]:
    """The margins of a group, the quantiles taken as they are."""
    return group_margins(rows, rows.quantiles)[group].widths


def test_labels_that_lie_outside_are_brought_inside() -> None:
    # Ends at 0.25, 0.5, 0.75 and 1 from the median; the labels at 1.5.
    assert widths(around_five(40, off=1.5)) == (1.25, 1.0, 0.75, 0.5)


def test_labels_that_lie_well_inside_bring_the_ends_nearer() -> None:
    assert widths(around_five(40, half_width=1.0, off=-0.5)) == (-0.5, -1.5, -2.5, -3.5)


def test_only_the_end_on_the_labels_side_of_the_median_has_to_reach_it() -> None:
    """The labels lie 0.2 above the median; the low ends are near to it, the high ones 1, 2, 3 and 4 away."""
    quantiles = np.tile([4.6, 4.7, 4.8, 4.9, 5.0, 6.0, 7.0, 8.0, 9.0], (40, 1))
    found = widths(rated(np.full(40, 5.2), quantiles))
    assert found == pytest.approx((-0.8, -1.8, -2.8, -3.8), abs=0.0002)


def test_too_few_infants_make_an_interval_the_whole_scale() -> None:
    assert widths(around_five(10, off=1.5)) == (1.25, 1.0, 0.75, 10.0)


def test_the_infants_of_a_group_are_counted() -> None:
    assert group_margins(around_five(40), around_five(40).quantiles)[POOLED].infants == 40


@pytest.mark.parametrize(("infants", "has_own"), [(19, False), (20, True)])
def test_a_group_of_fewer_than_twenty_infants_has_no_margins_of_its_own(infants: int, has_own: bool) -> None:
    rows = both(around_five(infants), rated(np.full(40, 5.0), np.tile(5 + SHAPE, (40, 1)), pattern="P", band="<28"))
    found = group_margins(rows, rows.quantiles)
    assert (("FC", ">=37") in found, ("FC", "") in found, ("", ">=37") in found) == (has_own,) * 3
    assert ("P", "<28") in found


def test_each_group_has_the_margins_of_its_own_errors() -> None:
    term = around_five(40, off=1.5)
    preterm = replace(around_five(40, off=2.5), infants=np.arange(40, 80), moments=np.arange(40, 80))
    rows = both(term, replace(preterm, bands=np.full(40, "<28")))
    assert widths(rows, ("FC", ">=37")) == (1.25, 1.0, 0.75, 0.5)
    assert widths(rows, ("FC", "<28")) == (2.25, 2.0, 1.75, 1.5)


def test_margins_are_rounded_up() -> None:
    assert widths(around_five(40, off=1.50001)) == (1.2501, 1.0001, 0.7501, 0.5001)


def no_pain(infants: int) -> Rated:
    """Infants of whom the model is certain that they have no pain, and who have none."""
    return rated(np.zeros(infants), np.tile([0.0, 0, 0, 0, 0.04, 0.05, 0.06, 0.07, 0.08], (infants, 1)))


def test_windows_without_any_doubt_spare_nothing_for_those_in_doubt() -> None:
    """60 certain ones are covered, and half of 40 in doubt: 50 % of all would be with no interval at all."""
    label = np.where(np.arange(40) % 2, 5.0, 6.5)
    doubtful = replace(around_five(40), label=label, infants=np.arange(60, 100), moments=np.arange(60, 100))
    assert widths(both(no_pain(60), doubtful))[0] == 0.0


def test_an_end_at_zero_needs_no_margin() -> None:
    """The labels are below any margin could reach; the high ends decide, and lie far away."""
    quantiles = np.tile(np.array([0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), (40, 1))
    assert max(widths(rated(np.full(40, 1.5), quantiles))) == -0.5


def with_less(full: Rated, pattern: str, quantiles: Floats) -> Rated:
    """The same windows, scored with less of them, too."""
    return both(full, replace(full, patterns=np.full(len(full.label), pattern), quantiles=quantiles))


def test_intervals_are_wider_on_the_same_windows_when_a_modality_is_gone() -> None:
    """Labels are 1 from the medians of face and cry; from the cry alone the model is surer, and nearer to them."""
    label = 5.0 + np.where(np.arange(40) % 2, 1.0, -1.0)
    full = replace(around_five(40), label=label)
    rows = with_less(full, "C", label[:, None] + 0.2 + 0.1 * SHAPE)
    assert widths(rows, ("FC", "")) == (0.75, 0.5, 0.25, 0.0)  # 2 wide
    assert widths(rows, ("C", "")) == pytest.approx((0.93, 0.83, 0.73, 0.63), abs=0.0002)  # 2.06 wide


def test_intervals_that_are_wide_enough_stay() -> None:
    full = around_five(40, off=0.5)
    rows = with_less(full, "C", np.tile(4.5 + SHAPE, (40, 1)))
    assert widths(rows, ("FC", "")) == (0.25, 0.0, -0.25, -0.5)  # 1 wide
    assert widths(rows, ("C", "")) == (0.0, -1.0, -2.0, -3.0)  # 2 wide


def test_other_windows_do_not_widen_a_pattern() -> None:
    wide = around_five(40, half_width=1.0, off=4.0)
    narrow = replace(
        around_five(40, half_width=0.25, off=0.5),
        patterns=np.full(40, "C"),
        infants=np.arange(40, 80),
        moments=np.arange(40, 80),
    )
    assert widths(both(wide, narrow), ("C", "")) == (0.25, 0.0, -0.25, -0.5)
