"""HTTP and FHIR around the answers: errors, handling, formats, compression, arbitrary requests."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from neopain.codecs.fhir.search import CONTROLS, SEARCHES
from neopain.embedded.loopback import free_port


def outcome(answer: Any) -> tuple[int, str]:
    """Status and issue code of a refusal, which has to be a valid OperationOutcome."""
    body = answer.json()
    OperationOutcome.model_validate(body)
    assert answer.headers["Content-Type"] == "application/fhir+json; charset=utf-8"
    return answer.status_code, body["issue"][0]["code"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("", 404, "not-found"),
        ("Condition", 404, "not-found"),
        ("Observation/", 404, "not-found"),
        ("Observation/x/_history/1", 404, "not-found"),
        ("Observation/a_b", 404, "not-found"),
        ("Observation/%ff", 404, "not-found"),
        ("observation", 404, "not-found"),
        ("_history", 404, "not-found"),
        ("Observation/none", 404, "not-found"),
        ("Observation?date=yesterday", 400, "invalid"),
        ("Observation?date=2026-02-30", 400, "invalid"),
        ("Observation?_count=-1", 400, "invalid"),
        ("Observation?_count=1&_count=2", 400, "invalid"),
        ("Observation?_summary=all", 400, "invalid"),
        ("Observation?_sort=value", 400, "not-supported"),
        ("Observation?_include=Observation:device", 400, "not-supported"),
        ("Observation?_include=Patient:general-practitioner", 400, "not-supported"),
        ("Observation?code:not=x", 400, "not-supported"),
        ("Observation?patient:missing=true", 400, "not-supported"),
        ("Observation?patient=Device/1", 400, "invalid"),
        ("Observation?code=a|b|c", 400, "invalid"),
        ("Observation?code=|", 400, "invalid"),
        ("Observation?code=a%00b", 400, "invalid"),
        ("Observation?code=%ff", 400, "invalid"),
        ("Observation?_cursor=", 400, "invalid"),
        ("Observation?_cursor=AAAA", 400, "invalid"),
        ("Observation?_cursor=W10", 400, "invalid"),
        (f"Observation?_cursor={'A' * 2000}", 400, "invalid"),
        ("AuditEvent?patient.identifier=1", 400, "not-supported"),
        ("Observation/x?_summary=count", 400, "invalid"),
        (f"Observation?code={'x,' * 200}x", 400, "too-costly"),
        ("Observation?" + "code=x&" * 50, 400, "too-costly"),
        ("Observation?_format=xml", 406, "not-supported"),
    ],
)
def test_every_error_is_an_operation_outcome(api: Any, path: str, status: int, code: str) -> None:
    assert outcome(api.ask(path)) == (status, code)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST", "OPTIONS"])
def test_what_is_no_review_cannot_be_written(api: Any, method: str) -> None:
    answer = api.ask("Patient", method=method)

    assert outcome(answer) == (405, "not-supported")
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "Observation", "GET, HEAD, POST"),
        ("DELETE", "Observation/1", "GET, HEAD, PUT"),
        ("PATCH", "Observation/1", "GET, HEAD, PUT"),
        ("PUT", "Flag/1", "GET, HEAD"),
        ("PUT", "Flag/1/$acknowledge", "POST"),
    ],
)
def test_what_an_address_knows_is_said(api: Any, method: str, path: str, allowed: str) -> None:
    answer = api.ask(path, method=method)

    assert (outcome(answer), answer.headers["Allow"]) == ((405, "not-supported"), allowed)


@pytest.mark.parametrize(
    "raw",
    [
        b"BREW /fhir/R4/Patient?identifier=4711 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /fhir/R4/Patient?identifier=4711" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00 4711 \r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 4711x\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_with_an_outcome_and_repeated_nowhere(
    api: Any, raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    where = urlsplit(api.url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        connection.sendall(raw)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    OperationOutcome.model_validate(json.loads(body))
    assert b"4711" not in answer
    assert "4711" not in caplog.text


def test_a_cursor_of_another_order_is_refused(api: Any, ward: Any) -> None:
    ward.chart(3)
    bundle = api.bundle("Observation?_count=1&_sort=date")
    (following,) = [link["url"] for link in bundle["link"] if link["relation"] == "next"]

    assert outcome(api.ask(following.replace("_sort=date", "_sort=_lastUpdated"))) == (400, "invalid")


def test_an_unknown_parameter_is_passed_over_and_said_so(api: Any, ward: Any) -> None:
    ward.chart()

    bundle = api.bundle("Observation?status=preliminary&value-quantity=gt5&_pretty=true")

    assert [entry["search"]["mode"] for entry in bundle["entry"]] == ["match", "outcome"]
    assert bundle["entry"][1]["resource"]["issue"][0]["severity"] == "warning"
    assert bundle["link"][0] == {"relation": "self", "url": f"{api.url}/Observation?status=preliminary"}


@pytest.mark.parametrize("prefer", ["handling=strict", "respond-async, handling=strict", "Handling=Strict;x=1"])
def test_an_unknown_parameter_is_refused_where_strict_handling_is_preferred(api: Any, prefer: str) -> None:
    answer = api.ask("Observation?value-quantity=gt5", headers={"Prefer": prefer})

    assert outcome(answer) == (400, "not-supported")
    assert api.ask("Observation?_format=json&status=final", headers={"Prefer": prefer}).status_code == 200


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/fhir+json", 200),
        ("application/json;q=0.9, text/html", 200),
        ("*/*", 200),
        ("", 200),
        ("application/fhir+xml", 406),
        ("text/html", 406),
    ],
)
def test_only_json_is_spoken(api: Any, accept: str, status: int) -> None:
    assert api.ask("Observation", headers={"Accept": accept}).status_code == status


def test_a_format_goes_before_what_is_accepted(api: Any) -> None:
    assert api.ask("Observation?_format=application/fhir%2Bjson", headers={"Accept": "text/html"}).status_code == 200


def test_large_answers_are_compressed_for_whoever_takes_it(api: Any, ward: Any) -> None:
    ward.chart(5)

    packed = api.ask("Observation", headers={"Accept-Encoding": "deflate, gzip"})
    plain = api.ask("Observation", headers={"Accept-Encoding": "gzip;q=0"})

    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert int(packed.headers["Content-Length"]) == len(gzip.compress(plain.content, 5))


def test_a_request_has_an_id_its_own_where_it_can_be_written_down(api: Any) -> None:
    assert api.ask("metadata", headers={"X-Request-Id": "a-1"}).headers["X-Request-Id"] == "a-1"
    assert api.ask("metadata", headers={"X-Request-Id": "a b"}).headers["X-Request-Id"] != "a b"


def test_head_is_get_without_a_body(api: Any, ward: Any) -> None:
    ward.chart()

    answer = api.ask("Observation", method="HEAD")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["ETag"] == api.ask("Observation").headers["ETag"]


def test_a_query_may_be_a_form(api: Any, ward: Any) -> None:
    ward.chart()
    form = {"patient.identifier": f"urn:neopain:authority:HOSP|{ward.infant.value}", "_count": "1"}

    answer = api.ask("Observation/_search?status=preliminary", method="POST", data=form)

    assert [entry["search"]["mode"] for entry in answer.json()["entry"]] == ["match"]


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"{}", "application/fhir+json", 415),
        (b"code=%ff", "application/x-www-form-urlencoded", 400),
        (b"code=\xff", "application/x-www-form-urlencoded", 400),
        (b"code=" + b"x" * 70_000, "application/x-www-form-urlencoded", 413),
    ],
)
def test_a_body_that_is_no_query_is_refused(api: Any, body: bytes, media_type: str, status: int) -> None:
    answer = api.ask("Observation/_search", method="POST", content=body, headers={"Content-Type": media_type})

    assert outcome(answer)[0] == status


def test_links_are_of_the_address_that_the_site_names_not_of_the_one_that_was_asked(
    api_with: Callable[..., Any], ward: Any
) -> None:
    ward.chart(2)
    port = free_port()
    api = api_with(api_url="https://neopain.hospital.example/fhir/R4/", api_port=port)

    asked = f"http://127.0.0.1:{port}/fhir/R4/Observation?_count=1"
    answer = api.ask(asked, headers={"Host": "evil.example"}).json()

    assert {link["url"].partition("?")[0] for link in answer["link"]} == {
        "https://neopain.hospital.example/fhir/R4/Observation"
    }
    assert answer["entry"][0]["fullUrl"].startswith("https://neopain.hospital.example/fhir/R4/Observation/")


def test_a_fault_of_ours_is_an_outcome_without_patient_data(api: Any, ward: Any, tamper: Callable[..., None]) -> None:
    ward.chart()
    tamper("UPDATE entries SET draft = draft - 'model'")

    answer = api.ask("Observation")

    assert outcome(answer) == (500, "exception")
    assert ward.infant.value not in answer.text


# -- arbitrary requests ------------------------------------------------------------------------------------------------

NAMES = sorted({name for search in SEARCHES.values() for name in search.parameters} | {*CONTROLS, "_format", "x"})
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.one_of(
    TEXTS,
    st.sampled_from(
        ["2026", "ge0001-01-01", "le9999-12-31T23:59:59.999999Z", "ap9999", "|", ",", "\\", "a|b", "-date"]
    ),
    st.from_regex(r"([a-z]{2})?[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2}:[0-9]{2}Z)?)?)?", fullmatch=True),
    st.integers().map(str),
)
PATHS = st.one_of(
    st.sampled_from([*SEARCHES, "metadata", *(f"{name}/_search" for name in SEARCHES)]),
    st.tuples(st.sampled_from(list(SEARCHES)), TEXTS).map(lambda parts: f"{parts[0]}/{quote(parts[1], safe='')}"),
    TEXTS.map(lambda text: quote(text, safe="/")),
)
QUERIES = st.one_of(
    st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=4).map(urlencode),
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=30),
)
HEADERS = st.dictionaries(
    st.sampled_from(["Accept", "Accept-Encoding", "If-None-Match", "Prefer", "X-Request-Id", "Content-Type", "Expect"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20).map(str.strip),
    max_size=3,
)


@pytest.fixture
def busy_api(api: Any, ward: Any) -> Any:
    """An API that has something to tell."""
    ward.chart(3)
    return api


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(method=st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "PUT"]), path=PATHS, query=QUERIES, headers=HEADERS)
@example(method="GET", path="Observation", query="date=ap0001&_cursor=%C2%80", headers={})
@example(method="GET", path="Patient", query="_sort=&_count=&identifier=%7C", headers={"Accept-Encoding": "gzip;;"})
@example(method="GET", path="AuditEvent/reads-99999999999999999999999", query="", headers={})
def test_no_request_makes_a_fault(busy_api: Any, method: str, path: str, query: str, headers: dict[str, str]) -> None:
    where = urlsplit(busy_api.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port)
    try:
        target = f"{where.path}/{path}?{query}"
        connection.request(method, target, headers={**headers, "Authorization": f"Bearer {busy_api.token()}"})
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()

    assert answer.status < 500
    if answer.status >= 400 and method != "HEAD" and answer.headers.get_content_type() == "application/fhir+json":
        plain = gzip.decompress(body) if answer.headers.get("Content-Encoding") == "gzip" else body
        OperationOutcome.model_validate(json.loads(plain))
