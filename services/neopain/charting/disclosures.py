"""What senders and persons were told who asked who lies where, audited from the ``disclosures`` stream.

Reads of patient data are a chain of their own: they are many, and whoever charts must not wait for them.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, Engine, exists, select, text

from neopain.charting.audit.chain import AuditEvent, append, detail_of, patient_of
from neopain.charting.tables import AUDIT
from neopain.charting.unit_of_work import unit_of_work
from neopain.codecs.fhir.ids import key_of
from neopain.domain.query import PERSON, Disclosure
from neopain.runtime.clock import Clock

READS = "reads"
"""The chain."""
QUERIED = "census_queried"
BUS_READ = "bus_read"
"""A person's look at what lies on the bus: who lies where, a message, a dead letter."""
CLOCKS_DIFFER = timedelta(minutes=10)


def record_disclosure(engine: Engine, clock: Clock, *, fact_id: str, disclosure: Disclosure) -> bool:
    """Audits a fact of the stream, in one row with all infants that were told of; a repeat changes nothing.

    Returns whether it was new. ``DatabaseUnavailable``: nothing was written, try again.
    """
    event = _event(fact_id, disclosure)
    with unit_of_work(engine, clock) as unit:
        unit.connection.execute(text("SELECT pg_advisory_xact_lock(7305104)"))
        if _is_recorded(unit.connection, event, disclosure):
            return False
        append(unit.connection, [event], now=clock.now(), chain=READS)
        return True


def _event(fact_id: str, disclosure: Disclosure) -> AuditEvent:
    detail: dict[str, str | int] = {
        "fact": fact_id,
        "asked": disclosure.asked,
        "control_id": disclosure.control_id,
        "address": disclosure.address,
        "moment": disclosure.moment.isoformat(),
        "patients": "; ".join(key_of(one) for one in disclosure.patients),
        "place": disclosure.place,
        "visit": disclosure.visit,
        "told": len(disclosure.told),
        "held": "; ".join(disclosure.held),
    }
    told = [key_of(one) for one in disclosure.told]
    if disclosure.source.kind == PERSON:
        return AuditEvent(event=BUS_READ, actor=disclosure.source.name, detail=detail, infants=told)
    return AuditEvent(event=QUERIED, actor=str(disclosure.source), detail=detail, infants=told)


def _is_recorded(connection: Connection, event: AuditEvent, disclosure: Disclosure) -> bool:
    # By patient and time, since those have an index.
    same = exists().where(
        AUDIT.c.patient == patient_of(event),
        AUDIT.c.recorded >= disclosure.moment - CLOCKS_DIFFER,
        AUDIT.c.event == event.event,
        AUDIT.c.detail == detail_of(event),
    )
    return bool(connection.scalar(select(same)))
