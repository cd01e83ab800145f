"""Answers queries of the census to senders that may ask: look up, write, tell the audit trail, and only then answer."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from neopain.bus.bus import Bus
from neopain.bus.census import read_census
from neopain.bus.disclosures import tell_disclosure
from neopain.codecs.hl7v2.ack import Stamp
from neopain.codecs.hl7v2.message import APPLICATION_ERROR, UNSUPPORTED_TYPE
from neopain.codecs.hl7v2.query import read_query
from neopain.codecs.hl7v2.query_answer import Asked, write_findings
from neopain.domain.assignment import charting_identifier
from neopain.domain.query import Disclosure, Findings, Query, find
from neopain.errors import MalformedMessage
from neopain.ingest.hl7.received import Received
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter

LOG = Log(__name__)

T = TypeVar("T")


class UntilDone(Protocol):
    """Tries something with the bus until it is done; ``BusUnavailable`` when patience ends."""

    async def __call__(self, attempt: Callable[[], Awaitable[T]], /) -> T: ...


def require_allowed(one: Received) -> None:
    """Raises ``MalformedMessage``: 200 for a sender that the site's file does not let ask, 207 for a dead letter."""
    if one.letter:
        raise MalformedMessage("MSH-9", "a query is asked again, not put in again", code=APPLICATION_ERROR)
    if not one.facts.may_ask:
        rule = "queries are answered only to sources with may_ask in NEOPAIN_INGEST_HL7_SOURCES"
        raise MalformedMessage("MSH-9.1", rule, code=UNSUPPORTED_TYPE)


@dataclass(slots=True)
class QueryIntake:
    """Looks up and answers; one for all senders."""

    bus: Bus

    async def answer(self, asked: Asked, one: Received, stamp: Stamp, until_done: UntilDone) -> bytes:
        """The answer, once the audit trail is sure to hear of it. Raises ``MalformedMessage``, ``BusUnavailable``."""
        query = read_query(one.message, one.header, default_facility=one.facts.default_facility)
        census = await until_done(partial(read_census, self.bus))
        findings = find(census.beds, query, one.header.processing)
        # Off the event loop: hl7apy takes its time.
        answer = await asyncio.to_thread(write_findings, asked, query, findings, stamp, zone=one.facts.zone)
        disclosure = _disclosure(query, findings, one)
        await until_done(partial(tell_disclosure, self.bus, disclosure, mark=uuid.uuid4().hex))
        _count(findings, one)
        return answer


def _disclosure(query: Query, findings: Findings, one: Received) -> Disclosure:
    told = (charting_identifier(found.infant) for found in findings.found)
    return Disclosure(
        source=one.source,
        address=one.sender.address,
        control_id=one.header.control_id,
        asked=f"{one.header.message_type}^{one.header.trigger}",
        moment=one.received,
        patients=query.patients,
        place=str(query.place) if query.place else "",
        visit=query.visit,
        told=tuple(patient for patient in told if patient is not None),
        held=tuple(state.bed for state in findings.held),
    )


def _count(findings: Findings, one: Received) -> None:
    outcome = "found" if findings.found else "held" if findings.held else "nobody"
    counter("ingest_queries_total").labels(outcome).inc()
    LOG.info(
        "query_answered",
        source=one.source,
        control_id=one.header.control_id,
        outcome=outcome,
        found=len(findings.found),
        held=len(findings.held),
    )
