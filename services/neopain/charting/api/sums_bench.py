"""How long it takes to find an infant's last hour among many aggregates, and what writing a ward's costs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, text

from neopain.charting.aggregates import ensure_days, sum_up_scores, vital_row, write
from neopain.charting.api.access import Limits
from neopain.charting.api.aggregates import search_aggregates
from neopain.charting.api.scene import Scene
from neopain.charting.intake import Intake, take_score
from neopain.charting.unit_of_work import unit_of_work
from neopain.codecs.fhir.census import Naming
from neopain.codecs.fhir.ids import patient_id
from neopain.codecs.fhir.refusal import Warnings
from neopain.codecs.fhir.search import MOST_COUNT, read_search
from neopain.domain.aggregate import AGGREGATED, SLOT, VitalAggregate, slot_of
from neopain.domain.identity import BedId, PatientId, bed_id
from neopain.domain.policy import DEFAULT_POLICY, SitePolicies
from neopain.domain.score import Estimate, Modality, ModelVersion, Outcome, Presence, Score, Weights
from neopain.domain.vitals import Processing
from neopain.runtime.clock import SystemClock

INFANTS = 100
AUTHORITY = "BENCH"
FILL = text("""
INSERT INTO aggregates
  (bed, kind, begins, ends, patient_authority, patient_value, patient_type, visit, value, low, high, count, detail,
   written)
SELECT
  'BENCH//' || bed, kind, begins, begins + interval '10 s', :authority, 'M' || bed, 'MR', 'V' || bed, 140, 135, 150, 10,
  '{"seen": 10}', begins
FROM generate_series(1, :infants) bed, unnest(CAST(:kinds AS text[])) kind,
     generate_series(CAST(:since AS timestamptz), CAST(:until AS timestamptz), interval '10 s') begins
""")


@dataclass(frozen=True, slots=True)
class SumsMeasured:
    """Milliseconds of each search, of writing one slot of vitals of all beds, and of summing up one of scores."""

    rows: int
    found: int
    searches_ms: list[float]
    vitals_write_ms: list[float]
    scores_sum_ms: list[float]
    plan: list[str]


def measure_sums(engine: Engine, *, rows: int, searches: int) -> SumsMeasured:
    """Fills an empty database with about so many aggregates of vitals and measures. ``DatabaseUnavailable``."""
    now = slot_of(SystemClock().now())
    filled = _fill(engine, rows=rows, until=now - SLOT)
    took, found, plan = [], 0, []
    for number in range(searches):
        begun = time.perf_counter()
        found = _last_hour(engine, number % INFANTS + 1, now)
        took.append(1000 * (time.perf_counter() - begun))
    with engine.connect() as connection:
        plan = [str(line) for line in connection.scalars(text(EXPLAIN), _named(1, now))]
    intake = Intake(engine, SitePolicies(DEFAULT_POLICY), SystemClock())
    return SumsMeasured(
        rows=filled,
        found=found,
        searches_ms=took,
        vitals_write_ms=[_write_slot(intake, now + number * SLOT) for number in range(5)],
        scores_sum_ms=[_sum_slot(intake, now + number * SLOT) for number in range(3)],
        plan=plan,
    )


EXPLAIN = """
EXPLAIN SELECT * FROM aggregates
WHERE md5((COALESCE(patient_authority, '') || '|') || patient_value) IN (:patient) AND begins >= :since
ORDER BY begins DESC LIMIT 501
"""


def _named(infant: int, now: datetime) -> dict[str, object]:
    return {"patient": patient_id(PatientId(f"M{infant}", AUTHORITY)), "since": now - timedelta(hours=1)}


def _fill(engine: Engine, *, rows: int, until: datetime) -> int:
    kinds = [kind.value for kind in AGGREGATED]
    slots = max(rows // (INFANTS * len(kinds)), 1)
    since = until - (slots - 1) * SLOT
    named = {"authority": AUTHORITY, "infants": INFANTS, "kinds": kinds, "since": since, "until": until}
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        for day in range((until.date() - since.date()).days + 1):
            ensure_days(connection, now=since + timedelta(days=day))
        filled = connection.execute(FILL, named).rowcount
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE aggregates"))
    return filled


def _last_hour(engine: Engine, infant: int, now: datetime) -> int:
    since = now - timedelta(hours=1)
    pairs = [
        ("category", "aggregate"),
        ("patient", str(_named(infant, now)["patient"])),
        ("date", f"ge{since:%Y-%m-%dT%H:%M:%SZ}"),
        ("_count", str(MOST_COUNT)),
    ]
    search = read_search("Observation", pairs, is_strict=True, warnings=Warnings())
    with engine.connect() as connection:
        return len(search_aggregates(connection, search, Limits(), Scene(now, Naming({}))).matches)


def _beds() -> list[BedId]:
    return [bed_id(unit="NEW", bed=str(number + 1)) for number in range(INFANTS)]


def _write_slot(intake: Intake, begin: datetime) -> float:
    begun = time.perf_counter()
    with unit_of_work(intake.engine, intake.clock) as unit:
        vitals = [VitalAggregate(kind, 90.0, 80.0, 99.0, 10, {}, Processing.PRODUCTION) for kind in AGGREGATED]
        rows = [vital_row(intake, bed, begin, one, []) for bed in _beds() for one in vitals]
        write(unit.connection, rows, now=intake.clock.now())
    return 1000 * (time.perf_counter() - begun)


def _sum_slot(intake: Intake, begin: datetime) -> float:
    for bed in _beds():
        for second in range(1, 11):
            take_score(intake, _score(bed, begin + timedelta(seconds=second)))
    begun = time.perf_counter()
    sum_up_scores(intake, now=begin + 10 * SLOT)
    return 1000 * (time.perf_counter() - begun)


def _score(bed: BedId, end: datetime) -> Score:
    return Score(
        bed=bed,
        window_end=end,
        outcome=Outcome.SCORED,
        model=ModelVersion("bench", Weights.UNTRAINED),
        presences=tuple(Presence(modality, is_present=True, coverage=1.0) for modality in Modality),
        produced=end,
        estimate=Estimate(3.0, 2.0, 4.0),
    )
