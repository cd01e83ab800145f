"""The proxy that goes wrong: what each fault of the table does to the real EHR and to its client."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from neopain.bootstrap.faults_bench.faults import FAULTS, RIGHT, Answered, Chance, Fault, PassedOn
from neopain.bootstrap.faults_bench.faulty_ehr import FaultyEhr, Patience, ignores_condition

from ...servers import trusted

PATIENCE = Patience(client=0.2, late=0.3, stale=0.2)
KEEPS = "2" * 32
"""An entry whose condition is kept."""
IGNORES = "1" * 32
"""One whose condition is passed over."""


class Always(Chance):
    """Has one thing go wrong again and again."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(seed=1, share=1.0)
        self._fault = fault

    def fault(self) -> Fault:
        return self._fault


class RealEhr:
    """Counts what it got, and says 201."""

    def __init__(self) -> None:
        self.got: list[http.client.HTTPMessage] = []
        real = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                real.got.append(self.headers)
                self.send_response(201)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "7")
                self.end_headers()
                self.wfile.write(b'{"a":1}')

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def until(self, count: int) -> bool:
        deadline = time.monotonic() + 5
        while len(self.got) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return len(self.got) == count

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def real() -> Iterator[RealEhr]:
    real = RealEhr()
    yield real
    real.close()


@pytest.fixture
def faulty(real: RealEhr) -> Iterator[Callable[[Fault], str]]:
    opened: list[FaultyEhr] = []

    def start(fault: Fault) -> str:
        opened.append(FaultyEhr(f"http://127.0.0.1:{real.server.server_port}/fhir", Always(fault), PATIENCE))
        return opened[-1].url

    yield start
    for one in opened:
        one.close()


def create(url: str, entry: str) -> httpx.Response | None:
    """The answer to a conditional create; None without one."""
    headers = {"If-None-Exist": f"identifier=urn:entry%7C{entry}"}
    try:
        return httpx.post(f"{url}/Observation", json={}, headers=headers, timeout=PATIENCE.client, verify=trusted())
    except httpx.HTTPError:
        return None


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_does_what_the_table_says(real: RealEhr, faulty: Callable[[Fault], str], fault: Fault) -> None:
    answer = create(faulty(fault), KEEPS)

    assert (answer is None) == (fault.answered in (Answered.NOTHING, Answered.BREAK))
    if answer is not None and fault.answered is Answered.STATUS:
        assert answer.status_code == fault.status
    match fault.passed_on:
        case PassedOn.NOW:
            assert len(real.got) == 1
        case PassedOn.LATE:
            assert len(real.got) == 0
            assert real.until(1)
        case PassedOn.NEVER:
            assert len(real.got) == 0


def test_the_condition_is_passed_over_for_every_second_entry(real: RealEhr, faulty: Callable[[Fault], str]) -> None:
    url = faulty(RIGHT)
    create(url, KEEPS)
    create(url, IGNORES)

    assert ["If-None-Exist" in headers for headers in real.got] == [True, False]


def test_a_search_shows_an_entry_only_after_a_while(faulty: Callable[[Fault], str]) -> None:
    url = faulty(RIGHT)
    create(url, KEEPS)
    shown = [httpx.get(f"{url}/Observation?identifier=urn:entry%7C{KEEPS}", verify=trusted()).json()]
    while "a" not in shown[-1]:
        shown.append(httpx.get(f"{url}/Observation?identifier=urn:entry%7C{KEEPS}", verify=trusted()).json())

    assert shown[0] == {"resourceType": "Bundle", "type": "searchset", "total": 0}


def test_the_same_seed_draws_the_same_faults() -> None:
    one, other = Chance(7, 0.5), Chance(7, 0.5)

    assert [one.fault() for _ in range(100)] == [other.fault() for _ in range(100)]
    assert one.drawn.total() == 100


def test_every_fault_comes_before_any_comes_again() -> None:
    chance = Chance(7, 1.0)

    assert {chance.fault() for _ in FAULTS} == set(FAULTS)


def test_half_of_the_entries_keep_their_condition() -> None:
    assert (ignores_condition(KEEPS), ignores_condition(IGNORES), ignores_condition("")) == (False, True, False)
