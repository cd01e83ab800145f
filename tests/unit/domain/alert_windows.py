"""Windows of one bed for the tests of alerts: a second is a window, and time is counted from noon."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from neopain.domain.alert import Alert, AlertEvent, AlertLevel
from neopain.domain.alert_policy import AlertPolicy, LevelRule
from neopain.domain.alerting import Watch, follow
from neopain.domain.assignment import Assignment
from neopain.domain.census import Infant
from neopain.domain.drugs import DrugMark
from neopain.domain.identity import BedId, PatientId
from neopain.domain.policy import ChartingPolicy
from neopain.domain.score import Estimate, ModelVersion, Outcome, Score, Weights
from neopain.domain.threshold import Threshold

BED = BedId("NICU/1/A")
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MODEL = ModelVersion("m1", Weights.SITE)
MILD, MODERATE, SEVERE = AlertLevel
ALERT = AlertPolicy(
    enabled=True,
    levels={
        MILD: LevelRule(Threshold(4.0), timedelta(seconds=6)),
        MODERATE: LevelRule(Threshold(6.0), timedelta(seconds=4)),
        SEVERE: LevelRule(Threshold(8.0, {"<28": 7.0}), timedelta(seconds=2)),
    },
    hysteresis=1.0,
    distance=timedelta(seconds=10),
    sustained=timedelta(seconds=60),
    escalate_after=timedelta(seconds=30),
    most_escalations=2,
    longest_snooze=timedelta(seconds=100),
)
POLICY = ChartingPolicy(name="p", gap=timedelta(seconds=3), alert=ALERT)


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def lies(value: str = "A", *, weeks: int | None = None, formerly: str = "") -> Assignment:
    """The census's answer: this infant lies there."""
    patient = PatientId(value, "HOSP")
    known = Infant((patient,), formerly=(PatientId(formerly, "HOSP"),) if formerly else ())
    return Assignment(patient, "V1", gestational_age_days=weeks and weeks * 7, infant=known)


def held(reason: str = "two infants in one bed") -> Assignment:
    return Assignment(held_reason=reason)


def window(
    second: float,
    value: float | None,
    *,
    sedation: float = 0.0,
    drugs: tuple[DrugMark, ...] = (),
    reason: str = "no-modality-present",
) -> Score:
    estimate = None if value is None else Estimate(value, value, value, sedation=sedation)
    outcome = Outcome.ABSTAINED if value is None else Outcome.SCORED
    why = reason if value is None else ""
    return Score(BED, at(second), outcome, MODEL, (), at(second), estimate, why, drugs=drugs)


def course(*stretches: tuple[float | None, int], first: int = 0) -> list[Score]:
    """A window a second: so many seconds of each value."""
    values = [value for value, seconds in stretches for _ in range(seconds)]
    return [window(second, value) for second, value in enumerate(values, first)]


class Bedside:
    """Follows windows, and remembers every alert as it was last told."""

    def __init__(self, policy: ChartingPolicy = POLICY, watch: Watch | None = None) -> None:
        self.policy = policy
        self.watch = watch or Watch(BED)
        self.alerts: dict[str, Alert] = {}

    def take(self, scores: Iterable[Score], whose: Assignment | None = None) -> list[tuple[str, float]]:
        """The kinds of what happened, with the seconds."""
        happened: list[AlertEvent] = []
        for score in scores:
            done = follow(self.watch, score, self.policy, whose or lies())
            self.watch = done.watch
            if done.alert is not None:
                self.alerts[done.alert.id] = done.alert
            happened += done.events
        return told(happened)

    @property
    def alert(self) -> Alert:
        """The one that is open."""
        assert self.watch.alert is not None
        return self.watch.alert


def told(events: Iterable[AlertEvent]) -> list[tuple[str, float]]:
    return [(_word(event), (event.moment - NOON).total_seconds()) for event in events]


def _word(event: AlertEvent) -> str:
    word = event.reason if event.kind.value == "ended" else event.level.value
    return f"{event.kind.value} {word}"
