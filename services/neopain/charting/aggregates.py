"""Aggregates as rows: made of what is kept, replaced by what was made of more, gone with their day.

Scores: whoever takes one marks its slot in the same transaction (``live``); here marked slots are summed up from the
windows, and the mark goes with the commit. A consumer that is killed leaves marks, and the next one finds them.
Vitals: see ``vitals_pass``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, Integer, Row, delete, or_, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert

from neopain.charting.census import history_of
from neopain.charting.entries import DRAFT
from neopain.charting.intake import Intake
from neopain.charting.live import whose_columns
from neopain.charting.processing import least_of
from neopain.charting.retention.holds import extend_holds, lock_holds
from neopain.charting.tables import AGGREGATE_SLOTS, AGGREGATES
from neopain.charting.unit_of_work import UnitOfWork, unit_of_work
from neopain.domain.aggregate import SLOT, ScoreAggregate, VitalAggregate, aggregate_scores, owner_of
from neopain.domain.assignment import Assignment, CensusFact, assign
from neopain.domain.charting import DraftEntry
from neopain.domain.gestation import ga_band
from neopain.domain.identity import BedId, PatientId
from neopain.domain.score import Score
from neopain.domain.vitals import Processing, VitalKind
from neopain.domain.window import VITALS_SPAN
from neopain.errors import ContractBroken
from neopain.wire.score import decode_score

SCORE = "score"
"""Kind of an aggregate of scores; the others are named as their ``VitalKind``."""
GRACE = timedelta(seconds=1.5)
"""How long after its end a slot is first summed up. A window that comes later has it summed up again."""
MOST_SLOTS = 500
"""Summed up in one transaction."""
LOCK = 7_305_108
"""Key of the advisory lock of whoever sums up: one process at a time, since two would do the same."""
OF_WHOM = ("patient_authority", "patient_value", "patient_type", "visit", "held_reason")
OF_WHAT = ("value", "low", "high", "count", "detail")


@dataclass(frozen=True, slots=True)
class Detail:
    """What of an aggregate has no column of its own. ``seen``: values or windows of all sorts that it is made of."""

    seen: int
    reasons: dict[str, int] = field(default_factory=dict)
    processing: Processing = Processing.PRODUCTION
    named: tuple[PatientId, ...] = ()
    draft: dict[str, Any] | None = None
    """Of scores: the fields of the ``DraftEntry`` that are in no column."""


DETAIL = TypeAdapter(Detail)
IN_COLUMNS = {"bed", "kind", "begin", "end", "value", "low", "high", "windows_scored", "processing"}


@dataclass(frozen=True, slots=True)
class StoredAggregate:
    """An aggregate of an infant. ``scores`` is there where it is one of scores, ``vital`` otherwise."""

    bed: BedId
    begin: datetime
    patient: PatientId
    visit: str
    version: int
    written: datetime
    scores: ScoreAggregate | None = None
    vital: VitalAggregate | None = None


def sum_up_scores(intake: Intake, *, now: datetime) -> int:
    """Sums up the marked slots that have ended, at most ``MOST_SLOTS``; returns how many.

    ``DatabaseUnavailable``: nothing was written, and the marks are still there.
    """
    with unit_of_work(intake.engine, intake.clock) as unit:
        connection = unit.connection
        if not is_mine(connection):
            return 0
        due = _take_slots(connection, before=now - SLOT - GRACE)
        windows, blinded = _windows_of(connection, due)
        histories = _histories(connection, windows)
        rows = [
            {**_score_row(intake, bed, begin, scores, histories[bed]), "in_study": (bed, begin) in blinded}
            for (bed, begin), scores in sorted(windows.items())
        ]
        write(connection, rows, now=now)
        return len(due)


def vital_row(
    intake: Intake, bed: BedId, begin: datetime, vital: VitalAggregate, history: Sequence[CensusFact]
) -> dict[str, Any]:
    """The row of an aggregate of vitals."""
    whose = slot_owner(history, begin, vital.named)
    processing = least_of(vital.processing, whose.processing)
    detail = Detail(vital.count + sum(vital.reasons.values()), dict(vital.reasons), processing, vital.named)
    return {
        "bed": bed,
        "kind": vital.kind.value,
        "begins": begin,
        "ends": begin + SLOT,
        **whose_columns(whose, processing, is_test_ehr=intake.takes_test_input),
        "value": vital.value,
        "low": vital.low,
        "high": vital.high,
        "count": vital.count,
        "detail": DETAIL.dump_python(detail, mode="json", exclude_defaults=True),
    }


def write(connection: Connection, rows: Sequence[Mapping[str, Any]], *, now: datetime) -> int:
    """Adds the rows, or puts them in the place of what says otherwise and is made of no more; returns how many."""
    if not rows:
        return 0
    new = insert(AGGREGATES)
    old, put = AGGREGATES.c, new.excluded
    names = (*OF_WHOM, *OF_WHAT)
    # What the windows or the bus no longer have must not be lost from an aggregate that had it.
    is_no_less = put.detail["seen"].astext.cast(Integer) >= old.detail["seen"].astext.cast(Integer)
    differs = or_(*(old[name].is_distinct_from(put[name]) for name in names))
    changed = {**{name: put[name] for name in names}, "version": old.version + 1, "written": put.written}
    query = new.on_conflict_do_update(
        index_elements=["bed", "kind", "begins"], set_=changed, where=is_no_less & differs
    ).returning(old.bed)
    return len(connection.execute(query, [{**row, "written": now} for row in rows]).all())


def stored_aggregate(row: Row[Any]) -> StoredAggregate:
    """The aggregate of a row that has an infant; ``ContractBroken`` when another version wrote it otherwise."""
    try:
        detail = DETAIL.validate_python(row.detail)
        scores = _scores_of(row, detail) if row.kind == SCORE else None
    except (ValidationError, ValueError) as error:
        raise ContractBroken(f"an aggregate of kind {row.kind} is not what this version writes") from error
    return StoredAggregate(
        bed=BedId(row.bed),
        begin=row.begins,
        patient=PatientId(row.patient_value, row.patient_authority or "", row.patient_type),
        visit=row.visit,
        version=row.version,
        written=row.written,
        scores=scores,
        vital=None if row.kind == SCORE else _vital_of(row, detail),
    )


def ensure_days(connection: Connection, *, now: datetime, days: int = 3) -> None:
    """Makes the partitions of yesterday, today and the days after it, where they are missing."""
    for number in range(-1, days):
        connection.execute(text("SELECT aggregates_add_partition(:day)"), {"day": _day(now) + timedelta(days=number)})


def drop_days(unit: UnitOfWork, *, now: datetime, kept: timedelta) -> int:
    """Drops what is older than is kept, whole days at a time, but held infants' rows; returns how many days went.

    A hold that is placed meanwhile waits: it would be too late for what goes.
    """
    lock_holds(unit.connection)
    extend_holds(unit, now=now)
    return int(unit.connection.scalar(text("SELECT aggregates_drop_before(:day)"), {"day": _day(now - kept)}) or 0)


def is_mine(connection: Connection) -> bool:
    """Whether no other process sums up now; none does until the transaction ends."""
    return bool(connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": LOCK}))


def wait_until_mine(connection: Connection) -> None:
    """Waits until nobody sums up; nobody does until the transaction ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


def slot_owner(history: Sequence[CensusFact], begin: datetime, named: Sequence[PatientId]) -> Assignment:
    """Whose a slot is: of the first second as well as of the last, or nobody's."""
    return owner_of([assign(history, moment, named) for moment in (begin + timedelta(seconds=1), begin + SLOT)])


def _day(moment: datetime) -> date:
    return moment.date()


def _take_slots(connection: Connection, *, before: datetime) -> list[tuple[BedId, datetime]]:
    """Removes marks and returns them. To be done before the windows are read: a mark that comes later stays."""
    slots = AGGREGATE_SLOTS.c
    due = select(slots.bed, slots.begins).where(slots.begins <= before).order_by(slots.begins).limit(MOST_SLOTS)
    taken = delete(AGGREGATE_SLOTS).where(tuple_(slots.bed, slots.begins).in_(due))
    return [(BedId(bed), begins) for bed, begins in connection.execute(taken.returning(slots.bed, slots.begins))]


WINDOWS_OF = text("""
SELECT due.bed, due.begins, windows.score, windows.in_study
FROM unnest(CAST(:beds AS text[]), CAST(:begins AS timestamptz[])) AS due (bed, begins)
JOIN windows ON windows.bed = due.bed
  AND windows.window_end > due.begins AND windows.window_end <= due.begins + interval '10 seconds'
ORDER BY due.bed, windows.window_end
""")


def _windows_of(
    connection: Connection, due: Sequence[tuple[BedId, datetime]]
) -> tuple[dict[tuple[BedId, datetime], list[Score]], set[tuple[BedId, datetime]]]:
    """The windows of each slot, and the slots of which one was taken in study mode."""
    blinded: set[tuple[BedId, datetime]] = set()
    found: dict[tuple[BedId, datetime], list[Score]] = defaultdict(list)
    named = {"beds": [bed for bed, _ in due], "begins": [begins for _, begins in due]}
    for bed, begins, payload, in_study in connection.execute(WINDOWS_OF, named):
        found[bed, begins].append(decode_score(payload))
        if in_study:
            blinded.add((bed, begins))
    return found, blinded


def _histories(connection: Connection, slots: Iterable[tuple[BedId, datetime]]) -> dict[BedId, list[CensusFact]]:
    earliest: dict[BedId, datetime] = {}
    for bed, begin in slots:
        earliest[bed] = min(begin, earliest.get(bed, begin))
    return {bed: history_of(connection, bed, since=begin - VITALS_SPAN) for bed, begin in earliest.items()}


def _score_row(
    intake: Intake, bed: BedId, begin: datetime, scores: Sequence[Score], history: Sequence[CensusFact]
) -> dict[str, Any]:
    whose = owner_of([assign(history, score.window_end, score.patients) for score in scores])
    band = ga_band(whose.gestational_age_days)
    summed = aggregate_scores(begin, scores, intake.policies.of(bed), band=band)
    told = replace(summed.draft, processing=least_of(summed.draft.processing, whose.processing))
    left = DRAFT.dump_python(told, mode="json", exclude_defaults=True, exclude=IN_COLUMNS)
    named = tuple(dict.fromkeys(patient for score in scores for patient in score.patients))
    detail = Detail(told.windows, dict(summed.reasons), told.processing, named, left)
    return {
        "bed": bed,
        "kind": SCORE,
        "begins": begin,
        "ends": begin + SLOT,
        **whose_columns(whose, told.processing, is_test_ehr=intake.takes_test_input),
        "value": told.value,
        "low": told.low,
        "high": told.high,
        "count": told.windows_scored,
        "detail": DETAIL.dump_python(detail, mode="json", exclude_defaults=True),
    }


def _scores_of(row: Row[Any], detail: Detail) -> ScoreAggregate:
    told: DraftEntry = DRAFT.validate_python(
        {
            **(detail.draft or {}),
            "bed": row.bed,
            "kind": "interval-summary",
            "begin": row.begins,
            "end": row.ends,
            "value": row.value,
            "low": row.low,
            "high": row.high,
            "windows_scored": row._mapping["count"],
            "processing": detail.processing,
        }
    )
    return ScoreAggregate(told, detail.reasons)


def _vital_of(row: Row[Any], detail: Detail) -> VitalAggregate:
    return VitalAggregate(
        kind=VitalKind(row.kind),
        value=row.value,
        low=row.low,
        high=row.high,
        count=row._mapping["count"],
        reasons=detail.reasons,
        processing=detail.processing,
        named=detail.named,
    )
