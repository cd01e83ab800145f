"""Scores in, entries out: the fold, whose each window is, and what is written of it, in one transaction per score."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import Connection, Engine, delete, exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from neopain.charting import outbox
from neopain.charting.alerts import follow_score
from neopain.charting.audit.chain import AuditEvent, Value, canonical_json
from neopain.charting.census import history_of
from neopain.charting.courses import locked_course, save_course
from neopain.charting.entries import DRAFT, Basis, EntryState, Kept, StandingEntry, add_entry
from neopain.charting.live import mark_slot, write_live
from neopain.charting.processing import least_of, why_not_for_this_ehr
from neopain.charting.tables import COURSES, WINDOWS
from neopain.charting.unit_of_work import UnitOfWork, unit_of_work
from neopain.domain.assignment import CHANGED, Assignment, CensusFact, assign
from neopain.domain.charting import Course, DraftEntry, Folded, close, fold, taken_back
from neopain.domain.drafting import draft
from neopain.domain.gestation import ga_band
from neopain.domain.identity import BedId
from neopain.domain.pacing import AHEAD, is_ahead
from neopain.domain.policy import SitePolicies
from neopain.domain.runs import runs_of
from neopain.domain.score import Score
from neopain.domain.span import EntryKind, Span
from neopain.domain.window import VITALS_SPAN
from neopain.runtime.clock import Clock
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter
from neopain.wire.score import decode_score, encode_score

LOG = Log(__name__)

ACTOR = "charting consumer"
ADD_WINDOW = insert(WINDOWS).on_conflict_do_nothing()
KEEP_WINDOWS = timedelta(hours=2)
"""Longer than the bus keeps scores, so that a repeated one is recognised."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What taking a score needs. ``takes_test_input``: the EHR is our own, and may get MSH-11 D and T."""

    engine: Engine
    policies: SitePolicies
    clock: Clock
    takes_test_input: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a score or a moment: how many entries were charted, held, and kept for a study."""

    charted: int = 0
    held: int = 0
    blinded: int = 0
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Drafted:
    """An entry to be written: what it says, whose it is or why it is held, and what it rests on."""

    draft: DraftEntry
    whose: Assignment
    basis: Basis


@dataclass(frozen=True, slots=True)
class WrittenEntry:
    """An entry that was written: ``infant`` as the outbox names it; ``held_reason`` says why it is held, if it is."""

    id: str
    infant: str
    held_reason: str
    state: EntryState


def take_score(intake: Intake, score: Score, *, arrived: datetime | None = None) -> Written:
    """Takes a score into its bed's course and its alerts, and writes what is due. A score taken before changes nothing,
    and neither does one of a clock that was ahead of ours and of the bus's, by which it ``arrived``: it is told.

    ``DatabaseUnavailable``: nothing was written, try again.
    """
    with unit_of_work(intake.engine, intake.clock) as unit:
        course = locked_course(unit.connection, score.bed)
        now = intake.clock.now()
        if is_ahead(score.window_end, max(now, arrived or now)):
            counter("charting_ahead_scores_total").inc()
            LOG.warning("score_is_ahead", bed=score.bed, window=score.window_end, score=score.id)
            return Written()
        # A clock of ours that is behind makes nothing ahead that is not ahead of the score itself.
        latest = max(now, score.window_end)
        course = _taken_back(unit.connection, course, latest)
        policy = intake.policies.of(score.bed)
        if not _add_window(unit.connection, score, in_study=policy.study.enabled):
            return Written()
        whose = _whose(unit.connection, score)
        follow_score(unit, score, policy, whose, now=latest)
        mark_slot(unit.connection, score)
        write_live(unit.connection, score, policy, whose, now=now, is_test_ehr=intake.takes_test_input)
        folded = fold(course, score, policy, occupant=whose.key, band=ga_band(whose.gestational_age_days))
        return _write(intake, unit, folded)


def _taken_back(connection: Connection, course: Course, now: datetime) -> Course:
    """The course as it is by the right clock. Windows of times to come would be summed up as those of who lies there
    then, and taken for the ones that are to come."""
    right = taken_back(course, now)
    if right != course:
        is_ahead_of_us = (WINDOWS.c.bed == course.bed, WINDOWS.c.window_end > now + AHEAD)
        gone = connection.execute(delete(WINDOWS).where(*is_ahead_of_us)).rowcount
        LOG.warning("clock_was_ahead", bed=course.bed, charted_until=course.charted_until, windows_forgotten=gone)
    return right


def close_silent_beds(intake: Intake, *, now: datetime) -> Written:
    """Closes the intervals of beds that fell silent and writes what was put off there; when no score is waiting."""
    with unit_of_work(intake.engine, intake.clock) as unit:
        is_open = or_(COURSES.c.newest > COURSES.c.charted_until, func.jsonb_array_length(COURSES.c.waiting) > 0)
        query = select(COURSES.c.bed).where(is_open)
        beds = [BedId(bed) for bed in unit.connection.scalars(query)]
    return _together([_close(intake, bed, now) for bed in beds])


def forget_windows(intake: Intake, *, now: datetime) -> int:
    """Removes windows that are charted and old; returns how many. A bed on which something is put off keeps its own."""
    with unit_of_work(intake.engine, intake.clock) as unit:
        gone = unit.connection.execute(
            delete(WINDOWS).where(
                WINDOWS.c.bed == COURSES.c.bed,
                WINDOWS.c.window_end <= COURSES.c.charted_until,
                func.jsonb_array_length(COURSES.c.waiting) == 0,
                WINDOWS.c.window_end < now - KEEP_WINDOWS,
            )
        )
        return gone.rowcount


def _close(intake: Intake, bed: BedId, now: datetime) -> Written:
    with unit_of_work(intake.engine, intake.clock) as unit:
        return _write(intake, unit, close(locked_course(unit.connection, bed), now, intake.policies.of(bed)))


def _write(intake: Intake, unit: UnitOfWork, folded: Folded) -> Written:
    if folded.is_late:
        counter("charting_late_scores_total").inc()
        LOG.warning("score_came_late", bed=folded.course.bed)
        return Written(is_late=True)
    save_course(unit.connection, folded.course)
    return _together([write_span(intake, unit, folded.course.bed, span) for span in folded.spans])


def write_span(intake: Intake, unit: UnitOfWork, bed: BedId, span: Span) -> Written:
    """Writes the entries of a span of a bed whose course is locked: one, or one for each infant of an interval."""
    windows = windows_of(unit.connection, bed, span)
    if not windows:
        return Written()
    history = history_of(unit.connection, bed, since=windows[0].window_end - VITALS_SPAN)
    # An interval that is open when its unit leaves study mode is of the study still.
    in_study = is_of_study(unit.connection, bed, span)
    found = drafted(intake, span, windows, history)
    found = [replace(one, basis=replace(one.basis, in_study=in_study)) for one in found]
    written = [write_entry(intake, unit, one) for one in found]
    states = [one.state for one in written if one is not None]
    return Written(
        charted=states.count(EntryState.CHARTED),
        held=states.count(EntryState.HELD),
        blinded=states.count(EntryState.BLINDED),
    )


def _together(written: Sequence[Written]) -> Written:
    return Written(
        charted=sum(one.charted for one in written),
        held=sum(one.held for one in written),
        blinded=sum(one.blinded for one in written),
    )


def drafted(intake: Intake, span: Span, windows: list[Score], history: Sequence[CensusFact]) -> list[Drafted]:
    """The entries of a span of a bed from its windows (at least one), as the history says whose they are."""
    parts = _parts(span, windows, history)
    if span.kind is not EntryKind.INTERVAL_SUMMARY and len(parts) > 1:
        parts = [(span, windows, Assignment(held_reason=CHANGED))]
    policy = intake.policies.of(windows[0].bed)
    return [
        Drafted(draft(one, scores, policy, band=ga_band(whose.gestational_age_days)), whose, Basis(runs_of(scores)))
        for one, scores, whose in parts
    ]


def _parts(
    span: Span, windows: list[Score], history: Sequence[CensusFact]
) -> list[tuple[Span, list[Score], Assignment]]:
    """The span cut where the windows become another infant's: two infants are never summed up in one entry."""
    assigned = [(score, assign(history, score.window_end, score.patients)) for score in windows]
    groups = [list(group) for _, group in groupby(assigned, key=lambda pair: pair[1])]
    ends = [*(group[-1][0].window_end for group in groups[:-1]), span.end]
    begins = [span.begin, *ends[:-1]]
    return [
        (replace(span, begin=begin, end=end), [score for score, _ in group], group[0][1])
        for group, begin, end in zip(groups, begins, ends, strict=True)
    ]


def write_entry(intake: Intake, unit: UnitOfWork, drafted: Drafted, *, actor: str = ACTOR) -> WrittenEntry | None:
    """Entry, outbox row and audit event; None when an entry stands there already."""
    now, whose = intake.clock.now(), drafted.whose
    entry = replace(drafted.draft, processing=least_of(drafted.draft.processing, whose.processing))
    held_reason = whose.held_reason or why_not_for_this_ehr(entry.processing, is_test_ehr=intake.takes_test_input)
    before = drafted.basis.replaces
    # What was kept for a study is kept for it, whatever becomes known of whose it is, and whatever the unit does now.
    in_study = drafted.basis.in_study or (before is not None and before.in_study)
    in_study = in_study or intake.policies.of(entry.bed).study.enabled
    kept = Kept(held_reason, in_study, ga_band(whose.gestational_age_days))
    known_as = add_entry(unit.connection, entry, whose, drafted.basis, kept=kept, now=now)
    if known_as is None:
        return None
    if kept.state is EntryState.HELD:
        counter("charting_held_total").labels(held_reason).inc()
    elif kept.state is EntryState.BLINDED:
        counter("charting_blinded_total").labels(entry.kind.value).inc()
    else:
        counter("charting_entries_total").labels(entry.kind.value).inc()
        outbox.put(unit.connection, entry_id=known_as, infant=whose.key, now=now)
    written = WrittenEntry(known_as, whose.key, held_reason, kept.state)
    unit.audit(_audited(entry, written, before, in_study=in_study, actor=actor))
    LOG.info(f"entry_{kept.state.value}", entry=known_as, bed=entry.bed, kind=entry.kind.value)
    return written


def _audited(
    entry: DraftEntry, written: WrittenEntry, before: StandingEntry | None, *, in_study: bool, actor: str
) -> AuditEvent:
    instead = {} if before is None else {"replaces": before.id, "replaces_entry_of": before.key}
    # The trail is read by people too. Of a blinded entry it vouches for the numbers, and does not tell them.
    numbers: dict[str, Value] = {"value": entry.value, "low": entry.low, "high": entry.high}
    return AuditEvent(
        event=f"entry_{written.state.value}",
        actor=actor,
        entry_id=written.id,
        patient=written.infant,
        detail={
            **instead,
            "bed": entry.bed,
            "kind": entry.kind.value,
            "begin": entry.begin.isoformat(),
            "end": entry.end.isoformat(),
            **({"draft_sha256": digest_of(entry)} if in_study else numbers),
            "absent_reason": entry.absent_reason,
            "windows": entry.windows,
            "windows_scored": entry.windows_scored,
            "model": entry.model,
            "weights": entry.weights.value,
            "policy": entry.policy,
            "processing": entry.processing.value,
            "held_reason": written.held_reason,
            "drugs": "; ".join(f"{one.drug_class} {one.ingredient} {one.basis}" for one in entry.drugs),
        },
    )


def digest_of(entry: DraftEntry) -> str:
    """SHA-256, hexadecimal, of a draft as its row keeps it."""
    return hashlib.sha256(canonical_json(DRAFT.dump_python(entry, mode="json")).encode()).hexdigest()


def _whose(connection: Connection, score: Score) -> Assignment:
    history = history_of(connection, score.bed, since=score.window_end - VITALS_SPAN)
    return assign(history, score.window_end, score.patients)


def _add_window(connection: Connection, score: Score, *, in_study: bool) -> bool:
    values = {
        "score_id": score.id,
        "bed": score.bed,
        "window_end": score.window_end,
        "score": encode_score(score),
        "in_study": in_study,
    }
    return connection.execute(ADD_WINDOW, values).rowcount == 1


def windows_of(connection: Connection, bed: BedId, span: Span) -> list[Score]:
    """The windows of a span of a bed that are kept, in the order of their ends."""
    query = (
        select(WINDOWS.c.score)
        .where(WINDOWS.c.bed == bed, WINDOWS.c.window_end > span.begin, WINDOWS.c.window_end <= span.end)
        .order_by(WINDOWS.c.window_end)
    )
    return _decoded(connection.scalars(query))


def is_of_study(connection: Connection, bed: BedId, span: Span) -> bool:
    """Whether a window of the span was taken in study mode."""
    within = (WINDOWS.c.bed == bed, WINDOWS.c.window_end > span.begin, WINDOWS.c.window_end <= span.end)
    return bool(connection.scalar(select(exists().where(*within, WINDOWS.c.in_study))))


def _decoded(payloads: Iterable[bytes]) -> list[Score]:
    return [decode_score(payload) for payload in payloads]
