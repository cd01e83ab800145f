"""What a study has kept, for whoever evaluates it: pairs of a nurse's score and ours, and what has no other side.

No names, no record numbers: infants and nurses are pseudonyms, keyed digests that are the same within one export, and
across exports made with the same key. Who exports what is in the chain of reads before anything is told.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, exists, func, not_, select

from neopain.charting.audit.chain import AuditEvent, append
from neopain.charting.database import translated
from neopain.charting.disclosures import READS
from neopain.charting.entries import EntryState
from neopain.charting.tables import ENTRIES, STUDY_SCORES
from neopain.charting.unit_of_work import unit_of_work
from neopain.domain.entry_status import RETRACTED, EntryStatus
from neopain.domain.identity import BedId, Unit, unit_of
from neopain.domain.review import NipsItems
from neopain.domain.scales import NIPS_X10_7
from neopain.errors import ConfigurationError
from neopain.runtime.clock import Clock

EXPORTED = "study_exported"
PAIR = "pair"
NURSE_ALONE = "nurse-alone"
OURS_ALONE = "suggestion-alone"
NOT_SCORED = "no nurse scored within this time"
RETRACTED_BY_NURSE = "the nurse entered her score in error"
CORRECTED = "by the census of later that minute was not this infant's"


@dataclass(frozen=True, slots=True)
class StudyAsked:
    """What is wanted: scores of the time from ``since`` to ``until`` (not included), of a unit if one is given."""

    since: datetime
    until: datetime
    unit: Unit | None
    by: str
    reason: str
    key: bytes


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One line of the export; what one side lacks is None. Scores are 0 to 10 and, as NIPS, 0 to 7; times in UTC.

    ``seconds_between`` is from our newest window to the time that she scored.
    """

    sort: str
    unpaired_reason: str
    infant: str
    ga_band: str
    unit: str
    time: str
    nurse: str | None
    nurse_nips: int | None
    nurse_facial_expression: int | None
    nurse_cry: int | None
    nurse_breathing: int | None
    nurse_arms: int | None
    nurse_legs: int | None
    nurse_arousal: int | None
    nurse_written: str | None
    seen_before: bool | None
    kind: str | None
    begin: str | None
    end: str | None
    score: float | None
    score_low: float | None
    score_high: float | None
    score_nips: float | None
    absent_reason: str | None
    modalities: str | None
    windows: int | None
    windows_scored: int | None
    model: str | None
    weights: str | None
    policy: str
    processing: str | None
    seconds_between: float | None
    entry: str
    """Our own id of the nurse's entry, else of ours: for questions about the row."""


@dataclass(frozen=True, slots=True)
class StudyCounts:
    """How many rows of each sort were told."""

    pairs: int = 0
    nurse_alone: int = 0
    suggestion_alone: int = 0


def read_study(engine: Engine, clock: Clock, asked: StudyAsked) -> list[StudyRow]:
    """The rows in the order of time; who asks, and of whom was told, is in the trail before.

    ``ConfigurationError`` where nothing was ever kept for a study, in the unit if one is given.
    ``DatabaseUnavailable``: nothing may be told.
    """
    with translated("reading what is kept for a study"), engine.connect() as raw:
        connection = raw.execution_options(isolation_level="REPEATABLE READ")
        _require_study(connection, asked)
        found = [*_scored(connection, asked), *_ours_alone(connection, asked)]
    infants = sorted({key for key, _ in found})
    rows = sorted((row for _, row in found), key=lambda row: (row.time, row.unit, row.sort, row.entry))
    with unit_of_work(engine, clock) as unit:
        append(unit.connection, [_audited(asked, rows, infants)], now=clock.now(), chain=READS)
    return rows


def count_rows(rows: list[StudyRow]) -> StudyCounts:
    """How many there are of each sort."""
    sorts = [row.sort for row in rows]
    return StudyCounts(sorts.count(PAIR), sorts.count(NURSE_ALONE), sorts.count(OURS_ALONE))


def pseudonym(key: bytes, kind: str, named: str) -> str:
    """A digest of who is meant that tells nothing without the key."""
    return hmac.new(key, f"{kind}|{named}".encode(), "sha256").hexdigest()[:16]


def _require_study(connection: Connection, asked: StudyAsked) -> None:
    """``ConfigurationError`` where a unit is named in which there never was a study: a typing error looks like none."""
    beds = [
        BedId(bed)
        for query in (select(STUDY_SCORES.c.bed), select(ENTRIES.c.bed).where(ENTRIES.c.in_study))
        for bed in connection.scalars(query.distinct())
    ]
    if not beds:
        raise ConfigurationError("nothing was kept for a study: no unit was in study mode (docs/study.md)")
    if asked.unit is not None and not any(_is_of(bed, asked.unit) for bed in beds):
        named = f"{asked.unit.name}@{asked.unit.facility}" if asked.unit.facility else asked.unit.name
        raise ConfigurationError(f"--unit {named}: nothing was kept for a study there")


def _is_of(bed: BedId, unit: Unit | None) -> bool:
    found = unit_of(bed)
    return unit is None or (found.name == unit.name and unit.facility in ("", found.facility))


def _scored(connection: Connection, asked: StudyAsked) -> Iterator[tuple[str, StudyRow]]:
    """What nurses scored, each with ours of the same minute where there is one."""
    ours, hers = ENTRIES.alias("ours"), ENTRIES.alias("hers")
    query = (
        select(
            STUDY_SCORES,
            hers.c.status,
            func.coalesce(hers.c.patient_authority, "").label("authority"),
            hers.c.patient_value,
            ours.c.state.label("our_state"),
            ours.c.draft,
            ours.c.patient_authority.label("our_authority"),
            ours.c.patient_value.label("our_value"),
        )
        .join_from(STUDY_SCORES, hers, hers.c.entry_id == STUDY_SCORES.c.entry_id)
        .outerjoin(ours, ours.c.entry_id == STUDY_SCORES.c.suggestion_id)
        .where(STUDY_SCORES.c.effective >= asked.since, STUDY_SCORES.c.effective < asked.until)
    )
    for row in connection.execute(query):
        if not _is_of(BedId(row.bed), asked.unit):
            continue
        why = _why_alone(row)
        # After a merge of numbers only ours has the new one.
        infant = f"{row.authority}|{row.patient_value}"
        if not why:
            infant = f"{row.our_authority or ''}|{row.our_value}"
        yield infant, _row(row, asked, infant, why)


def _why_alone(row: Row[Any]) -> str:
    if EntryStatus(row.status) in RETRACTED:
        return RETRACTED_BY_NURSE
    if row.unpaired:
        return str(row.unpaired)
    return "" if row.our_state == EntryState.BLINDED.value else CORRECTED


def _row(row: Row[Any], asked: StudyAsked, infant: str, why: str) -> StudyRow:
    items = NipsItems(**row.items)
    ours = _ours(row.draft if not why else None)
    between = None
    if not why:
        between = (row.effective - datetime.fromisoformat(row.draft["observed_to"])).total_seconds()
    return StudyRow(
        sort=NURSE_ALONE if why else PAIR,
        unpaired_reason=why,
        infant=pseudonym(asked.key, "infant", infant),
        ga_band=row.ga_band,
        unit=_unit(BedId(row.bed)),
        time=_said(row.effective),
        nurse=pseudonym(asked.key, "nurse", f"{row.issuer}|{row.reviewer}"),
        nurse_nips=row.nips,
        nurse_facial_expression=items.facial_expression,
        nurse_cry=items.cry,
        nurse_breathing=items.breathing,
        nurse_arms=items.arms,
        nurse_legs=items.legs,
        nurse_arousal=items.arousal,
        nurse_written=_said(row.moment),
        seen_before=row.seen_before,
        policy=row.policy,
        seconds_between=between,
        entry=row.entry_id,
        **ours,
    )


def _ours_alone(connection: Connection, asked: StudyAsked) -> Iterator[tuple[str, StudyRow]]:
    """Entries of ours within whose time no nurse scored."""
    own = ENTRIES.alias("own")
    is_scored = exists().where(
        STUDY_SCORES.c.bed == ENTRIES.c.bed,
        STUDY_SCORES.c.effective > ENTRIES.c.begins,
        STUDY_SCORES.c.effective <= ENTRIES.c.ends,
        own.c.entry_id == STUDY_SCORES.c.entry_id,
        own.c.status.not_in([one.value for one in RETRACTED]),
    )
    query = select(ENTRIES).where(
        ENTRIES.c.in_study,
        ENTRIES.c.state == EntryState.BLINDED.value,
        ENTRIES.c.revealed.is_(None),
        ENTRIES.c.ends >= asked.since,
        ENTRIES.c.ends < asked.until,
        not_(is_scored),
    )
    for row in connection.execute(query):
        if not _is_of(BedId(row.bed), asked.unit):
            continue
        infant = f"{row.patient_authority or ''}|{row.patient_value}"
        yield (
            infant,
            StudyRow(
                sort=OURS_ALONE,
                unpaired_reason=NOT_SCORED,
                infant=pseudonym(asked.key, "infant", infant),
                ga_band=row.ga_band,
                unit=_unit(BedId(row.bed)),
                time=_said(row.ends),
                **dict.fromkeys(OF_NURSES),
                policy=row.draft["policy"],
                seconds_between=None,
                entry=row.entry_id,
                **_ours(row.draft),
            ),
        )


def _ours(draft: dict[str, Any] | None) -> dict[str, Any]:
    """The columns of our side, out of a draft as its row keeps it."""
    if draft is None:
        return dict.fromkeys(OF_OURS)
    value = draft["value"]
    return {
        "kind": draft["kind"],
        "begin": _said(datetime.fromisoformat(draft["begin"])),
        "end": _said(datetime.fromisoformat(draft["end"])),
        "score": _rounded(value),
        "score_low": _rounded(draft["low"]),
        "score_high": _rounded(draft["high"]),
        "score_nips": None if value is None else _rounded(NIPS_X10_7.to_raw(value)),
        "absent_reason": draft["absent_reason"] or None,
        "modalities": "+".join(sorted(draft["present"])),
        "windows": draft["windows"],
        "windows_scored": draft["windows_scored"],
        "model": draft["model"],
        "weights": draft["weights"],
        "processing": draft["processing"],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _unit(bed: BedId) -> str:
    unit = unit_of(bed)
    return f"{unit.name}@{unit.facility}" if unit.facility else unit.name


def _said(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _audited(asked: StudyAsked, rows: list[StudyRow], infants: list[str]) -> AuditEvent:
    counts = count_rows(rows)
    return AuditEvent(
        event=EXPORTED,
        actor=asked.by,
        detail={
            "since": asked.since.isoformat(),
            "until": asked.until.isoformat(),
            "unit": "" if asked.unit is None else f"{asked.unit.name}@{asked.unit.facility}".rstrip("@"),
            "why": asked.reason,
            "pairs": counts.pairs,
            "nurse_alone": counts.nurse_alone,
            "suggestion_alone": counts.suggestion_alone,
        },
        infants=infants,
    )


OF_OURS = (
    "kind",
    "begin",
    "end",
    "score",
    "score_low",
    "score_high",
    "score_nips",
    "absent_reason",
    "modalities",
    "windows",
    "windows_scored",
    "model",
    "weights",
    "processing",
)
OF_NURSES = (
    "nurse",
    "nurse_nips",
    "nurse_facial_expression",
    "nurse_cry",
    "nurse_breathing",
    "nurse_arms",
    "nurse_legs",
    "nurse_arousal",
    "nurse_written",
    "seen_before",
)
