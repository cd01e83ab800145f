"""What threads ask at the same time goes as one batch, and each gets its own answer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from neopain.charting.ehr import fhir_batch
from neopain.charting.ehr.fhir_batch import Batches, Request
from neopain.errors import EhrUnavailable

AskAtOnce = Callable[..., list[Future[httpx.Response]]]
SEARCH = Request("GET", "Patient", httpx.QueryParams({"identifier": "urn:a|1 2"}))
CREATION = Request(
    "POST", "Observation", resource={"resourceType": "Observation"}, headers={"If-None-Exist": "identifier=urn%3Ab%7C3"}
)
UPDATE = Request("PUT", "Observation/7", resource={"resourceType": "Observation"}, headers={"If-Match": 'W/"2"'})


class Server:
    """Answers as it is told to, and writes down what it got."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.got: list[Request] = []
        self.lock = threading.Lock()

    def __call__(self, request: Request) -> httpx.Response:
        with self.lock:
            self.got.append(request)
            answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def answer_to_a_batch(*parts: Any, status: int = 200, headers: dict[str, str] | None = None) -> httpx.Response:
    body = {"resourceType": "Bundle", "type": "batch-response", "entry": list(parts)}
    return httpx.Response(status, json=body, headers=headers)


@pytest.fixture
def ask_at_once(monkeypatch: pytest.MonkeyPatch) -> AskAtOnce:
    """What requests of the same moment get, each a future; in the batch they are in this order."""

    def run(server: Server, *requests: Request) -> list[Future[httpx.Response]]:
        all_came = threading.Event()
        monkeypatch.setattr(fhir_batch, "sleep", lambda _: all_came.wait(60))
        batches = Batches(server, 1.0)
        with ThreadPoolExecutor(max_workers=len(requests)) as pool:
            asked = []
            for number, request in enumerate(requests, start=1):
                asked.append(pool.submit(batches.ask, request))
                while sum(len(batch.requests) for batch in list(batches._open.values())) < number:
                    time.sleep(0.001)
            all_came.set()
        return asked

    return run


def test_requests_of_the_same_moment_are_one_batch(ask_at_once: AskAtOnce) -> None:
    server = Server(answer_to_a_batch(*[{"response": {"status": "200"}}] * 3))

    ask_at_once(server, SEARCH, CREATION, UPDATE)

    (sent,) = server.got
    assert (sent.method, sent.path) == ("POST", "")
    assert sent.resource == {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [
            {"request": {"method": "GET", "url": "Patient?identifier=urn%3Aa%7C1+2"}},
            {
                "resource": {"resourceType": "Observation"},
                "request": {"method": "POST", "url": "Observation", "ifNoneExist": "identifier=urn%3Ab%7C3"},
            },
            {
                "resource": {"resourceType": "Observation"},
                "request": {"method": "PUT", "url": "Observation/7", "ifMatch": 'W/"2"'},
            },
        ],
    }


def test_each_gets_its_own_answer_a_429_within_a_200_too(ask_at_once: AskAtOnce) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "throttled"}]}
    server = Server(
        answer_to_a_batch(
            {"resource": {"resourceType": "Bundle", "type": "searchset"}, "response": {"status": "200 OK"}},
            {"response": {"status": "429", "outcome": outcome}},
            {"response": {"status": "201 Created", "location": "Observation/7/_history/3", "etag": 'W/"3"'}},
            headers={"X-Request-Id": "r-1"},
        )
    )

    found, throttled, created = (one.result() for one in ask_at_once(server, SEARCH, CREATION, UPDATE))

    assert (found.status_code, found.json()["type"]) == (200, "searchset")
    assert (throttled.status_code, throttled.json()) == (429, outcome)
    assert (created.status_code, created.headers["Location"], created.content) == (201, "Observation/7/_history/3", b"")
    assert {one.headers["X-Request-Id"] for one in (found, throttled, created)} == {"r-1"}


def test_one_request_goes_as_it_is(ask_at_once: AskAtOnce) -> None:
    server = Server(httpx.Response(204))

    (answer,) = ask_at_once(server, UPDATE)

    assert answer.result().status_code == 204
    assert server.got == [UPDATE]


def test_what_asks_for_patience_holds_for_each(ask_at_once: AskAtOnce) -> None:
    server = Server(httpx.Response(429, headers={"Retry-After": "7"}))

    told = [one.result() for one in ask_at_once(server, SEARCH, CREATION)]

    assert [(one.status_code, one.headers["Retry-After"]) for one in told] == [(429, "7")] * 2
    assert len(server.got) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 405, 413, 422, 501])
def test_where_a_batch_is_refused_as_such_each_goes_alone(ask_at_once: AskAtOnce, status: int) -> None:
    server = Server(httpx.Response(status), httpx.Response(200), httpx.Response(200))

    assert [one.result().status_code for one in ask_at_once(server, SEARCH, CREATION)] == [200, 200]

    assert sorted(one.path for one in server.got[1:]) == ["Observation", "Patient"]


@pytest.mark.parametrize(
    "whole",
    [
        httpx.Response(200, text="<html>It works!</html>"),
        httpx.Response(202),
        httpx.Response(200, json={"resourceType": "Bundle", "type": "batch-response"}),
        httpx.Response(200, json={"resourceType": "Bundle", "type": "searchset", "entry": [{}, {}]}),
        answer_to_a_batch({"response": {"status": "200"}}),
        answer_to_a_batch(*[{"response": {"status": "200"}}] * 3),
    ],
    ids=["no FHIR", "accepted", "no entries", "another bundle", "too few", "too many"],
)
def test_what_is_no_answer_to_the_batch_leaves_all_in_doubt(ask_at_once: AskAtOnce, whole: httpx.Response) -> None:
    for one in ask_at_once(Server(whole), SEARCH, CREATION):
        with pytest.raises(EhrUnavailable, match="no answer to a batch of 2") as told:
            one.result()
        assert told.value.was_sent


@pytest.mark.parametrize(
    "part",
    [
        None,
        {},
        {"response": {}},
        {"response": {"status": "created"}},
        {"response": {"status": "2010"}},
        {"response": 1},
    ],
    ids=json.dumps,
)
def test_a_part_without_a_status_leaves_that_request_in_doubt_alone(ask_at_once: AskAtOnce, part: Any) -> None:
    server = Server(answer_to_a_batch({"response": {"status": "200"}}, part))

    search, creation = ask_at_once(server, SEARCH, CREATION)

    assert search.result().status_code == 200
    with pytest.raises(EhrUnavailable, match="POST Observation: HTTP 200 to its batch, and no word of it") as told:
        creation.result()
    assert told.value.was_sent


def test_a_location_that_is_no_header_is_left_out(ask_at_once: AskAtOnce) -> None:
    part = {"response": {"status": "201", "location": "Observation/\N{SNOWMAN}", "etag": 7}}
    server = Server(answer_to_a_batch(part, part))

    assert not ask_at_once(server, CREATION, CREATION)[0].result().headers


def test_a_batch_without_an_answer_is_told_to_each(ask_at_once: AskAtOnce) -> None:
    server = Server(EhrUnavailable("POST batch: ReadTimeout", retry_after_seconds=3.0, was_sent=False))

    for one, named in zip(ask_at_once(server, SEARCH, CREATION), ("GET Patient", "POST Observation"), strict=True):
        with pytest.raises(EhrUnavailable, match=f"{named}: POST batch: ReadTimeout") as told:
            one.result()
        assert (told.value.retry_after_seconds, told.value.was_sent) == (3.0, False)


def test_a_fault_of_ours_leaves_nobody_waiting(ask_at_once: AskAtOnce) -> None:
    first, second = ask_at_once(Server(ValueError("a fault")), SEARCH, CREATION)

    with pytest.raises(ValueError, match="a fault"):
        first.result()
    with pytest.raises(EhrUnavailable, match="given up"):
        second.result()


def test_requests_with_different_tokens_are_not_mixed(ask_at_once: AskAtOnce) -> None:
    old, new = (Request("GET", "Patient", headers={"Authorization": f"Bearer {token}"}) for token in ("old", "new"))
    server = Server(*[answer_to_a_batch(*[{"response": {"status": "200"}}] * 2)] * 2)

    ask_at_once(server, old, new, old, new)

    assert sorted(one.headers["Authorization"] for one in server.got) == ["Bearer new", "Bearer old"]
    assert all("headers" not in json.dumps(one.resource) for one in server.got)


def test_who_comes_later_is_in_the_next_batch() -> None:
    server = Server(httpx.Response(200), httpx.Response(404))
    batches = Batches(server, 0.001)

    assert [batches.ask(SEARCH).status_code, batches.ask(SEARCH).status_code] == [200, 404]
