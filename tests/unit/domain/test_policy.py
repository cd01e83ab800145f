"""The charting policy of a bed, and policies that nobody can mean."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from neopain.domain.alert_policy import AlertPolicy
from neopain.domain.identity import BedId, Unit
from neopain.domain.policy import DEFAULT_POLICY, POLICIES, ChartingPolicy, SitePolicies, inconsistencies
from neopain.domain.threshold import Threshold

NICU, EAST, STEP_DOWN = (replace(DEFAULT_POLICY, name=name) for name in ("nicu", "nicu-east", "step-down"))
POLICIES_OF_SITE = SitePolicies(
    DEFAULT_POLICY, {Unit("NICU"): NICU, Unit("NICU", "EAST"): EAST, Unit("SD", "EAST"): STEP_DOWN}
)


@pytest.mark.parametrize(
    ("bed", "policy"),
    [
        ("NICU/1/A@EAST", "nicu-east"),
        ("NICU/1/A@WEST", "nicu"),
        ("NICU/1/A", "nicu"),
        ("SD/1/A@EAST", "step-down"),
        ("SD/1/A@WEST", "default"),
        ("NICU2/1/A@EAST", "default"),
    ],
)
def test_the_policy_is_the_nearest_that_the_bed_is_in(bed: str, policy: str) -> None:
    assert POLICIES_OF_SITE.of(BedId(bed)).name == policy


@pytest.mark.parametrize("name", list(POLICIES))
def test_the_built_in_policies_are_consistent(name: str) -> None:
    assert list(inconsistencies(POLICIES[name])) == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"interval": timedelta(minutes=1), "distance": timedelta(seconds=31)}, "half the interval"),
        ({"threshold": Threshold(5.0, {"<28": 1.0}), "hysteresis": 1.0}, "hysteresis"),
        ({"interval": timedelta(seconds=20)}, "lateness"),
        ({"late_after": timedelta(seconds=19)}, "late_after"),
        ({"forget": timedelta(seconds=4)}, "forget"),
        ({"alert": AlertPolicy(hysteresis=3.6)}, "no alert could end"),
    ],
)
def test_what_contradicts_itself_is_told(changes: dict[str, object], word: str) -> None:
    (fault,) = inconsistencies(replace(ChartingPolicy(), **changes))  # type: ignore[arg-type]

    assert word in fault
