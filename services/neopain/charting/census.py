"""The history of every bed, projected from the ``census`` stream: each fact as told, and when it became true.

A person's release of a held bed is in the audit trail as well.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import Connection, Engine, func, insert, select, text, true

from neopain.charting.audit.chain import AuditEvent
from neopain.charting.tables import CENSUS_FACTS
from neopain.charting.unit_of_work import unit_of_work
from neopain.domain.assignment import CensusFact, fact_of
from neopain.domain.census import BedState, Release
from neopain.domain.identity import BedId
from neopain.runtime.clock import Clock

STATE = TypeAdapter(BedState)


def record_fact(engine: Engine, clock: Clock, *, fact_id: str, state: BedState, arrived: datetime) -> bool:
    """Adds a fact of the stream to the history; returns whether it was new. A repeat changes nothing."""
    with unit_of_work(engine, clock) as unit:
        connection = unit.connection
        _lock_bed(connection, state.bed)
        if connection.scalar(select(func.count()).where(CENSUS_FACTS.c.fact_id == fact_id)):
            return False
        told = history_of(connection, state.bed)
        fact = fact_of(state, previous=told[-1] if told else None, arrived=arrived)
        connection.execute(
            insert(CENSUS_FACTS).values(
                fact_id=fact_id,
                bed=state.bed,
                effective=fact.effective,
                arrived=fact.arrived,
                held_reason=state.held_reason,
                state=STATE.dump_python(state, mode="json"),
            )
        )
        if state.release is not None:
            unit.audit(_released(state, state.release, arrived))
        return True


def _released(state: BedState, release: Release, arrived: datetime) -> AuditEvent:
    whose = next(iter(state.infant.identifiers), None) if state.infant is not None else None
    return AuditEvent(
        event="bed_released",
        actor=release.by,
        patient=f"{whose.assigning_authority}|{whose.value}" if whose is not None else "",
        detail={
            "bed": state.bed,
            "reason": release.reason,
            "told": arrived.isoformat(),
            "overruled": "; ".join(f"{one.source}: {one.reason}" for one in state.overruled),
        },
    )


def history_of(connection: Connection, bed: BedId, *, since: datetime | None = None) -> list[CensusFact]:
    """A bed's facts in the order they were told: all, or what is needed to tell who lay there from ``since`` on."""
    query = select(CENSUS_FACTS).where(CENSUS_FACTS.c.bed == bed).order_by(CENSUS_FACTS.c.place)
    if since is not None:
        before = select(func.max(CENSUS_FACTS.c.effective)).where(
            CENSUS_FACTS.c.bed == bed, CENSUS_FACTS.c.effective <= since
        )
        query = query.where(CENSUS_FACTS.c.effective >= func.coalesce(before.scalar_subquery(), since))
    return [
        CensusFact(STATE.validate_python(row.state), row.effective, row.arrived) for row in connection.execute(query)
    ]


def beds_now(connection: Connection) -> list[BedState]:
    """The newest fact of every bed that was ever named, in the order of their ids."""
    first = select(CENSUS_FACTS.c.bed).order_by(CENSUS_FACTS.c.bed).limit(1).cte("beds", recursive=True)
    following = (
        select(CENSUS_FACTS.c.bed)
        .where(CENSUS_FACTS.c.bed > first.c.bed)
        .order_by(CENSUS_FACTS.c.bed)
        .limit(1)
        .scalar_subquery()
    )
    # From one bed to the next by the index: the history is long, the beds are few.
    beds = first.union_all(select(following).where(first.c.bed.is_not(None)))
    newest = (
        select(CENSUS_FACTS.c.state)
        .where(CENSUS_FACTS.c.bed == beds.c.bed)
        .order_by(CENSUS_FACTS.c.place.desc())
        .limit(1)
        .lateral()
    )
    return [
        STATE.validate_python(state)
        for state in connection.scalars(select(newest.c.state).join_from(beds, newest, true()).order_by(beds.c.bed))
    ]


def _lock_bed(connection: Connection, bed: BedId) -> None:
    # Two consumers must not both take the same fact for the bed's last.
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:bed, 7305102))"), {"bed": bed})
