"""An entry that a person asks for, in one transaction with who asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from neopain.charting.audit.chain import AuditEvent
from neopain.charting.courses import locked_course, save_course
from neopain.charting.intake import Intake, Written, write_span
from neopain.charting.tables import COURSES
from neopain.charting.unit_of_work import unit_of_work
from neopain.domain.identity import BedId
from neopain.domain.request import request


@dataclass(frozen=True, slots=True)
class Asked:
    """Who wants an entry of which bed."""

    bed: BedId
    by: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was written; nothing when it was refused, and why."""

    written: Written = field(default_factory=Written)
    refusal: str = ""


def chart_on_request(intake: Intake, asked: Asked) -> Answer:
    """Writes an entry of the bed's last minute, and who asked for it to the audit trail; a refusal is audited too.

    ``DatabaseUnavailable``: nothing was written, ask again.
    """
    policy = intake.policies.of(asked.bed)
    with unit_of_work(intake.engine, intake.clock) as unit:
        if not _is_known(unit.connection, asked.bed):
            return Answer(refusal="this bed was never scored")
        if policy.study.enabled:
            refusal = "its unit is in study mode: a nurse's own score has one made"
            unit.audit(_audited(asked, refusal))
            return Answer(refusal=refusal)
        requested = request(locked_course(unit.connection, asked.bed), policy, now=intake.clock.now())
        refusal, written = requested.refusal, Written()
        if requested.span is not None:
            save_course(unit.connection, requested.course)
            written = write_span(intake, unit, asked.bed, requested.span)
            refusal = "" if written.charted or written.held else "these windows are charted on request already"
        unit.audit(_audited(asked, refusal))
    return Answer(written, refusal)


def _audited(asked: Asked, refusal: str) -> AuditEvent:
    return AuditEvent(event="entry_requested", actor=asked.by, detail={"bed": asked.bed, "refusal": refusal})


def _is_known(connection: Connection, bed: BedId) -> bool:
    return connection.scalar(select(COURSES.c.bed).where(COURSES.c.bed == bed)) is not None
