"""What the policy remembers of each bed, as rows: in one hand at a time."""

from __future__ import annotations

from pydantic import TypeAdapter
from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from neopain.charting.census import lock_bed
from neopain.charting.tables import COURSES
from neopain.domain.charting import Course
from neopain.domain.identity import BedId
from neopain.domain.pacing import Queue, Waiting

WAITING = TypeAdapter(tuple[Waiting, ...])


def locked_course(connection: Connection, bed: BedId) -> Course:
    """The bed's course, an empty one if it has none; nobody else has the bed until the transaction ends."""
    # A fact of the census and what is written by the history without it must not pass each other unseen.
    lock_bed(connection, bed)
    connection.execute(insert(COURSES).values(bed=bed).on_conflict_do_nothing())
    row = connection.execute(select(COURSES).where(COURSES.c.bed == bed).with_for_update()).one()
    return Course(
        bed=bed,
        charted_until=row.charted_until,
        newest=row.newest,
        occupant=row.occupant,
        in_episode=row.in_episode,
        crossing_since=row.crossing_since,
        scored_at=row.scored_at,
        queue=Queue(WAITING.validate_python(row.waiting), row.entry_at),
    )


def save_course(connection: Connection, course: Course) -> None:
    """Writes the course of a bed that is locked."""
    connection.execute(
        update(COURSES)
        .where(COURSES.c.bed == course.bed)
        .values(
            charted_until=course.charted_until,
            newest=course.newest,
            occupant=course.occupant,
            in_episode=course.in_episode,
            crossing_since=course.crossing_since,
            scored_at=course.scored_at,
            waiting=WAITING.dump_python(course.queue.waiting, mode="json"),
            entry_at=course.queue.entry_at,
        )
    )
