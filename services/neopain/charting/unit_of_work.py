"""One transaction of charting: what is written and what the audit says of it are committed together or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

from neopain.charting.audit.chain import AuditEvent, append
from neopain.charting.database import translated
from neopain.runtime.clock import Clock


@dataclass(slots=True)
class UnitOfWork:
    """The open transaction. Audit events are collected and appended last: the chain's head is locked only shortly."""

    connection: Connection
    events: list[AuditEvent] = field(default_factory=list)

    def audit(self, event: AuditEvent) -> None:
        """To be in the audit trail if, and only if, this transaction is committed."""
        self.events.append(event)


@contextmanager
def unit_of_work(engine: Engine, clock: Clock) -> Iterator[UnitOfWork]:
    """Commits when the block ends well, rolls back when it raises. ``DatabaseUnavailable`` when it cannot."""
    with translated("writing"), engine.begin() as connection:
        unit = UnitOfWork(connection)
        yield unit
        append(connection, unit.events, now=clock.now())
