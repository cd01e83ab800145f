"""Every read, in the audit trail's chain of reads before anybody is told: one row, with all infants told of.

Writes that are refused are in it, too: they change nothing, and whoever charts must not wait for them. Of what pages
poll, of what no scope grants, and of refused writes a row stands for a while: see ``watching``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from neopain.charting.api.access import Access
from neopain.charting.api.watching import Note, Watcher, Watching
from neopain.charting.audit.chain import AuditEvent, append, hold_head
from neopain.charting.disclosures import READS
from neopain.charting.unit_of_work import unit_of_work
from neopain.codecs.fhir.audit_event import WRITE_REFUSED
from neopain.runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class ReadAsked:
    """What was asked: ``Observation/<id>``, a type with the query that was understood, or a write with its method.

    ``event`` is that of its row: ``READ``, ``SEARCHED``, ``WRITE_REFUSED``.
    """

    asked: str
    event: str
    request_id: str
    address: str
    server: str
    server_address: str
    entry_id: str = ""


@dataclass(frozen=True, slots=True)
class ReadTold:
    """What was told: of whom, how many resources, and with which HTTP status.

    ``refused`` says why nothing was told of these infants, whom the client asked for.
    """

    infants: frozenset[str]
    resources: int
    status: int
    refused: str = ""


def record_read(
    engine: Engine,
    clock: Clock,
    access: Access,
    asked: ReadAsked,
    *told: ReadTold,
    watching: Watching | None = None,
) -> None:
    """Writes a read down, or that it was refused; of what is polled only where no row stands for it. All of it is one
    transaction, also where a row stands for a refusal: how long it takes would tell the client whether there is whom it
    asked about.

    ``DatabaseUnavailable``: it is not written, and nothing may be told.
    """
    now = clock.now()
    due = [(one, _due(_watcher(access, asked, one), one, watching, now=now)) for one in told]
    events = [event for one, notes in due for event in _events(access, asked, one, notes)]
    if not events and not any(one.refused for one in told):
        return
    with unit_of_work(engine, clock) as unit:
        if events:
            append(unit.connection, events, now=now, chain=READS)
        else:
            hold_head(unit.connection, READS)
    if watching is not None:
        for one, notes in due:
            watching.written(_watcher(access, asked, one), notes, now=now)


def _due(watcher: Watcher, told: ReadTold, watching: Watching | None, *, now: datetime) -> dict[str, Note]:
    infants = told.infants or [""]
    return {infant: {} for infant in infants} if watching is None else watching.due(watcher, infants, now=now)


def _watcher(access: Access, asked: ReadAsked, told: ReadTold) -> Watcher:
    way = _way(asked)
    if told.refused:
        # Of one type, whatever its id: or a client fills the trail with ids that it makes up.
        way = f"refused {way} {asked.asked.partition('?')[0].partition('/')[0]}"
    return (access.issuer, access.subject, access.client, access.token_id, asked.address, way)


def _way(asked: ReadAsked) -> str:
    return "events" if asked.asked == "$events" else asked.event


def _events(access: Access, asked: ReadAsked, told: ReadTold, notes: Mapping[str, Note]) -> Iterable[AuditEvent]:
    detail: dict[str, str | int | bool] = {
        "asked": asked.asked,
        "request_id": asked.request_id,
        "address": asked.address,
        "server": asked.server,
        "server_address": asked.server_address,
        "client": access.client,
        "issuer": access.issuer,
        "token_id": access.token_id,
        "status": told.status,
        **_done(asked, told),
    }
    if told.refused:
        detail["refused"] = told.refused
    if access.is_of_study:
        # What it was told may hold numbers that are kept from nurses.
        detail["study"] = True
    for note, infants in _by_note(notes):
        yield AuditEvent(
            event=asked.event,
            actor=access.subject,
            entry_id=asked.entry_id,
            infants=infants,
            detail={**detail, **note},
        )


def _done(asked: ReadAsked, told: ReadTold) -> dict[str, int]:
    if asked.event == WRITE_REFUSED:
        return {"changed": 0}
    return {"told": len(told.infants) if not told.refused else 0, "resources": told.resources}


def _by_note(notes: Mapping[str, Note]) -> Iterator[tuple[Note, list[str]]]:
    """The infants of each note: those for whom the last row stood for otherwise many answers get one of their own."""
    found: dict[tuple[tuple[str, str | int], ...], list[str]] = {}
    for infant, note in notes.items():
        found.setdefault(tuple(sorted(note.items())), []).append(infant)
    return ((dict(note), [one for one in infants if one]) for note, infants in found.items())
