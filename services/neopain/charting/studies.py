"""What a nurse scored herself in a unit that is in study mode, and what the score of that minute was: kept together.

Ours is drafted from the windows of the minute up to the time that she scored, as an entry on request is, and stays
blinded; hers is an entry of her own. Both, the row that says that they belong together, and the audit row are one
transaction. Nothing of it goes to the EHR: she charts there as she always does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection, and_, exists, insert, not_, or_, select, update

from neopain.charting.aggregates import SCORE
from neopain.charting.audit.chain import AuditEvent, Value
from neopain.charting.census import history_of, lock_bed
from neopain.charting.entries import ASSESSMENT, OF_NURSE, Basis, EntryState, Kept, add_entry
from neopain.charting.intake import digest_of, windows_of
from neopain.charting.processing import least_of
from neopain.charting.tables import AGGREGATES, ENTRIES, ENTRY_STATUSES, LIVE_SCORES, STUDY_SCORES
from neopain.charting.unit_of_work import UnitOfWork
from neopain.domain.aggregate import SLOT
from neopain.domain.assignment import Assignment, assign
from neopain.domain.charting import DraftEntry
from neopain.domain.drafting import draft
from neopain.domain.entry_status import EntryStatus
from neopain.domain.gestation import ga_band
from neopain.domain.identity import BedId, PatientId
from neopain.domain.policy import ChartingPolicy
from neopain.domain.review import AssessmentDraft, NipsItems
from neopain.domain.reviewer import Reviewer
from neopain.domain.runs import runs_of
from neopain.domain.scales import NIPS_X10_7
from neopain.domain.span import EntryKind, Span
from neopain.domain.study import CLOCKS_DIFFER, LONGEST_AGO, Reveal, own_score_id
from neopain.domain.window import VITALS_SPAN

CAUSE = "study"
"""Of the status that her own entry has."""
NO_WINDOW = "no window of this bed in the minute that was scored"
NOT_ONE_INFANTS = "the windows of that minute are not all clearly this infant's"
NOT_BLINDED = "what was written of that minute was not blinded"


class NotHers(Exception):
    """The score cannot be kept: it is not known to be this infant's, or of a time that cannot be compared."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(why)
        self.place = place


@dataclass(frozen=True, slots=True)
class OwnScore:
    """What a nurse scored of an infant that lies in the bed, and when; ``asked`` is what the audit says of it."""

    bed: BedId
    patient: PatientId
    effective: datetime
    items: NipsItems
    by: Reviewer
    note: str = ""
    asked: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Suggestion:
    """Ours of the same minute: its id, its draft; or why there is none."""

    id: str | None = None
    draft: DraftEntry | None = None
    unpaired: str = ""


def keep_own_score(unit: UnitOfWork, score: OwnScore, policy: ChartingPolicy, *, now: datetime) -> tuple[str, bool]:
    """Keeps a nurse's own score with ours of the same minute; returns the id of her entry, and whether it is new.

    The same score of the same nurse again changes nothing. ``NotHers``: nothing was written.
    """
    if score.effective > now + CLOCKS_DIFFER:
        raise NotHers("effectiveDateTime", "this is a time to come")
    if score.effective < now - LONGEST_AGO:
        minutes = LONGEST_AGO.total_seconds() / 60
        raise NotHers("effectiveDateTime", f"a score is written within {minutes:.0f} min: ours of then is not kept")
    # From here on no fact of the bed and no entry of it is written by others.
    lock_bed(unit.connection, score.bed)
    own_id = own_score_id(score.patient, score.effective, score.by)
    if (before := _items_of(unit.connection, own_id)) is not None:
        if before != asdict(score.items):
            why = "she has scored this infant at this time already, and otherwise: that can be entered in error"
            raise NotHers("component", why)
        return own_id, False
    whose = _whose(unit.connection, score)
    seen_before = _could_be_seen(unit.connection, score, policy)
    ours = _suggestion(unit.connection, score, policy, whose, now=now)
    _add_own(unit.connection, score, policy, whose, own_id=own_id, ours=ours, now=now)
    band = ga_band(whose.gestational_age_days)
    unit.connection.execute(
        insert(STUDY_SCORES).values(
            entry_id=own_id,
            suggestion_id=ours.id,
            unpaired=ours.unpaired,
            bed=score.bed,
            ga_band=band,
            effective=score.effective,
            moment=now,
            reviewer=score.by.id,
            issuer=score.by.issuer,
            nips=score.items.total,
            items=asdict(score.items),
            policy=policy.name,
            reveal=policy.study.reveal.value,
            seen_before=seen_before,
        )
    )
    unit.audit(_audited(score, own_id, ours, seen_before=seen_before))
    return own_id, True


def _items_of(connection: Connection, own_id: str) -> dict[str, int] | None:
    return connection.scalar(select(STUDY_SCORES.c["items"]).where(STUDY_SCORES.c.entry_id == own_id))


def _span(score: OwnScore, policy: ChartingPolicy) -> Span:
    return Span(EntryKind.ON_REQUEST, score.effective - policy.requested, score.effective)


def _whose(connection: Connection, score: OwnScore) -> Assignment:
    """Who lay in the bed at the time; ``NotHers`` where it is not this infant for certain."""
    whose = assign(history_of(connection, score.bed, since=score.effective - VITALS_SPAN), score.effective)
    if whose.patient is None:
        raise NotHers("subject", f"at that time nobody knows for certain who lay in the bed: {whose.held_reason}")
    if not whose.is_about(score.patient):
        raise NotHers("subject", "another infant lay in the bed at that time")
    return whose


def _suggestion(
    connection: Connection, score: OwnScore, policy: ChartingPolicy, whose: Assignment, *, now: datetime
) -> _Suggestion:
    span = _span(score, policy)
    windows = windows_of(connection, score.bed, span)
    if not windows:
        return _Suggestion(unpaired=NO_WINDOW)
    history = history_of(connection, score.bed, since=windows[0].window_end - VITALS_SPAN)
    owners = [assign(history, one.window_end, one.patients) for one in windows]
    if not all(one.patient is not None and one.is_about(score.patient) for one in owners):
        return _Suggestion(unpaired=NOT_ONE_INFANTS)
    band = ga_band(whose.gestational_age_days)
    ours = draft(span, windows, policy, band=band)
    ours = replace(ours, processing=least_of(ours.processing, whose.processing))
    kept = Kept(in_study=True, ga_band=band)
    added = add_entry(connection, ours, whose, Basis(runs_of(windows)), kept=kept, now=now)
    # Another nurse may have scored the same minute.
    suggestion_id = added or _blinded(connection, span, score.bed)
    if suggestion_id is None:
        return _Suggestion(unpaired=NOT_BLINDED)
    # From now on nurses may be told of it, as the policy has it.
    told = update(ENTRIES).where(ENTRIES.c.entry_id == suggestion_id, ENTRIES.c.revealed.is_(None))
    connection.execute(told.values(revealed=policy.study.reveal.value))
    return _Suggestion(suggestion_id, ours if added else None)


def _blinded(connection: Connection, span: Span, bed: BedId) -> str | None:
    query = select(ENTRIES.c.entry_id).where(
        ENTRIES.c.bed == bed,
        ENTRIES.c.kind == span.kind.value,
        ENTRIES.c.begins == span.begin,
        ENTRIES.c.ends == span.end,
        ENTRIES.c.state == EntryState.BLINDED.value,
    )
    return connection.scalar(query)


def _could_be_seen(connection: Connection, score: OwnScore, policy: ChartingPolicy) -> bool:
    """Whether a number of any part of the minute may have been told to nurses by now.

    Who has looked is not asked: what could be seen counts as seen.
    """
    span = _span(score, policy)
    pair = exists().where(
        ENTRIES.c.bed == score.bed,
        ENTRIES.c.ends > span.begin,
        ENTRIES.c.begins < span.end,
        or_(
            ENTRIES.c.revealed == Reveal.AFTER_SCORE.value,
            and_(
                ENTRIES.c.state == EntryState.CHARTED.value,
                not_(ENTRIES.c.kind.startswith(OF_NURSE, autoescape=True)),
            ),
        ),
    )
    aggregate = exists().where(
        AGGREGATES.c.bed == score.bed,
        AGGREGATES.c.kind == SCORE,
        AGGREGATES.c.begins > span.begin - SLOT,
        AGGREGATES.c.begins < span.end,
        AGGREGATES.c.patient_value.is_not(None),
        not_(AGGREGATES.c.in_study),
    )
    newest = exists().where(
        LIVE_SCORES.c.bed == score.bed,
        LIVE_SCORES.c.window_end > span.begin,
        LIVE_SCORES.c.window_end <= span.end,
        not_(LIVE_SCORES.c.in_study),
    )
    return bool(connection.scalar(select(or_(pair, aggregate, newest))))


def _add_own(
    connection: Connection,
    score: OwnScore,
    policy: ChartingPolicy,
    whose: Assignment,
    *,
    own_id: str,
    ours: _Suggestion,
    now: datetime,
) -> None:
    if whose.patient is None:
        raise TypeError(whose)
    span = _span(score, policy)
    draft = AssessmentDraft(
        about=ours.id or "",
        bed=score.bed,
        kind=span.kind,
        observed_from=span.begin,
        observed_to=span.end,
        items=score.items,
        by=score.by,
        processing=whose.processing,
        known_as=own_id,
        in_study=True,
    )
    connection.execute(
        insert(ENTRIES).values(
            entry_id=own_id,
            bed=score.bed,
            # Several nurses may score the same minute.
            kind=f"{OF_NURSE}study-{own_id[:12]}",
            begins=span.begin,
            ends=span.end,
            issued=now,
            state=EntryState.CHARTED.value,
            patient_authority=whose.patient.assigning_authority,
            patient_value=whose.patient.value,
            patient_type=whose.patient.type_code,
            visit=whose.visit,
            value=NIPS_X10_7.to_reported(score.items.total),
            draft=ASSESSMENT.dump_python(draft, mode="json"),
            status=EntryStatus.FINAL.value,
            in_study=True,
            ga_band=ga_band(whose.gestational_age_days),
        )
    )
    connection.execute(
        insert(ENTRY_STATUSES).values(
            entry_id=own_id,
            number=1,
            status=EntryStatus.FINAL.value,
            made_by=score.by.display,
            moment=now,
            cause=CAUSE,
            reason=score.note,
        )
    )


def _audited(score: OwnScore, own_id: str, ours: _Suggestion, *, seen_before: bool) -> AuditEvent:
    # Of ours no number: whoever reads the trail may be a nurse of that unit.
    return AuditEvent(
        event="study_scored",
        actor=score.by.display,
        entry_id=own_id,
        patient=f"{score.patient.assigning_authority}|{score.patient.value}",
        detail={
            "bed": score.bed,
            "effective": score.effective.isoformat(),
            "nips": score.items.total,
            "suggestion": ours.id,
            "draft_sha256": digest_of(ours.draft) if ours.draft is not None else None,
            "unpaired": ours.unpaired,
            "seen_before": seen_before,
            "reviewer": score.by.id,
            "why": score.note,
            **score.asked,
        },
    )
