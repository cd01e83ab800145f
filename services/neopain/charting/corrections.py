"""What a new fact of the census means for entries that are written: some are taken back, others charted at last.

All of it is in the transaction that adds the fact: a fact taken again changes nothing, and a process that dies in
between has changed nothing. The infants and entries on both sides are in the audit trail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from neopain.charting import outbox
from neopain.charting.audit.chain import AuditEvent, Value
from neopain.charting.census import AddedFact, history_of
from neopain.charting.entries import (
    Basis,
    EntryState,
    OwnEntry,
    StandingEntry,
    hold_otherwise,
    leave_standing,
    own_entries,
    renumber,
    standing_entries,
)
from neopain.charting.intake import Drafted, Intake, WrittenEntry, drafted, windows_of, write_entry
from neopain.charting.outbox import DONE, RowState
from neopain.charting.statuses import change_status, give_up
from neopain.charting.unit_of_work import UnitOfWork
from neopain.domain.assignment import Assignment, CensusFact
from neopain.domain.correction import (
    NOT_KEPT,
    Judgement,
    Timeline,
    changed,
    judge,
    timeline,
    whose_windows,
)
from neopain.domain.entry_status import RETRACTED, EntryStatus
from neopain.domain.review import AssessmentDraft
from neopain.domain.runs import Run, runs_of
from neopain.domain.span import Span
from neopain.domain.window import CADENCE, VITALS_SPAN
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter

LOG = Log(__name__)

ACTOR = "charting consumer"
WRONG_INFANT = "wrong-infant"
"""The cause of a status: the census was corrected, and the entry is another infant's, or nobody's for certain."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an entry is corrected: who says so, what is told of it in the audit."""

    actor: str
    detail: Mapping[str, Value]


def correct_entries(intake: Intake, unit: UnitOfWork, added: AddedFact) -> int:
    """Holds every entry of the bed to the history with the new fact; returns how many were charted by it."""
    fact, bed = added.fact, added.fact.state.bed
    stretches = changed(added.told, fact)
    entries = standing_entries(unit.connection, bed, stretches)
    hers = own_entries(unit.connection, bed, stretches)
    if not entries and not hers:
        return 0
    first = min([one.draft.observed_from for one in entries] + [one.draft.observed_from for one in hers])
    times = timeline(history_of(unit.connection, bed, since=first - VITALS_SPAN))
    told_by = {"told_by": fact.state.source, "control_id": fact.state.control_id, "told": fact.arrived.isoformat()}
    release = fact.state.release
    cause = Cause(ACTOR, {**told_by, **({"released_by": release.by} if release is not None else {})})
    for own in hers:
        _correct_own(intake, unit, own, times, cause)
    return sum(_correct(intake, unit, entry, times, cause) for entry in entries)


def _correct(intake: Intake, unit: UnitOfWork, entry: StandingEntry, times: Timeline, cause: Cause) -> int:
    whose = _whose(entry, times)
    judgement = judge(entry.patient, entry.held_reason, whose)
    match judgement:
        case Judgement.STANDS:
            return 0
        case Judgement.RENUMBERED:
            _renumber(intake, unit, entry, whose, cause)
            return 0
        case _ if entry.status in RETRACTED:
            # A person has decided that what it says is not to be used, whoever it is about.
            return 0
        case Judgement.ANOTHERS | Judgement.RELEASED | Judgement.HELD_OTHERWISE:
            instead = _instead(intake, unit, entry, whose, times.history)
            if entry.is_held and all(one.whose.patient is None for one in instead):
                _hold_otherwise(unit, entry, whose, cause)
                return 0
            return replace_entry(intake, unit, entry, instead, cause)
        case _:
            assert_never(judgement)


def _correct_own(intake: Intake, unit: UnitOfWork, own: OwnEntry, times: Timeline, cause: Cause) -> None:
    """What a nurse scored of an infant is nobody else's: it is taken back, and nothing is written instead."""
    whose = _whose(own, times)
    match judge(own.patient, "", whose):
        case Judgement.RENUMBERED:
            _renumber(intake, unit, own, whose, cause)
        case Judgement.ANOTHERS:
            leave_standing(unit.connection, own, EntryState.WITHDRAWN)
            _take_back(intake, unit, own)
            told: dict[str, Value] = {"instead": "", "instead_of": whose.key or "nobody", "held_reason": ""}
            unit.audit(_audited("entry_withdrawn", own, cause, told))
            counter("charting_corrections_total").labels("entry_withdrawn").inc()
            LOG.warning("entry_withdrawn", entry=own.id, bed=own.draft.bed, instead="")


def _whose(entry: StandingEntry | OwnEntry, times: Timeline) -> Assignment:
    if entry.runs is not None:
        return whose_windows(times, entry.runs)
    # What such an entry's sources named is not known: it can stay an infant's, and become nobody else's.
    draft = entry.draft
    count = (draft.observed_to - draft.observed_from) // CADENCE + 1
    whose = whose_windows(times, [Run(draft.observed_from, CADENCE, count)])
    stays = whose.patient is None or (entry.patient is not None and whose.is_about(entry.patient))
    return whose if stays else Assignment(held_reason=NOT_KEPT)


def _instead(
    intake: Intake, unit: UnitOfWork, entry: StandingEntry, whose: Assignment, history: Sequence[CensusFact]
) -> list[Drafted]:
    """What is to stand instead of an entry: drafted anew while its windows are kept, in parts where it has to be."""
    old = entry.draft
    span = Span(old.kind, old.begin, old.end)
    ends = {end for run in entry.runs or () for end in run.ends()}
    windows = [one for one in windows_of(unit.connection, old.bed, span) if one.window_end in ends]
    # What an entry around a procedure says rests on minutes before it, too: it says what it said.
    if windows and runs_of(windows) == entry.runs and old.procedure is None:
        anew = drafted(intake, span, windows, history)
    else:
        anew = [Drafted(old, whose, Basis(entry.runs or ()))]
    return [replace(one, basis=replace(one.basis, replaces=entry)) for one in anew]


def replace_entry(
    intake: Intake, unit: UnitOfWork, entry: StandingEntry, instead: Sequence[Drafted], cause: Cause
) -> int:
    """Takes an entry back and writes others instead; returns how many of them go to the EHR."""
    leave_standing(unit.connection, entry, EntryState.WITHDRAWN if entry.was_charted else EntryState.REPLACED)
    if entry.was_charted:
        _take_back(intake, unit, entry)
    written = [one for each in instead if (one := write_entry(intake, unit, each)) is not None]
    event = "entry_released" if entry.is_held else "entry_withdrawn"
    unit.audit(_audited(event, entry, cause, _told_of(entry, written)))
    counter("charting_corrections_total").labels(event).inc()
    LOG.warning(event, entry=entry.id, bed=entry.draft.bed, instead=",".join(one.id for one in written))
    return sum(one.state is EntryState.CHARTED for one in written)


def _told_of(entry: StandingEntry, written: Sequence[WrittenEntry]) -> dict[str, Value]:
    return {
        "was_held": entry.held_reason,
        "instead": ", ".join(one.id for one in written),
        "instead_of": ", ".join(one.infant or "nobody" for one in written),
        "held_reason": "; ".join(dict.fromkeys(one.held_reason for one in written if one.held_reason)),
    }


def _take_back(intake: Intake, unit: UnitOfWork, entry: StandingEntry | OwnEntry) -> None:
    """Marks a charted entry as entered in error: the EHR is told, or does not get it if it has not been sent yet."""
    rows = outbox.locked_rows(unit.connection, entry.id)
    creation = rows[0]
    # Of a refusal that leaves open whether the EHR has it there are words in place of a reference.
    was_refused = creation.state is RowState.REJECTED and not creation.ehr_reference
    may_be_there = (creation.attempted is not None or bool(creation.ehr_reference)) and not was_refused
    is_open = creation.state not in DONE and not may_be_there
    if is_open and not outbox.is_in_hand(unit.connection, creation.infant):
        give_up(unit, rows, actor=ACTOR, why=WRONG_INFANT)
    change_status(unit, entry.id, EntryStatus.ENTERED_IN_ERROR, actor=ACTOR, cause=WRONG_INFANT, now=intake.clock.now())


def _renumber(
    intake: Intake, unit: UnitOfWork, entry: StandingEntry | OwnEntry, whose: Assignment, cause: Cause
) -> None:
    """The entry under the number of now, and what is still to be sent of it; what is at the EHR its own merge moves."""
    if whose.patient is None:
        return
    renumber(unit.connection, entry.id, whose.patient, now=intake.clock.now())
    outbox.readdress(unit.connection, entry.id, infant=whose.key)
    renumbered = replace(entry, patient=whose.patient)
    unit.audit(_audited("entry_renumbered", renumbered, cause, {"was_entry_of": entry.key}))
    counter("charting_corrections_total").labels("entry_renumbered").inc()


def _hold_otherwise(unit: UnitOfWork, entry: StandingEntry, whose: Assignment, cause: Cause) -> None:
    hold_otherwise(unit.connection, entry.id, whose.held_reason)
    told: dict[str, Value] = {"was_held": entry.held_reason, "held_reason": whose.held_reason}
    unit.audit(_audited("entry_held_otherwise", entry, cause, told))


def _audited(event: str, entry: StandingEntry | OwnEntry, cause: Cause, told: Mapping[str, Value]) -> AuditEvent:
    draft = entry.draft
    of = (draft.observed_from, draft.observed_to) if isinstance(draft, AssessmentDraft) else (draft.begin, draft.end)
    return AuditEvent(
        event=event,
        actor=cause.actor,
        entry_id=entry.id,
        patient=entry.key,
        detail={
            "bed": draft.bed,
            "kind": draft.kind.value,
            "begin": of[0].isoformat(),
            "end": of[1].isoformat(),
            **cause.detail,
            **told,
        },
    )
