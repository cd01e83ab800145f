"""What has changed of what readers are told, found by looking twice a second: one look serves every stream.

No notice of PostgreSQL is needed for it: whoever writes need not know that somebody watches, a lost connection loses
nothing, and that a number has become too old is a change although nobody writes. A row is known by its version, so that
a look may begin a little before the last one: what was written before it and committed after it is found too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, func, select

from neopain.charting.api.access import Limits
from neopain.charting.api.aggregates import IS_SERVED as IS_SUM_SERVED
from neopain.charting.api.aggregates import OWN_ID
from neopain.charting.api.entries import IS_SERVED as IS_ENTRY_SERVED
from neopain.charting.api.entries import UPDATED
from neopain.charting.api.live import live_scores
from neopain.charting.api.scene import Scene
from neopain.charting.database import translated
from neopain.charting.tables import AGGREGATES, ALERT_EVENTS, ALERT_WATCHES, ALERTS, ENTRIES
from neopain.codecs.fhir.census import Naming
from neopain.codecs.fhir.ids import key_of, patient_id
from neopain.domain.identity import BedId, PatientId
from neopain.runtime.clock import Clock

OVERLAP = timedelta(seconds=30)
"""A look begins this long before the newest row of the last one: longer than a transaction of charting may take."""


@dataclass(frozen=True, slots=True)
class Change:
    """A resource that is new or says something else."""

    kind: str
    """``live-score``, ``aggregate``, ``entry`` or ``alert``."""
    reference: str
    version: str
    patient: PatientId
    bed: BedId

    @property
    def resource_type(self) -> str:
        """Whose scope grants it."""
        return self.reference.partition("/")[0]

    @property
    def infant(self) -> str:
        """The key of whom it tells."""
        return key_of(self.patient)

    def is_for(self, limits: Limits | None) -> bool:
        """Whether a client with these limits on its type may know of it."""
        if limits is None:
            return False
        return limits.allow_bed(self.bed) and limits.allow_patient(patient_id(self.patient))


@dataclass(slots=True)
class Watcher:
    """What is known of the database; to be asked by one thread at a time."""

    engine: Engine
    clock: Clock
    naming: Naming
    stale_after: timedelta
    _seen: dict[str, str] = field(default_factory=dict)
    _newest: dict[str, datetime] = field(default_factory=dict)
    _is_first: bool = True

    def look(self) -> list[Change]:
        """What has changed since the last look; the first one finds nothing. ``DatabaseUnavailable``."""
        with translated("looking for changes"), self.engine.connect() as raw:
            connection = raw.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            found = [
                *self._live(connection),
                *self._alerts(connection),
                *self._rows(connection, "entry", ENTRIES_QUERY, UPDATED),
                *self._rows(connection, "aggregate", AGGREGATES_QUERY, AGGREGATES.c.written),
            ]
        changed = [one for one in found if self._seen.get(one.reference) != one.version]
        self._seen = {one.reference: one.version for one in found}
        is_first, self._is_first = self._is_first, False
        return [] if is_first else changed

    def _live(self, connection: Connection) -> Iterator[Change]:
        scene = Scene(self.clock.now(), self.naming)
        for found, lying in live_scores(connection, Limits(), scene, stale_after=self.stale_after):
            # Its age is in the resource and changes all the time; that there is no number any more is news.
            state = "number" if "valueQuantity" in found.resource else "none"
            version = f"{found.resource['effectivePeriod']['end']} {state}"
            yield Change("live-score", f"Observation/{found.id}", version, lying.patient, lying.state.bed)

    def _alerts(self, connection: Connection) -> Iterator[Change]:
        """Those that are open, and those that ended since they were last seen."""
        known = [reference.removeprefix("Flag/") for reference in self._seen if reference.startswith("Flag/")]
        is_open = ALERTS.c.alert_id.in_(select(ALERT_WATCHES.c.alert_id).where(ALERT_WATCHES.c.alert_id.is_not(None)))
        query = (
            select(ALERTS, func.max(ALERT_EVENTS.c.place).label("version"))
            .join_from(ALERTS, ALERT_EVENTS)
            .where(is_open | ALERTS.c.alert_id.in_(known))
            .group_by(ALERTS.c.alert_id)
        )
        for row in connection.execute(query):
            yield Change("alert", f"Flag/{row.alert_id}", str(row.version), _patient(row), BedId(row.bed))

    def _rows(
        self, connection: Connection, kind: str, query: Select[Any], moment: ColumnElement[datetime]
    ) -> Iterator[Change]:
        newest = self._newest.get(kind)
        if newest is None:
            newest = connection.scalar(query.with_only_columns(func.max(moment)))
            if newest is None:
                newest = self.clock.now() - OVERLAP
            self._newest[kind] = newest
        for row in connection.execute(query.where(moment >= newest - OVERLAP)):
            self._newest[kind] = max(self._newest[kind], row.moment)
            yield Change(kind, f"Observation/{row.own_id}", str(row.version), _patient(row), BedId(row.bed))


def _patient(row: Any) -> PatientId:
    return PatientId(row.patient_value, row.patient_authority or "", row.patient_type)


ENTRIES_QUERY = select(
    ENTRIES.c.entry_id.label("own_id"),
    ENTRIES.c.version,
    UPDATED.label("moment"),
    ENTRIES.c.bed,
    ENTRIES.c.patient_authority,
    ENTRIES.c.patient_value,
    ENTRIES.c.patient_type,
).where(IS_ENTRY_SERVED)
AGGREGATES_QUERY = select(
    OWN_ID.label("own_id"),
    AGGREGATES.c.version,
    AGGREGATES.c.written.label("moment"),
    AGGREGATES.c.bed,
    AGGREGATES.c.patient_authority,
    AGGREGATES.c.patient_value,
    AGGREGATES.c.patient_type,
).where(IS_SUM_SERVED, AGGREGATES.c.in_study.is_(False))
