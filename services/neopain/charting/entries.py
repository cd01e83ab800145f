"""Entries as rows: what was charted or held, with everything that the EHR is to get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, Connection, Row, and_, false, func, not_, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert

from neopain.charting.tables import ENTRIES, REVIEWS
from neopain.domain.assignment import Assignment
from neopain.domain.charting import ChartedEntry, DraftEntry, entry_id
from neopain.domain.correction import Stretch
from neopain.domain.entry_status import RETRACTED, EntryStatus
from neopain.domain.identity import BedId, PatientId
from neopain.domain.review import AssessmentDraft, ChartEntry, NurseAssessment, ReviewAct
from neopain.domain.reviewer import Reviewer
from neopain.domain.runs import Run
from neopain.errors import ContractBroken

T = TypeVar("T")
DRAFT = TypeAdapter(DraftEntry)
ASSESSMENT = TypeAdapter(AssessmentDraft)
RUNS = TypeAdapter(tuple[Run, ...])
OF_NURSE = "nurse-"
"""Before the kind of an entry that a nurse's own one takes the place of."""


class EntryState(Enum):
    """Whether an entry goes to the EHR."""

    CHARTED = "charted"
    HELD = "held"
    """Not sent: it is not known whose it is, or it is not for this EHR. A message or a person resolves it."""
    WITHDRAWN = "withdrawn"
    """Was charted, and turned out not to be that infant's: entered in error."""
    REPLACED = "replaced"
    """Was held; what its windows say is in another entry by now."""
    BLINDED = "blinded"
    """Kept for a study: its unit was in study mode. Never sent, and kept from nurses."""
    DISCARDED = "discarded"
    """Was held; a person decided that nothing is charted of it."""


STANDING = (EntryState.CHARTED.value, EntryState.HELD.value, EntryState.BLINDED.value)
"""Entries that nothing was written instead of."""
IS_STANDING = and_(ENTRIES.c.state.in_(STANDING), not_(ENTRIES.c.kind.startswith(OF_NURSE, autoescape=True)))
"""What a nurse wrote herself is asked for beside these: nothing is written instead of it."""
IS_HERS = and_(
    ENTRIES.c.state == EntryState.CHARTED.value,
    ENTRIES.c.kind.startswith(OF_NURSE, autoescape=True),
    not_(ENTRIES.c.in_study),
    ENTRIES.c.status.not_in([one.value for one in RETRACTED]),
)
"""What nurses wrote in place of entries, as long as it holds."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What an entry rests on: its windows, and the entry that it is written instead of, if it is."""

    runs: tuple[Run, ...]
    replaces: StandingEntry | None = None
    in_study: bool = False
    """Whether a window of it was taken in study mode."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What becomes of a new entry beside whose it is; ``ga_band`` is there for one of a study."""

    held_reason: str = ""
    in_study: bool = False
    ga_band: str | None = None

    @property
    def state(self) -> EntryState:
        """Who is to know of it: whose it is comes before whether it is blinded."""
        if self.held_reason:
            return EntryState.HELD
        return EntryState.BLINDED if self.in_study else EntryState.CHARTED


@dataclass(frozen=True, slots=True)
class StandingEntry:
    """An entry that stands. ``patient`` is whom it is about, as far as that is known; ``runs`` None: not kept."""

    id: str
    state: EntryState
    held_reason: str
    patient: PatientId | None
    draft: DraftEntry
    runs: tuple[Run, ...] | None
    corrects: str
    status: EntryStatus
    in_study: bool = False

    @property
    def was_charted(self) -> bool:
        """Whether it was written for readers and the EHR."""
        return self.state is EntryState.CHARTED

    @property
    def is_held(self) -> bool:
        """Whether it waits to be known whose it is."""
        return self.state is EntryState.HELD

    @property
    def key(self) -> str:
        """The infant as the outbox and the audit name it; empty where it is not known."""
        return f"{self.patient.assigning_authority}|{self.patient.value}" if self.patient is not None else ""


@dataclass(frozen=True, slots=True)
class OwnEntry:
    """What a nurse wrote in place of an entry, and holds. ``runs``: the windows of that entry; None: not kept."""

    id: str
    patient: PatientId
    draft: AssessmentDraft
    runs: tuple[Run, ...] | None
    state: EntryState = EntryState.CHARTED

    @property
    def key(self) -> str:
        """The infant as the outbox and the audit name it."""
        return f"{self.patient.assigning_authority}|{self.patient.value}"


def add_entry(
    connection: Connection, draft: DraftEntry, whose: Assignment, basis: Basis, *, kept: Kept, now: datetime
) -> str | None:
    """Writes an entry unless one stands for its stretch of the bed; returns its id, None if it is not new."""
    patient, before = whose.patient, basis.replaces
    known_as = entry_id(draft, patient, correction=_written_before(connection, draft) if before is not None else 0)
    corrects = None
    if before is not None:
        corrects = before.id if before.was_charted else (before.corrects or None)
    added = connection.execute(
        insert(ENTRIES)
        .values(
            entry_id=known_as,
            bed=draft.bed,
            kind=draft.kind.value,
            begins=draft.begin,
            ends=draft.end,
            issued=now,
            state=kept.state.value,
            held_reason=kept.held_reason,
            in_study=kept.in_study,
            ga_band=kept.ga_band if kept.in_study else None,
            patient_authority=patient.assigning_authority if patient else None,
            patient_value=patient.value if patient else None,
            patient_type=patient.type_code if patient else None,
            visit=whose.visit,
            value=draft.value,
            draft=DRAFT.dump_python(draft, mode="json"),
            runs=RUNS.dump_python(basis.runs, mode="json"),
            replaces=before.id if before is not None else None,
            corrects=corrects,
        )
        .on_conflict_do_nothing()
    )
    return known_as if added.rowcount == 1 else None


def _written_before(connection: Connection, draft: DraftEntry) -> int:
    """How many entries this stretch of the bed has had."""
    query = select(func.count()).where(
        ENTRIES.c.bed == draft.bed,
        ENTRIES.c.kind == draft.kind.value,
        ENTRIES.c.begins == draft.begin,
        ENTRIES.c.ends == draft.end,
    )
    return int(connection.scalar(query) or 0)


def standing_entries(connection: Connection, bed: BedId, stretches: Sequence[Stretch]) -> list[StandingEntry]:
    """The entries of a bed that stand and may have windows in any of the stretches, in the order of their ends; nobody
    else changes them before the transaction ends.
    """
    found = [_standing(row) for row in _locked_within(connection, bed, stretches, IS_STANDING)]
    return [one for one in found if any(each.touches(*_observed(one)) for each in stretches)]


def own_entries(connection: Connection, bed: BedId, stretches: Sequence[Stretch]) -> list[OwnEntry]:
    """The same of what nurses wrote in place of entries."""
    found = [_own(row) for row in _locked_within(connection, bed, stretches, IS_HERS)]
    return [one for one in found if any(each.touches(*_observed(one)) for each in stretches)]


def _locked_within(
    connection: Connection, bed: BedId, stretches: Sequence[Stretch], condition: ColumnElement[bool]
) -> list[Row[Any]]:
    # The narrow question first: of a bed in which one infant has lain for months there are many.
    within = or_(
        false(),
        *(
            and_(ENTRIES.c.ends >= one.begin, true() if one.end is None else ENTRIES.c.begins < one.end)
            for one in stretches
        ),
    )
    query = select(ENTRIES).where(ENTRIES.c.bed == bed, condition, within).with_for_update()
    return list(connection.execute(query.order_by(ENTRIES.c.ends, ENTRIES.c.entry_id)))


def standing_entry(connection: Connection, wanted: str) -> StandingEntry | None:
    """The entry of that id, if it stands; nobody else changes it before the transaction ends."""
    query = select(ENTRIES).where(ENTRIES.c.entry_id == wanted, IS_STANDING).with_for_update()
    row = connection.execute(query).one_or_none()
    return _standing(row) if row is not None else None


def leave_standing(connection: Connection, entry: StandingEntry | OwnEntry, state: EntryState) -> None:
    """Says of an entry that it stands no more. ``ContractBroken``: it did not stand."""
    changed = connection.execute(
        update(ENTRIES)
        .where(ENTRIES.c.entry_id == entry.id, ENTRIES.c.state == entry.state.value)
        .values(state=state.value)
    )
    if changed.rowcount != 1:
        raise ContractBroken(f"entry {entry.id} was changed by another while it was corrected")


def hold_otherwise(connection: Connection, wanted: str, held_reason: str) -> None:
    """Gives a held entry another reason."""
    held = update(ENTRIES).where(ENTRIES.c.entry_id == wanted, ENTRIES.c.state == EntryState.HELD.value)
    connection.execute(held.values(held_reason=held_reason))


def renumber(connection: Connection, wanted: str, patient: PatientId, *, now: datetime) -> None:
    """Gives an entry the number that its infant has by now; its id stays."""
    named = {
        "patient_authority": patient.assigning_authority,
        "patient_value": patient.value,
        "patient_type": patient.type_code,
    }
    renamed = update(ENTRIES).where(ENTRIES.c.entry_id == wanted)
    connection.execute(renamed.values(**named, version=ENTRIES.c.version + 1, updated=now))


def charted_entry(connection: Connection, wanted: str) -> ChartEntry:
    """An entry as the EHR is to get it; ``ContractBroken`` when there is none or nobody knows whose it is."""
    row = connection.execute(select(ENTRIES).where(ENTRIES.c.entry_id == wanted)).one_or_none()
    if row is None or row.patient_value is None:
        raise ContractBroken(f"entry {wanted} is in the outbox and is not charted for an infant")
    entry = entry_of(row)
    return replace(entry, verified_by=_verified_by(connection, row)) if isinstance(entry, ChartedEntry) else entry


def _verified_by(connection: Connection, row: Row[Any]) -> Reviewer | None:
    if EntryStatus(row.status) is EntryStatus.PRELIMINARY:
        return None
    accepted = (REVIEWS.c.entry_id == row.entry_id) & (REVIEWS.c.act == ReviewAct.ACCEPT.value)
    found = connection.execute(select(REVIEWS).where(accepted).order_by(REVIEWS.c.number.desc()).limit(1)).one_or_none()
    return Reviewer(found.reviewer, found.issuer, found.display) if found is not None else None


def entry_of(row: Row[Any]) -> ChartEntry:
    """The entry of a row that has an infant; ``ContractBroken`` when another version wrote it otherwise."""
    patient = PatientId(row.patient_value, row.patient_authority or "", row.patient_type)
    if row.kind.startswith(OF_NURSE):
        return NurseAssessment(_read(ASSESSMENT, row), patient, row.visit, row.issued)
    return ChartedEntry(
        draft=_read(DRAFT, row),
        patient=patient,
        visit=row.visit,
        issued=row.issued,
        known_as=row.entry_id,
        corrects=row.corrects or "",
    )


def _standing(row: Row[Any]) -> StandingEntry:
    patient = None
    if row.patient_value is not None:
        patient = PatientId(row.patient_value, row.patient_authority or "", row.patient_type)
    return StandingEntry(
        id=row.entry_id,
        state=EntryState(row.state),
        held_reason=row.held_reason,
        patient=patient,
        draft=_read(DRAFT, row),
        runs=RUNS.validate_python(row.runs) if row.runs is not None else None,
        corrects=row.corrects or "",
        status=EntryStatus(row.status),
        in_study=row.in_study,
    )


def _own(row: Row[Any]) -> OwnEntry:
    return OwnEntry(
        id=row.entry_id,
        patient=PatientId(row.patient_value, row.patient_authority or "", row.patient_type),
        draft=_read(ASSESSMENT, row),
        runs=RUNS.validate_python(row.runs) if row.runs is not None else None,
    )


def _observed(entry: StandingEntry | OwnEntry) -> tuple[datetime, datetime]:
    return entry.draft.observed_from, entry.draft.observed_to


def _read(written: TypeAdapter[T], row: Row[Any]) -> T:
    try:
        return written.validate_python(row.draft)
    except ValidationError as error:
        places = ", ".join(".".join(map(str, one["loc"])) for one in error.errors())
        raise ContractBroken(f"entry {row.entry_id} is not what this version writes, at {places}") from error
