"""The history of every bed, projected from the ``census`` stream: each fact as told, and when it became true.

A person's release of a held bed is in the audit trail as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, bindparam, func, insert, select, text, true

from neopain.charting.audit.chain import AuditEvent
from neopain.charting.tables import CENSUS_FACTS
from neopain.charting.unit_of_work import UnitOfWork
from neopain.domain.assignment import CensusFact, fact_of, names_the_same
from neopain.domain.census import BedState, Release
from neopain.domain.departed import renamed_departures, under_numbers_of_now
from neopain.domain.identity import BedId
from neopain.domain.window import VITALS_SPAN

STATE = TypeAdapter(BedState)
LOCK_BED = text("SELECT pg_advisory_xact_lock(hashtextextended(:bed, 7305102))")
# Made once: a bed is looked at for each score.
HISTORY = select(CENSUS_FACTS).where(CENSUS_FACTS.c.bed == bindparam("own_bed")).order_by(CENSUS_FACTS.c.place)
_SINCE = bindparam("since", type_=CENSUS_FACTS.c.effective.type)
_BEFORE = (
    select(func.max(CENSUS_FACTS.c.effective))
    .where(CENSUS_FACTS.c.bed == bindparam("own_bed"), CENSUS_FACTS.c.effective <= _SINCE)
    .scalar_subquery()
)
HISTORY_SINCE = HISTORY.where(CENSUS_FACTS.c.effective >= func.coalesce(_BEFORE, _SINCE))


@dataclass(frozen=True, slots=True)
class AddedFact:
    """A fact that is new to the history, and those that were told of its bed before, as far back as it may matter."""

    fact: CensusFact
    told: tuple[CensusFact, ...]


def add_fact(unit: UnitOfWork, *, fact_id: str, state: BedState, arrived: datetime) -> AddedFact | None:
    """Adds a fact of the stream to the history, with the bed in this hand; a repeat changes nothing and is None."""
    connection = unit.connection
    lock_bed(connection, state.bed)
    if connection.scalar(select(func.count()).where(CENSUS_FACTS.c.fact_id == fact_id)):
        return None
    told = _told_since_somebody_came(connection, state)
    fact = fact_of(state, told, arrived=arrived)
    connection.execute(
        insert(CENSUS_FACTS).values(
            fact_id=fact_id,
            bed=state.bed,
            effective=fact.effective,
            arrived=fact.arrived,
            settles=fact.settles,
            held_reason=state.held_reason,
            state=STATE.dump_python(state, mode="json"),
        )
    )
    if state.release is not None:
        unit.audit(_released(state, state.release, arrived))
    return AddedFact(fact, tuple(told))


def _told_since_somebody_came(connection: Connection, state: BedState) -> list[CensusFact]:
    """What a new fact of the bed may say otherwise: everything since the infant came that lay there until now, of mere
    news the last fact alone, and of who had left it before all."""
    last = connection.execute(
        select(CENSUS_FACTS).where(CENSUS_FACTS.c.bed == state.bed).order_by(CENSUS_FACTS.c.place.desc()).limit(1)
    ).one_or_none()
    if last is None:
        return []
    previous = _fact(last)
    if any(renamed_departures(previous.state, state)):
        return history_of(connection, state.bed)
    if names_the_same(state, previous.state):
        return [previous]
    since = min(state.since, previous.state.since, previous.effective)
    return history_of(connection, state.bed, since=since - VITALS_SPAN)


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
    """A bed's facts in the order they were told: all, or what is needed to tell who lay there from ``since`` on.

    Whoever has left it is in them under its numbers of now.
    """
    if since is None:
        found = connection.execute(HISTORY, {"own_bed": bed})
    else:
        found = connection.execute(HISTORY_SINCE, {"own_bed": bed, "since": since})
    return list(under_numbers_of_now([_fact(row) for row in found]))


def _fact(row: Row[Any]) -> CensusFact:
    return CensusFact(STATE.validate_python(row.state), row.effective, row.arrived, row.settles)


def last_states(connection: Connection, bed: BedId) -> tuple[BedState | None, BedState | None]:
    """The newest state of a bed and the one before it, as far as there are any."""
    told = select(CENSUS_FACTS.c.state).where(CENSUS_FACTS.c.bed == bed).order_by(CENSUS_FACTS.c.place.desc()).limit(2)
    newest, before, *_ = [*map(STATE.validate_python, connection.scalars(told)), None, None]
    return newest, before


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


def lock_bed(connection: Connection, bed: BedId) -> None:
    """Takes the bed in hand until the transaction ends: no fact of it is added meanwhile, and no entry written."""
    connection.execute(LOCK_BED, {"bed": bed})
