"""What a person did with dead letters, written to the audit trail from the ``replays`` stream."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, Engine, exists, select, text

from neopain.charting.audit.chain import AuditEvent, canonical_json
from neopain.charting.tables import AUDIT
from neopain.charting.unit_of_work import unit_of_work
from neopain.domain.deadletter import Replay
from neopain.runtime.clock import Clock

CLOCKS_DIFFER = timedelta(minutes=10)


def record_replay(engine: Engine, clock: Clock, *, fact_id: str, replay: Replay) -> bool:
    """Audits a fact of the stream; returns whether it was new. A repeat changes nothing."""
    event = AuditEvent(
        event="dead_letter_replayed",
        actor=replay.by,
        detail={
            "fact": fact_id,
            "letter": replay.letter,
            "source": str(replay.source),
            "control_id": replay.control_id,
            "outcome": replay.outcome.value,
            "why": replay.why,
            "reason": replay.reason,
            "told": replay.moment.isoformat(),
        },
    )
    with unit_of_work(engine, clock) as unit:
        unit.connection.execute(text("SELECT pg_advisory_xact_lock(7305103)"))
        if _is_recorded(unit.connection, event, replay):
            return False
        unit.audit(event)
        return True


def _is_recorded(connection: Connection, event: AuditEvent, replay: Replay) -> bool:
    # By patient and time, since those have an index: a replay is about no patient.
    same = exists().where(
        AUDIT.c.patient == "",
        AUDIT.c.recorded >= replay.moment - CLOCKS_DIFFER,
        AUDIT.c.event == event.event,
        AUDIT.c.detail == canonical_json(event.detail),
    )
    return bool(connection.scalar(select(same)))
