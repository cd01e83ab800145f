"""What charting would have written of one bed: admissions, scores, sums of 10 s and vitals, all of now."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from sqlalchemy import Engine

from neopain.charting.aggregates import ensure_days, sum_up_scores, vital_row, write
from neopain.charting.census import history_of
from neopain.charting.facts import take_fact
from neopain.charting.intake import Intake, close_silent_beds, take_score
from neopain.charting.unit_of_work import unit_of_work
from neopain.domain.aggregate import VitalAggregate
from neopain.domain.alert_policy import DEMO_ALERTS
from neopain.domain.census import BedState, Infant
from neopain.domain.identity import BedId, PatientId
from neopain.domain.policy import ChartingPolicy, SitePolicies
from neopain.domain.score import Estimate, Modality, ModelVersion, Outcome, Presence, Score, Weights
from neopain.domain.vitals import Processing, VitalKind
from neopain.runtime.clock import SystemClock

AUTHORITY = "HOSP"
VISIT = "V1"
ALL = tuple(Modality)
POLICY = ChartingPolicy(name="test", interval=timedelta(seconds=10), lateness=timedelta(seconds=3), alert=DEMO_ALERTS)
"""An entry for each ten seconds, and notices after seconds."""
WHY_ABSENT = {
    Modality.FACE: "no-camera",
    Modality.CRY: "no-microphone",
    Modality.PHYSIOLOGY: "no-monitor",
    Modality.MOVEMENT: "too-little-data",
}


def now() -> datetime:
    """The moment."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Bedside:
    """One bed, written by the functions of charting's own consumer."""

    engine: Engine
    bed: BedId
    infant: PatientId = field(default_factory=lambda: PatientId(f"MRN-{uuid.uuid4().hex[:12]}", AUTHORITY))
    policy: ChartingPolicy = POLICY

    @property
    def name(self) -> str:
        """As the page calls it."""
        return " ".join(self.bed.partition("@")[0].split("/"))

    @property
    def path(self) -> str:
        """The address of its page."""
        return f"/bed/{quote(self.bed, safe='')}"

    @property
    def intake(self) -> Intake:
        """Charting's own, with this test's policy."""
        return Intake(self.engine, SitePolicies(self.policy), SystemClock())

    def admit(self, *, since: datetime, held: str = "") -> None:
        """The infant lies here since then; the bed is held where a reason is given."""
        self._told(BedState(self.bed, since, Infant((self.infant,), visit=VISIT), held))

    def discharge(self) -> None:
        """Nobody lies here from now on."""
        self._told(BedState(self.bed, now(), None, ""))

    def score(
        self, value: float | None, *, at: datetime, present: Iterable[Modality] = ALL, width: float = 1.0
    ) -> None:
        """One window that ends then; without a value it abstains."""
        there = set(present) if value is not None else set()
        low, high = (0.0, 0.0) if value is None else (max(0.0, value - width), min(10.0, value + width))
        score = Score(
            bed=self.bed,
            window_end=at,
            outcome=Outcome.ABSTAINED if value is None else Outcome.SCORED,
            model=ModelVersion("m1", Weights.SIMULATOR),
            presences=tuple(
                Presence(one, is_present=one in there, reason="" if one in there else WHY_ABSENT[one])
                for one in Modality
            ),
            produced=at,
            estimate=None if value is None else Estimate(value, low, high),
            reason="no-modality-present" if value is None else "",
        )
        take_score(self.intake, score)

    def hurt(self, value: float = 8.0, *, seconds: int = 8) -> None:
        """As many windows at the value, up to now: long enough for a notice."""
        end = now()
        for age in range(seconds, -1, -1):
            self.score(value, at=end - timedelta(seconds=age))

    def chart(self) -> None:
        """One entry, of a stretch that is over."""
        end = now() - timedelta(seconds=30)
        for age in range(20, -1, -5):
            self.score(4.2, at=end - timedelta(seconds=age))
        close_silent_beds(self.intake, now=now())

    def sum_up(self) -> None:
        """The sums of all that is over."""
        while sum_up_scores(self.intake, now=now() + timedelta(seconds=60)):
            pass

    def measure(self, kind: VitalKind, value: float | None, *, begin: datetime, spread: float = 2.0) -> None:
        """The sum of ten seconds of one vital sign."""
        if value is None:
            vital = VitalAggregate(kind, None, None, None, 0, {"invalid-values": 3}, Processing.PRODUCTION)
        else:
            vital = VitalAggregate(kind, value, value - spread, value + spread, 10, {}, Processing.PRODUCTION)
        with unit_of_work(self.engine, SystemClock()) as unit:
            history = history_of(unit.connection, self.bed)
            write(unit.connection, [vital_row(self.intake, self.bed, begin, vital, history)], now=now())

    def _told(self, state: BedState) -> None:
        take_fact(self.intake, fact_id=uuid.uuid4().hex, state=state, arrived=state.since)


def prepare_days(engine: Engine) -> None:
    """The tables' parts for the days that the tests write to."""
    with engine.begin() as connection:
        ensure_days(connection, now=now() - timedelta(days=1))


def slot(moment: datetime) -> datetime:
    """The beginning of the ten seconds that a moment lies in."""
    return datetime.fromtimestamp(moment.timestamp() // 10 * 10, UTC)
