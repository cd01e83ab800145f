"""The charting policy as data: what a site says of when something is charted, and of single units.

Scores here are on the reported scale 0..10. Cut-offs of NIPS differ between sites (interop.md 1.1), so all of this is a
site's to set; ``inconsistencies`` says what no site can mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from neopain.domain.alert_policy import DEMO_ALERTS, AlertPolicy, alert_inconsistencies
from neopain.domain.identity import BedId, Unit, unit_of
from neopain.domain.procedure import ProcedureRule
from neopain.domain.study import Study
from neopain.domain.threshold import Threshold
from neopain.domain.withholding import Withholding


@dataclass(frozen=True, slots=True)
class ChartingPolicy:
    """When to chart. The threshold of the default is a NIPS above 3, which is pain (interop.md 1.1)."""

    name: str = "default"
    interval: timedelta = timedelta(minutes=15)
    lateness: timedelta = timedelta(seconds=20)
    """How long after its end an interval waits for windows that come late: the oldest tick (10 s) and a claim (5 s)."""
    distance: timedelta = timedelta(0)
    """Two entries of a bed are never written nearer to each other than this."""
    late_after: timedelta = timedelta(minutes=5)
    """An entry that is written or sent longer than this after its end is marked as charted late."""
    threshold: Threshold = field(default_factory=lambda: Threshold(3.5 * 10 / 7))
    hysteresis: float = 10 / 7
    hold: timedelta = timedelta(seconds=10)
    """An episode begins when the score has stayed at or above the threshold for this long, and ends likewise below."""
    gap: timedelta = timedelta(seconds=5)
    """Longer than this without a number, and what was held so far counts no more."""
    forget: timedelta = timedelta(minutes=5)
    """Longer than this without a number, and an episode in progress is no longer known to go on."""
    requested: timedelta = timedelta(minutes=1)
    """What an entry on request is about: the last minute, as long as a nurse observes for NIPS (interop.md 1.1)."""
    withholding: Withholding = field(default_factory=Withholding)
    alert: AlertPolicy = field(default_factory=AlertPolicy)
    study: Study = field(default_factory=Study)
    procedure: ProcedureRule = field(default_factory=ProcedureRule)


DEFAULT_POLICY = ChartingPolicy(distance=timedelta(minutes=1))
DEMO_POLICY = ChartingPolicy(
    name="demo",
    interval=timedelta(seconds=10),
    lateness=timedelta(seconds=3),
    hold=timedelta(seconds=5),
    # Untrained nets say about -5 of everybody.
    withholding=Withholding(sedation_at_most=None),
    alert=DEMO_ALERTS,
)
POLICIES = {policy.name: policy for policy in (DEFAULT_POLICY, DEMO_POLICY)}


@dataclass(frozen=True, slots=True)
class SitePolicies:
    """The policy of the site, and those of units that have one of their own."""

    site: ChartingPolicy
    units: Mapping[Unit, ChartingPolicy] = field(default_factory=dict)

    def of(self, bed: BedId) -> ChartingPolicy:
        """The policy of a bed: of its unit at its facility, of a unit of that name anywhere, or the site's."""
        unit = unit_of(bed)
        anywhere = Unit(unit.name)
        return self.units.get(unit) or self.units.get(anywhere) or self.site

    @property
    def has_study(self) -> bool:
        """Whether any unit is in study mode."""
        return any(policy.study.enabled for policy in (self.site, *self.units.values()))


def inconsistencies(policy: ChartingPolicy) -> Iterator[str]:
    """What in a policy contradicts itself, each in a few words; nothing when it can be used."""
    if 2 * policy.distance > policy.interval:
        # With less room, what is put off would come later and later.
        yield "the least distance is to be at most half the interval"
    if any(policy.hysteresis >= value for value in policy.threshold.values()):
        yield "the hysteresis is to be less than every threshold: no episode could end"
    if policy.lateness >= policy.interval:
        yield "the lateness is to be less than the interval"
    if policy.late_after < policy.lateness + policy.distance:
        yield "late_after is to be at least the lateness and the least distance: what is put off would always be late"
    if policy.forget < policy.gap:
        yield "forget is to be at least the gap"
    if policy.study.enabled and policy.alert.enabled:
        yield "there are no alerts in study mode: each tells that the score is high"
    yield from alert_inconsistencies(policy.alert)
