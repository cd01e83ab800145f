"""What nurses made of suggestions, for whoever looks at the agreement: no names, infants only to tell them apart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, not_, select
from sqlalchemy.sql.selectable import Subquery

from neopain.charting.database import connect, translated
from neopain.charting.entries import OF_NURSE, EntryState
from neopain.charting.tables import ENTRIES, REVIEWS, STUDY_SCORES
from neopain.domain.entry_status import RETRACTED
from neopain.domain.identity import BedId
from neopain.domain.review import ReviewAct


@dataclass(frozen=True, slots=True)
class ReviewedEntry:
    """The last review of a suggestion. ``suggested`` is 0 to 10, ``nips`` what the nurse scored, 0 to 7; None: no
    number. ``infant`` is a digest that is the same for entries of the same infant."""

    bed: BedId
    infant: str
    moment: datetime
    act: ReviewAct
    suggested: float | None
    nips: int | None


def read_reviewed(database_url: str) -> list[ReviewedEntry]:
    """The last review of each suggestion, in the order of time. A nurse's own score that was entered in error counts as
    no number. ``DatabaseUnavailable``."""
    last, own = _last_reviews(), ENTRIES.alias("own")
    is_retracted = own.c.status.in_([status.value for status in RETRACTED])
    query = (
        select(
            ENTRIES.c.bed,
            func.md5(func.concat(ENTRIES.c.patient_authority, "|", ENTRIES.c.patient_value)).label("infant"),
            last.c.moment,
            last.c.act,
            last.c.suggested,
            last.c.nips,
            func.coalesce(is_retracted, False).label("is_retracted"),
        )
        .join_from(last, ENTRIES, ENTRIES.c.entry_id == last.c.entry_id)
        .outerjoin(own, own.c.entry_id == last.c.assessment_id)
        .where(~ENTRIES.c.kind.startswith(OF_NURSE, autoescape=True))
        .order_by(last.c.moment, last.c.entry_id)
    )
    engine = connect(database_url, connections=1)
    try:
        with translated("reading reviews"), engine.connect() as connection:
            return [
                ReviewedEntry(
                    bed=BedId(row.bed),
                    infant=row.infant,
                    moment=row.moment,
                    act=ReviewAct(row.act),
                    suggested=row.suggested,
                    nips=None if row.is_retracted else row.nips,
                )
                for row in connection.execute(query)
            ]
    finally:
        engine.dispose()


def read_study_pairs(database_url: str) -> list[ReviewedEntry]:
    """What nurses scored in studies beside ours of the same minute, in the order of time, each as a change.

    Left out: those without ours, those whose number could have been seen before, and what was entered in error since.
    ``DatabaseUnavailable``.
    """
    ours, hers = ENTRIES.alias("ours"), ENTRIES.alias("hers")
    query = (
        select(
            STUDY_SCORES.c.bed,
            func.md5(func.concat(ours.c.patient_authority, "|", ours.c.patient_value)).label("infant"),
            STUDY_SCORES.c.effective,
            STUDY_SCORES.c.nips,
            ours.c.value,
        )
        .join_from(STUDY_SCORES, ours, ours.c.entry_id == STUDY_SCORES.c.suggestion_id)
        .join(hers, hers.c.entry_id == STUDY_SCORES.c.entry_id)
        .where(
            ours.c.state == EntryState.BLINDED.value,
            hers.c.status.not_in([status.value for status in RETRACTED]),
            not_(STUDY_SCORES.c.seen_before),
        )
        .order_by(STUDY_SCORES.c.effective, STUDY_SCORES.c.entry_id)
    )
    engine = connect(database_url, connections=1)
    try:
        with translated("reading what is kept for a study"), engine.connect() as connection:
            return [
                ReviewedEntry(BedId(row.bed), row.infant, row.effective, ReviewAct.CHANGE, row.value, row.nips)
                for row in connection.execute(query)
            ]
    finally:
        engine.dispose()


def _last_reviews() -> Subquery:
    later = REVIEWS.alias("later")
    newer = and_(later.c.entry_id == REVIEWS.c.entry_id, later.c.number > REVIEWS.c.number)
    return select(REVIEWS).where(~select(later.c.number).where(newer).exists()).subquery("last")
