"""How long the searches of dashboards and readers take among very many Observations, and by which indexes.

With what is written down of each, and without HTTP. To be run on a database of its own.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, event, text

from neopain.charting.api.access import Access
from neopain.charting.api.question import AskSearch
from neopain.charting.api.reader import Caller, Reader
from neopain.charting.entries import DRAFT
from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.authority import system_of
from neopain.codecs.fhir.census import Naming
from neopain.codecs.fhir.ids import encounter_id, patient_id
from neopain.codecs.fhir.scopes import read_scopes
from neopain.codecs.fhir.search import Pair
from neopain.domain.charting import DraftEntry
from neopain.domain.identity import BedId, PatientId
from neopain.domain.policy import DEFAULT_POLICY, SitePolicies
from neopain.domain.score import Modality, Weights
from neopain.domain.span import EntryKind
from neopain.domain.vitals import Processing
from neopain.runtime.clock import SystemClock

AUTHORITY = "BENCH"
BEDS = 100
ENTRIES_OF_STAY = 500
"""Five days of an infant, four entries an hour."""
INTERVAL = timedelta(minutes=15)
BIG = 10_000
"""Rows from which on a table is not to be walked for one answer."""
FILL = text("""
INSERT INTO entries
  (entry_id, bed, kind, begins, ends, issued, state, patient_authority, patient_value, patient_type,
   visit, value, draft)
SELECT
  md5(number::text), bed, 'interval-summary', ends - :interval, ends, ends + interval '20 s', 'charted', :authority,
  patient, 'MR', 'V' || patient, 3.0,
  CAST(:draft AS jsonb) || jsonb_build_object(
    'bed', bed, 'begin', ends - :interval, 'end', ends, 'observed_from', ends - :interval, 'observed_to', ends)
FROM generate_series(0, :rows - 1) number,
  LATERAL (SELECT
    'BENCH/1/' || number % :beds AS bed,
    'M' || number % :beds || '-' || number / :beds / :stay AS patient,
    CAST(:newest AS timestamptz) - (number / :beds) * CAST(:interval AS interval) AS ends) told
""")


@dataclass(frozen=True, slots=True)
class SearchMeasured:
    """One search: how many it found, milliseconds of each time and how many of them the
    database took, the indexes that its queries went by, and the big
    tables that they walked from end to end (there should be none)."""

    query: str
    found: int
    took_ms: list[float]
    database_ms: list[float]
    indexes: list[str]
    walked: list[str]


@dataclass(slots=True)
class Plans:
    """What the plans of queries go by."""

    indexes: set[str] = field(default_factory=set)
    walked: set[str] = field(default_factory=set)

    def add(self, node: dict[str, Any], sizes: dict[str, int]) -> None:
        """A node of a plan, and those below it."""
        if "Index Name" in node:
            self.indexes.add(node["Index Name"])
        if node["Node Type"] == "Seq Scan" and sizes.get(node["Relation Name"], 0) >= BIG:
            self.walked.add(node["Relation Name"])
        for below in node.get("Plans", []):
            self.add(below, sizes)


@dataclass(slots=True)
class Queries:
    """The queries of a search, and the seconds that the database took for all that was asked of it."""

    made: list[tuple[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    _begun: float = 0.0

    def begin(self) -> None:
        """Forgets those of the search before."""
        self.made, self.seconds = [], 0.0

    @contextmanager
    def of(self, engine: Engine) -> Iterator[None]:
        """Notes them meanwhile."""
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)
        try:
            yield
        finally:
            event.remove(engine, "before_cursor_execute", self._before)
            event.remove(engine, "after_cursor_execute", self._after)

    def _before(self, _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            self.made.append((statement, parameters))
        self._begun = time.perf_counter()

    def _after(self, *_: Any) -> None:
        self.seconds += time.perf_counter() - self._begun


def fill_entries(engine: Engine, *, rows: int) -> float:
    """Writes so many charted entries, the newest of now; returns the seconds that it took."""
    begun, now = time.monotonic(), SystemClock().now()
    named = {
        "rows": rows,
        "beds": BEDS,
        "stay": ENTRIES_OF_STAY,
        "authority": AUTHORITY,
        "interval": INTERVAL,
        "newest": now,
        "draft": json.dumps(DRAFT.dump_python(_draft(now), mode="json")),
    }
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(FILL, named)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM ANALYZE entries"))
        connection.invalidate()
    return time.monotonic() - begun


def measure_searches(engine: Engine, *, times: int, names: Iterable[str] = ()) -> list[SearchMeasured]:
    """Each search, or those named, so many times, for another infant each time. ``DatabaseUnavailable``."""
    reader = _reader(engine)
    return [_measured(engine, reader, name, times=times) for name in names or SEARCHED]


def _measured(engine: Engine, reader: Reader, name: str, *, times: int) -> SearchMeasured:
    now, took, in_database, found = SystemClock().now(), [], [], 0
    queries = Queries()
    with queries.of(engine):
        for number in range(times):
            asked = _asked(name, now, infant=number % BEDS)
            queries.begin()
            begun = time.perf_counter()
            told = reader.search(asked, _caller())
            took.append(1000 * (time.perf_counter() - begun))
            in_database.append(1000 * queries.seconds)
            bundle = told.resource or {}
            found = max(found, len(bundle.get("entry", [])), bundle.get("total", 0))
    plans = _plans(engine, queries)
    return SearchMeasured(name, found, took, in_database, sorted(plans.indexes), sorted(plans.walked))


def _plans(engine: Engine, queries: Queries) -> Plans:
    plans = Plans()
    with engine.connect() as connection:
        sizes = _sizes(connection)
        for statement, parameters in queries.made:
            answer = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar()
            plans.add((answer or [])[0]["Plan"], sizes)
    return plans


def _sizes(connection: Connection) -> dict[str, int]:
    rows = connection.execute(text("SELECT relname, reltuples FROM pg_class WHERE relkind IN ('r', 'p')"))
    return {str(name): int(count) for name, count in rows}


def _asked(name: str, now: datetime, *, infant: int) -> AskSearch:
    patient = PatientId(f"M{infant}-0", AUTHORITY)
    words = {
        "patient": patient_id(patient),
        "encounter": encounter_id(patient, f"V{patient.value}"),
        "number": f"{system_of(AUTHORITY, {})}|{patient.value}",
        "entry": f"{terms.ENTRY_IDENTIFIERS}|{_entry_id(infant)}",
        "id": _entry_id(infant),
        "day": _moment(now - timedelta(days=1)),
        "hour": _moment(now - timedelta(hours=1)),
    }
    resource_type, pairs = SEARCHED[name]
    return AskSearch(resource_type, tuple((key, value.format(**words)) for key, value in pairs))


def _entry_id(number: int) -> str:
    return hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


SEARCHED: dict[str, tuple[str, tuple[Pair, ...]]] = {
    "an infant's newest": ("Observation", (("patient", "{patient}"),)),
    "an infant's last day": ("Observation", (("patient", "{patient}"), ("date", "ge{day}"), ("_count", "200"))),
    "an infant's by its number": ("Observation", (("patient.identifier", "{number}"),)),
    "an infant's, counted": ("Observation", (("patient", "{patient}"), ("_summary", "count"))),
    "an infant's of the category": ("Observation", (("patient", "{patient}"), ("category", "survey"))),
    "an infant's, with the infant": ("Observation", (("patient", "{patient}"), ("_include", "Observation:patient"))),
    "an infant's to be verified": ("Observation", (("patient", "{patient}"), ("status", "preliminary"))),
    "a stay's": ("Observation", (("encounter", "{encounter}"),)),
    "one by its identifier": ("Observation", (("identifier", "{entry}"),)),
    "everybody's newest": ("Observation", ()),
    "everybody's last hour": ("Observation", (("date", "ge{hour}"),)),
    "everybody's to be verified": ("Observation", (("status", "preliminary"),)),
    "what changed in the last hour": ("Observation", (("_lastUpdated", "ge{hour}"), ("_sort", "_lastUpdated"))),
    "who made an infant's": ("Provenance", (("patient", "{patient}"),)),
    "who made one": ("Provenance", (("target", "{id}"),)),
    "an infant by its number": ("Patient", (("identifier", "{number}"),)),
}
"""What is searched, by what it is for."""


def _reader(engine: Engine) -> Reader:
    url = "http://127.0.0.1/fhir/R4"
    return Reader(engine, SystemClock(), Naming({}), url, "127.0.0.1", SitePolicies(DEFAULT_POLICY))


def _caller() -> Caller:
    access = Access("bench", "bench", "https://bench.invalid", "", read_scopes(["system/*.rs"]), frozenset())
    return Caller(access, "bench", "127.0.0.1")


def _draft(now: datetime) -> DraftEntry:
    return DraftEntry(
        bed=BedId("BENCH/1/0"),
        kind=EntryKind.INTERVAL_SUMMARY,
        begin=now - INTERVAL,
        end=now,
        observed_from=now - INTERVAL,
        observed_to=now,
        value=3.0,
        low=2.0,
        high=4.0,
        peak=5.0,
        windows=900,
        windows_scored=890,
        windows_missed=2,
        present=dict.fromkeys(Modality, 880),
        absences={},
        absent_reason="",
        model="bench",
        weights=Weights.UNTRAINED,
        scale_map="nips-x10/7-v1",
        processing=Processing.PRODUCTION,
        policy="default",
        sedation=-1.0,
        windows_unlike=3,
        threshold=5.0,
        above=timedelta(seconds=30),
        late_after=timedelta(minutes=5),
    )
