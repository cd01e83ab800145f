"""A database, a bus namespace and an infant of its own for each test; the EHR is shared and only added to."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from neopain.charting.database import connect
from neopain.charting.deliverer import Deliverer
from neopain.charting.ehr.fhir_http import FhirHttp
from neopain.charting.ehr.fhir_r4 import R4Channel
from neopain.charting.facts import take_fact
from neopain.charting.intake import Intake, take_score
from neopain.charting.migrate import migrate
from neopain.charting.retry import RetryPolicy
from neopain.charting.roles import Roles
from neopain.charting.tables import METADATA
from neopain.domain.census import BedState, Infant
from neopain.domain.identity import BedId, PatientId
from neopain.domain.policy import ChartingPolicy, SitePolicies
from neopain.domain.score import Estimate, Modality, ModelVersion, Outcome, Presence, Score, Weights
from neopain.domain.vitals import Processing
from neopain.embedded.postgres import OWNER, READER, WRITER, Postgres

from ...fhir_validity import Judge, judging, require_valid
from ...servers import in_background, trusted
from .authorization import installed

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
AUTHORITY = "HOSP"
SYSTEM = f"urn:neopain:authority:{AUTHORITY}"
NewDatabase = Callable[..., AbstractContextManager[str]]
ENTRY_SYSTEM = "https://neopain.org/fhir/identifier/entry"


@dataclass(slots=True)
class TestClock:
    """A clock that the test sets."""

    __test__ = False
    moment: datetime = NOON

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture(scope="session", autouse=True)
def judge(state_dir: Path) -> Iterator[Judge]:
    """The validators of FHIR resources that nobody here wrote; they start when the first is shown to them."""
    with judging(state_dir) as judge:
        yield judge


@pytest.fixture(scope="session")
def new_database(database_url: str) -> Iterator[NewDatabase]:
    """Makes a database for a block, empty or the copy of another to which nobody is connected."""
    server = create_engine(database_url, isolation_level="AUTOCOMMIT")

    @contextmanager
    def make(*, like: str = "template1") -> Iterator[str]:
        name = f"charting_{uuid.uuid4().hex[:12]}"
        with server.connect() as connection:
            # As files, not by the log page for page: half the work.
            connection.execute(text(f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {like} STRATEGY FILE_COPY"))
        yield database_url.rpartition("/")[0] + f"/{name}"
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))

    yield make
    server.dispose()


@pytest.fixture
def empty_database(new_database: NewDatabase) -> Iterator[str]:
    """A new database without tables."""
    with new_database() as url:
        yield url


@pytest.fixture(scope="session")
def as_role(postgres: Postgres) -> Callable[[str, str], str]:
    """The URL of a database, for another role."""
    return lambda url, role: f"{postgres.url_of(role).rpartition('/')[0]}/{url.rpartition('/')[2]}"


class Engines:
    """Engines to the database that the tests share, kept with what they have compiled and with their connections.

    A new connection takes 10 ms of processor time, and its first statements ten times as much as all later ones.
    """

    def __init__(self) -> None:
        self._kept: dict[str, Engine] = {}

    def keep(self, url: str) -> None:
        """This database's engines are lent again and again."""
        self._kept[url] = connect(url, connections=10)

    @contextmanager
    def lent(self, url: str) -> Iterator[Engine]:
        """One for the block: the kept one, or another that is closed afterwards."""
        kept = self._kept.get(url)
        engine = kept or connect(url, connections=10)
        try:
            yield engine
        finally:
            if kept is None or engine.pool.checkedout():  # type: ignore[attr-defined] - of every pool with a size
                engine.dispose()

    def close(self) -> None:
        for engine in self._kept.values():
            engine.dispose()


@pytest.fixture(scope="session")
def newest_schema(new_database: NewDatabase, as_role: Callable[[str, str], str]) -> Iterator[str]:
    """The name of a database with the newest schema, to be copied: nobody connects to it."""
    with new_database() as url:
        migrate(as_role(url, OWNER), roles=Roles(WRITER, READER))
        yield url.rpartition("/")[2]


@pytest.fixture
def own_database(new_database: NewDatabase, newest_schema: str) -> Iterator[str]:
    """A new database with the newest schema: for a test that changes the schema."""
    with new_database(like=newest_schema) as url:
        yield url


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    engines = Engines()
    yield engines
    engines.close()


@pytest.fixture(scope="session")
def shared_database(
    new_database: NewDatabase, newest_schema: str, as_role: Callable[[str, str], str], engines: Engines
) -> Iterator[str]:
    """A database with the newest schema that the tests use one after another."""
    with new_database(like=newest_schema) as url:
        for one in (url, *(as_role(url, role) for role in (OWNER, WRITER, READER))):
            engines.keep(one)
        yield url


@pytest.fixture
def superuser_database(request: pytest.FixtureRequest, engines: Engines) -> str:
    """A database with the newest schema and no rows; the test's own if it asks for ``own_database``."""
    if "own_database" in request.fixturenames:
        return str(request.getfixturevalue("own_database"))
    url = str(request.getfixturevalue("shared_database"))
    with engines.lent(url) as emptied, emptied.begin() as connection:
        # As superuser, with the triggers off that refuse it; to truncate so few rows takes ten times as long.
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(";".join(f"DELETE FROM {table.name}" for table in METADATA.sorted_tables)))  # noqa: S608
        connection.execute(text("SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"))
    return url


@pytest.fixture
def database(superuser_database: str, as_role: Callable[[str, str], str]) -> str:
    """That database as charting's processes have it: their role may write rows and nothing else."""
    return as_role(superuser_database, WRITER)


@pytest.fixture
def owner_database(superuser_database: str, as_role: Callable[[str, str], str]) -> str:
    """That database for the role that migrates, and deletes what is due."""
    return as_role(superuser_database, OWNER)


@pytest.fixture
def owner_engine(owner_database: str, engines: Engines) -> Iterator[Engine]:
    with engines.lent(owner_database) as engine:
        yield engine


@pytest.fixture
def superuser_engine(superuser_database: str, engines: Engines) -> Iterator[Engine]:
    with engines.lent(superuser_database) as engine:
        yield engine


@pytest.fixture
def engine(database: str, engines: Engines) -> Iterator[Engine]:
    with engines.lent(database) as engine:
        yield engine


@pytest.fixture
def rows(engine: Engine) -> Callable[[str], list[dict[str, Any]]]:
    """Runs a query and returns its rows."""

    def run(query: str) -> list[dict[str, Any]]:
        with engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(query)).mappings()]

    return run


@pytest.fixture
def count(engine: Engine) -> Callable[[str], int]:
    """How many rows a table has."""

    def run(table: str) -> int:
        with engine.connect() as connection:
            return int(connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)  # noqa: S608 - the test's own

    return run


@pytest.fixture
def tamper(superuser_engine: Engine) -> Callable[..., None]:
    """Does to the database what only its superuser can: with every trigger off."""

    def run(*statements: str) -> None:
        with superuser_engine.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            for statement in statements:
                connection.execute(text(statement))

    return run


@dataclass(slots=True)
class Ward:
    """One bed and what happens in it: admissions and scores, written by the consumer's own functions."""

    engine: Engine
    clock: TestClock
    bed: BedId = field(default_factory=lambda: BedId(f"NICU/1/{uuid.uuid4().hex[:8]}"))
    infant: PatientId = field(default_factory=lambda: PatientId(f"MRN-{uuid.uuid4().hex[:12]}", AUTHORITY))
    policy: ChartingPolicy = field(
        default_factory=lambda: ChartingPolicy(interval=timedelta(seconds=10), lateness=timedelta(seconds=2))
    )
    takes_test_input: bool = False

    @property
    def intake(self) -> Intake:
        return Intake(self.engine, SitePolicies(self.policy), self.clock, takes_test_input=self.takes_test_input)

    def admit(self, *infants: PatientId, at: float = -60, held: str = "", bed: BedId | None = None) -> None:
        """The bed's state from ``at`` on: with infants, or empty without."""
        since = NOON + timedelta(seconds=at)
        infant = Infant(infants, visit="V1") if infants else None
        state = BedState(bed or self.bed, since, infant, held)
        take_fact(self.intake, fact_id=uuid.uuid4().hex, state=state, arrived=since)

    def score(
        self,
        second: float,
        value: float | None = 2.0,
        *,
        named: tuple[PatientId, ...] = (),
        processing: Processing = Processing.PRODUCTION,
        bed: BedId | None = None,
    ) -> Score:
        end = NOON + timedelta(seconds=second)
        return Score(
            bed=bed or self.bed,
            window_end=end,
            outcome=Outcome.ABSTAINED if value is None else Outcome.SCORED,
            model=ModelVersion("m1", Weights.UNTRAINED),
            presences=(Presence(Modality.FACE, is_present=value is not None, reason="" if value else "no-camera"),),
            produced=end,
            estimate=None if value is None else Estimate(value, value - 1, value + 1),
            reason="no-modality" if value is None else "",
            processing=processing,
            patients=named,
        )

    def take(self, *scores: Score) -> None:
        for score in scores:
            take_score(self.intake, score)

    def chart(self, intervals: int = 1, *, first: float = 0) -> None:
        """Charts summaries of so many intervals of ten seconds."""
        for number in range(intervals):
            self.take(self.score(first + 10 * number + 5))
        self.take(self.score(first + 10 * intervals + 5))

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Windows come while the block runs: a feed's first look finds nothing new, so it is given another."""
        stop = threading.Event()

        def go_on() -> None:
            number = 0
            while not stop.wait(0.2):
                number += 1
                self.take(self.score(number / 1000))

        windows = threading.Thread(target=go_on)
        windows.start()
        try:
            yield
        finally:
            stop.set()
            windows.join()


@pytest.fixture
def bedside(engine: Engine, clock: TestClock) -> Ward:
    """A bed of which nothing is told yet."""
    return Ward(engine, clock)


@pytest.fixture
def ward(engine: Engine, clock: TestClock) -> Ward:
    """A bed with an infant in it since a minute ago."""
    ward = Ward(engine, clock)
    ward.admit(ward.infant)
    return ward


@dataclass(slots=True)
class EhrView:
    """The EHR as somebody else sees it: plain HTTP, none of our code."""

    url: str
    http: httpx.Client

    def post(self, resource: dict[str, Any]) -> str:
        answer = self.http.post(f"{self.url}/{resource['resourceType']}", json=resource).raise_for_status().json()
        return f"{resource['resourceType']}/{answer['id']}"

    def admit(self, infant: PatientId) -> str:
        return self.post({"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": infant.value}]})

    def begin_encounter(self, patient: str, *, visit: str = "", status: str = "in-progress") -> str:
        return self.post(
            {
                "resourceType": "Encounter",
                "status": status,
                "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
                "subject": {"reference": patient},
                "identifier": [{"system": "urn:test:visit", "value": visit or "other"}],
            }
        )

    def search(self, resource_type: str, **parameters: str) -> list[dict[str, Any]]:
        """What it holds; whatever we have sent has to be valid."""
        bundle = self.http.get(f"{self.url}/{resource_type}", params={"_count": "1000", **parameters}).json()
        found = [entry["resource"] for entry in bundle.get("entry", [])]
        for one in found:
            require_valid(one)
        return found

    def observations(self, patient: str) -> list[dict[str, Any]]:
        """In the order in which the EHR got them."""
        return sorted(self.search("Observation", subject=patient), key=lambda one: one["meta"]["lastUpdated"])


@pytest.fixture
def ehr(ehr_url: str) -> Iterator[EhrView]:
    with httpx.Client(verify=trusted()) as http:
        yield EhrView(ehr_url, http)


@dataclass(slots=True)
class Fault:
    """What a proxy does with the next requests of a kind: answers itself, or forwards and cuts the answer off."""

    method: str
    times: int
    status: int = 0
    """Answered without asking the EHR; 0 forwards, and drops the connection instead of answering."""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_done: bool = False
    """Answered with the status after the EHR did it."""
    passes: bool = False
    """No fault at all: lets requests pass before the next fault."""


class FaultyEhr:
    """A proxy before the real EHR that fails as it is told to, and writes down what it was asked."""

    def __init__(self, ehr_url: str) -> None:
        self.target = ehr_url
        self.http = httpx.Client(verify=trusted(), timeout=30)
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        self.drop_headers: set[str] = set()
        self.forward: Callable[[httpx.Request], httpx.Response] = self.http.send
        """What asks the real EHR; a test may put its own in its place."""
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/fhir/R4"
        self.lock = threading.Lock()

    def fail_after(self, requests: int, method: str, *, status: int) -> None:
        """Lets so many requests of the method pass, then answers the next with the status."""
        self.faults += [Fault(method, requests, passes=True), Fault(method, 1, status)]

    def fail(
        self, method: str, *, times: int = 1, status: int = 0, body: bytes = b"", is_done: bool = False, **headers: str
    ) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.faults.append(Fault(method, times, status, named, body, is_done))

    def next_fault(self, method: str) -> Fault | None:
        with self.lock:
            self.asked.append(method)
            for fault in self.faults:
                if fault.method == method and fault.times > 0:
                    fault.times -= 1
                    return None if fault.passes else fault
        return None


def _handler(ehr: FaultyEhr) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fault = ehr.next_fault(self.command)
            if fault is not None and fault.status:
                if fault.is_done:
                    self._forward()
                self._answer(fault.status, fault.headers, fault.body)
                return
            answer = self._forward()
            if fault is not None:
                self.close_connection = True
                return
            self._answer(answer.status_code, {"Content-Type": "application/fhir+json"}, answer.content)

        do_POST = do_GET  # noqa: N815 - the name is the base class's
        do_PUT = do_GET  # noqa: N815 - the name is the base class's

        def _forward(self) -> httpx.Response:
            dropped = {"host", "content-length", *ehr.drop_headers}
            headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            target = ehr.target + self.path.removeprefix("/fhir/R4")
            return ehr.forward(httpx.Request(self.command, target, headers=headers, content=body))

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            return

    return Handler


@pytest.fixture
def faulty_ehr(ehr_url: str) -> Iterator[FaultyEhr]:
    faulty = FaultyEhr(ehr_url)
    with faulty.http, in_background(faulty.server):
        yield faulty


@pytest.fixture
def channel_to() -> Iterator[Callable[..., R4Channel]]:
    """Makes a channel to a FHIR base URL."""
    made: list[FhirHttp] = []

    def make(url: str, *, http: dict[str, Any] | None = None, **options: Any) -> R4Channel:
        made.append(FhirHttp(url, timeout_seconds=5, **(http or {})))
        return R4Channel(made[-1], **options)

    yield make
    for http in made:
        http.close()


@pytest.fixture
def deliverer_to(engine: Engine, clock: TestClock, channel_to: Callable[..., R4Channel]) -> Callable[..., Deliverer]:
    """Makes a deliverer to a FHIR base URL; a doubtful request is looked at again after 10 s of the test's clock."""

    def make(url: str, **options: Any) -> Deliverer:
        retry = RetryPolicy(first=timedelta(seconds=1), longest=timedelta(seconds=8), doubt=timedelta(seconds=10))
        return Deliverer(engine, channel_to(url, **options), clock, retry)

    return make


@pytest.fixture
def sweep(deliverer_to: Callable[..., Deliverer]) -> Callable[[str], int]:
    """One round of delivery to a FHIR base URL: what beat and the worker do together."""
    made: dict[str, Deliverer] = {}

    def run(url: str) -> int:
        deliverer = made.setdefault(url, deliverer_to(url))
        return sum(deliverer.deliver(entry_id) for entry_id in deliverer.hand_out())

    return run


@pytest.fixture
def states(rows: Callable[[str], list[dict[str, Any]]]) -> Callable[[], list[str]]:
    """The states of the outbox rows, oldest first."""
    return lambda: [row["state"] for row in rows("SELECT state FROM outbox ORDER BY place")]


@pytest.fixture
def anchor_path(tmp_path: Path) -> Path:
    return tmp_path / "outside" / "anchors.jsonl"


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        yield connection


@pytest.fixture(scope="session")
def authorization_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authorization server's script with what it needs."""
    return installed(tmp_path_factory.getbasetemp())
