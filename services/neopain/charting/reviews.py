"""Reviews as rows: what a nurse did with an entry, what she saw, and her own entry where she charted one.

Each is one transaction: the review, the entry's new status, her own entry with its outbox row, and the audit rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from neopain.charting import outbox
from neopain.charting.audit.chain import AuditEvent, Value
from neopain.charting.entries import ASSESSMENT, OF_NURSE, EntryState, entry_of
from neopain.charting.statuses import change_status
from neopain.charting.tables import ENTRIES, ENTRY_STATUSES, REVIEWS
from neopain.charting.unit_of_work import UnitOfWork
from neopain.domain.charting import ChartedEntry
from neopain.domain.entry_status import EntryStatus
from neopain.domain.review import (
    BECOMES,
    AssessmentDraft,
    NipsItems,
    NurseAssessment,
    ReviewAct,
)
from neopain.domain.reviewer import Reviewer
from neopain.domain.scales import NIPS_X10_7
from neopain.errors import ImpossibleTransition

CAUSE = "review"
"""Of the statuses that a review gives."""


@dataclass(frozen=True, slots=True)
class Review:
    """What a nurse wants with an entry, as she saw it in ``seen_version``; ``items`` is what she scored instead.

    ``asked`` is what the audit says of the request.
    """

    act: ReviewAct
    by: Reviewer
    seen_version: int
    reason: str = ""
    items: NipsItems | None = None
    asked: Mapping[str, Value] = field(default_factory=dict)


def review(unit: UnitOfWork, entry: Row[Any], wanted: Review, *, now: datetime) -> str:
    """Does what a nurse wants with an entry, whose row is locked and of the version that she saw; returns the id of the
    entry that holds what she means: the same one, or her own.

    ``ImpossibleTransition`` where the entry stands at what allows it no more, or is a nurse's and to be replaced:
    nothing is written.
    """
    charted = entry_of(entry)
    if wanted.act is ReviewAct.CHANGE and isinstance(charted, NurseAssessment):
        raise ImpossibleTransition("a nurse's own score is not replaced by another: it can be entered in error")
    suggested = charted.draft.value if isinstance(charted, ChartedEntry) else None
    change_status(
        unit,
        entry.entry_id,
        BECOMES[wanted.act],
        actor=wanted.by.display,
        cause=CAUSE,
        reason=wanted.reason,
        now=now,
    )
    own = None
    if wanted.items is not None and isinstance(charted, ChartedEntry):
        own = _add_assessment(unit, entry, charted, wanted, items=wanted.items, now=now)
    unit.connection.execute(
        insert(REVIEWS).values(
            entry_id=entry.entry_id,
            number=len(reviews_of(unit.connection, entry.entry_id)) + 1,
            act=wanted.act.value,
            reviewer=wanted.by.id,
            issuer=wanted.by.issuer,
            display=wanted.by.display,
            moment=now,
            reason=wanted.reason,
            seen_version=wanted.seen_version,
            suggested=suggested,
            nips=wanted.items.total if wanted.items is not None else None,
            items=asdict(wanted.items) if wanted.items is not None else None,
            assessment_id=own,
        )
    )
    unit.audit(_audited(entry, wanted, own, suggested))
    return own or str(entry.entry_id)


def reviews_of(connection: Connection, entry_id: str) -> list[Row[Any]]:
    """The reviews of an entry, in order."""
    query = select(REVIEWS).where(REVIEWS.c.entry_id == entry_id).order_by(REVIEWS.c.number)
    return list(connection.execute(query))


def is_repeat(found: Row[Any], wanted: Review) -> bool:
    """Whether a review is what is wanted again: by the same nurse, of the same version, to the same effect."""
    items = asdict(wanted.items) if wanted.items is not None else None
    told = (found.act, found.reviewer, found.issuer, found.seen_version, found.reason, found.items)
    return told == (
        wanted.act.value,
        wanted.by.id,
        wanted.by.issuer,
        wanted.seen_version,
        wanted.reason,
        items,
    )


def _add_assessment(
    unit: UnitOfWork, entry: Row[Any], charted: ChartedEntry, wanted: Review, *, items: NipsItems, now: datetime
) -> str:
    draft = AssessmentDraft(
        about=entry.entry_id,
        bed=charted.draft.bed,
        kind=charted.draft.kind,
        observed_from=charted.draft.observed_from,
        observed_to=charted.draft.observed_to,
        items=items,
        by=wanted.by,
        processing=charted.draft.processing,
    )
    own = NurseAssessment(draft, charted.patient, charted.visit, now)
    same = ("bed", "begins", "ends", "patient_authority", "patient_value", "patient_type", "visit", "runs")
    unit.connection.execute(
        insert(ENTRIES).values(
            **{name: getattr(entry, name) for name in same},
            entry_id=own.id,
            kind=f"{OF_NURSE}{entry.kind}",
            issued=now,
            state=EntryState.CHARTED.value,
            value=NIPS_X10_7.to_reported(items.total),
            draft=ASSESSMENT.dump_python(draft, mode="json"),
            status=EntryStatus.FINAL.value,
        )
    )
    unit.connection.execute(
        insert(ENTRY_STATUSES).values(
            entry_id=own.id,
            number=1,
            status=EntryStatus.FINAL.value,
            made_by=wanted.by.display,
            moment=now,
            cause=CAUSE,
            reason=wanted.reason,
        )
    )
    outbox.put(unit.connection, entry_id=own.id, infant=_infant(entry), now=now)
    return own.id


def _infant(entry: Row[Any]) -> str:
    return f"{entry.patient_authority or ''}|{entry.patient_value}"


def _audited(entry: Row[Any], wanted: Review, own: str | None, suggested: float | None) -> AuditEvent:
    return AuditEvent(
        event="entry_reviewed",
        actor=wanted.by.id,
        entry_id=entry.entry_id,
        patient=_infant(entry),
        detail={
            "act": wanted.act.value,
            "seen_version": wanted.seen_version,
            "suggested": suggested,
            "nips": wanted.items.total if wanted.items is not None else None,
            "own_entry": own or "",
            "reason": wanted.reason,
            "display": wanted.by.display,
            **wanted.asked,
        },
    )
