"""When there are alerts, as data: what a site says of levels, times and persons.

Scores are on the reported scale 0..10. The levels of the default are the published classes of NIPS, 3 to 4 mild to
moderate and above 4 severe (interop.md 1.1), cut half-way between whole points: 2.5, 3.5 and 4.5 of 7. They are a
beginning and no advice: cut-offs of NIPS differ between sites, and what is worth a notice is the site's to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

from neopain.domain.alert import LEVELS, AlertLevel
from neopain.domain.gestation import GA_BAND_NAMES
from neopain.domain.scales import NIPS_X10_7
from neopain.domain.threshold import Threshold


@dataclass(frozen=True, slots=True)
class LevelRule:
    """A level is reached when the score has stayed at or above the threshold for the hold time."""

    threshold: Threshold
    hold: timedelta


def _rules(*, hold_seconds: tuple[float, float, float]) -> dict[AlertLevel, LevelRule]:
    cuts = (2.5, 3.5, 4.5)
    return {
        level: LevelRule(Threshold(NIPS_X10_7.to_reported(nips)), timedelta(seconds=seconds))
        for level, nips, seconds in zip(LEVELS, cuts, hold_seconds, strict=True)
    }


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """When alerts open, rise, fall, end and escalate. Off unless a site switches them on.

    A notice that nobody has agreed to answer does harm: it is taken for an alarm, or teaches not to look.
    """

    enabled: bool = False
    levels: Mapping[AlertLevel, LevelRule] = field(default_factory=lambda: _rules(hold_seconds=(120, 60, 20)))
    hysteresis: float = 10 / 7
    """How far below a level's threshold the score must fall for the level to end."""
    distance: timedelta = timedelta(minutes=5)
    """After an end by the numbers no alert of the same infant opens for this long, except at a higher level; nor is a
    level lowered before the score has been below it for this long."""
    sustained: timedelta = timedelta(minutes=10)
    """An alert that has been open for this long is told as sustained."""
    escalate_after: timedelta = timedelta(minutes=5)
    """For how long nobody may answer before the next escalation."""
    most_escalations: int = 2
    """Of each level that was reached; 0: none."""
    longest_snooze: timedelta = timedelta(minutes=10)


DEMO_ALERTS = AlertPolicy(
    enabled=True,
    levels=_rules(hold_seconds=(10, 5, 3)),
    distance=timedelta(seconds=30),
    sustained=timedelta(minutes=1),
    escalate_after=timedelta(seconds=30),
    longest_snooze=timedelta(minutes=1),
)


def alert_inconsistencies(policy: AlertPolicy) -> Iterator[str]:
    """What contradicts itself, each in a few words; nothing when it can be used."""
    for band in GA_BAND_NAMES:
        thresholds = [policy.levels[level].threshold.of(band) for level in LEVELS]
        if any(higher <= lower for lower, higher in pairwise(thresholds)):
            yield f"the thresholds of alert.mild, moderate and severe are to rise, also for {band} weeks"
            break
    holds = [policy.levels[level].hold for level in LEVELS]
    if any(later > sooner for sooner, later in pairwise(holds)):
        yield "a higher level of alert is to be held for no longer than a lower one: it would be told later"
    if any(policy.hysteresis >= value for value in policy.levels[AlertLevel.MILD].threshold.values()):
        yield "alert.hysteresis is to be less than every threshold of alert.mild: no alert could end"
