"""What the policy remembers of each bed, as rows: in one hand at a time."""

from __future__ import annotations

from pydantic import TypeAdapter
from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from neopain.charting.census import lock_bed
from neopain.charting.tables import COURSES
from neopain.domain.charting import Course
from neopain.domain.identity import BedId
from neopain.domain.pacing import Queue, Waiting

WAITING = TypeAdapter(tuple[Waiting, ...])
# Made once: a score is taken each second at each bed, and to put a statement together takes longer than to run it.
MAKE = insert(COURSES).on_conflict_do_nothing()
TAKE = select(COURSES).where(COURSES.c.bed == bindparam("own_bed")).with_for_update()
SAVE = update(COURSES).where(COURSES.c.bed == bindparam("own_bed"))


def locked_course(connection: Connection, bed: BedId) -> Course:
    """The bed's course, an empty one if it has none; nobody else has the bed until the transaction ends."""
    # A fact of the census and what is written by the history without it must not pass each other unseen.
    lock_bed(connection, bed)
    row = connection.execute(TAKE, {"own_bed": bed}).one_or_none()
    if row is None:
        connection.execute(MAKE, {"bed": bed})
        row = connection.execute(TAKE, {"own_bed": bed}).one()
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
    values = {
        "charted_until": course.charted_until,
        "newest": course.newest,
        "occupant": course.occupant,
        "in_episode": course.in_episode,
        "crossing_since": course.crossing_since,
        "scored_at": course.scored_at,
        "waiting": WAITING.dump_python(course.queue.waiting, mode="json"),
        "entry_at": course.queue.entry_at,
    }
    connection.execute(SAVE, {"own_bed": course.bed, **values})
