"""FHIR by way of the dashboard: what the page reads and writes at the real API, without ever having a token."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx

from .conftest import Dashboard

Rows = Callable[[str], list[dict[str, Any]]]


def test_a_search_and_its_next_page_come_by_the_dashboard(dashboard: Dashboard, ward: Any) -> None:
    ward.chart(3)

    first = dashboard.get("/fhir/Observation?code=pain-score&_count=2").json()
    (following,) = [link["url"] for link in first["link"] if link["relation"] == "next"]
    second = dashboard.get(following).json()

    assert following.startswith("/fhir/Observation?")
    assert [len(first["entry"]), len(second["entry"])] == [2, 1]


def test_what_is_answered_is_in_no_cache_and_has_its_tag_and_id(dashboard: Dashboard, ward: Any) -> None:
    ward.chart()

    answer = dashboard.get("/fhir/Observation?code=pain-score", headers={"X-Request-Id": "page-1"})
    again = dashboard.get("/fhir/Observation?code=pain-score", headers={"If-None-Match": answer.headers["ETag"]})

    assert (answer.headers["Cache-Control"], answer.headers["X-Request-Id"]) == ("no-store", "page-1")
    assert (again.status_code, again.content) == (304, b"")


def test_a_review_by_the_page_is_that_person_s(dashboard: Dashboard, ward: Any, rows: Rows) -> None:
    ward.chart()
    seen = _entry(dashboard)

    answer = _accept(dashboard, seen)

    assert (answer.status_code, answer.json()["status"]) == (200, "final")
    (review,) = rows("SELECT reviewer, display FROM reviews")
    assert review == {"reviewer": "nurse-1", "display": "N. Nurse"}


def test_a_write_that_does_not_come_from_the_page_changes_nothing(dashboard: Dashboard, ward: Any) -> None:
    ward.chart()
    seen = _entry(dashboard)

    answers = [
        _accept(dashboard, seen, **headers).status_code
        for headers in (
            {"X_Neopain_Page": ""},
            {"Origin": ""},
            {"Origin": "https://evil.example"},
            {"Sec_Fetch_Site": "same-site"},
        )
    ]

    assert answers == [403, 403, 403, 401]
    assert _entry(dashboard) == seen


def test_what_the_page_does_not_need_is_not_passed_on(dashboard: Dashboard) -> None:
    asked = {
        "/fhir/AuditEvent": 404,
        "/fhir/Observation/../AuditEvent": 404,
        "/fhir/Observation/..": 404,
        "/fhir/Observation/%2e%2e/AuditEvent": 404,
        "/fhir/../fhir/R4/AuditEvent": 404,
        "/../../etc/passwd": 404,
    }
    cookie = "; ".join(f"{name}={value}" for name, value in dashboard.http.cookies.items())

    # httpx would make other paths of these.
    answers = {path: _status(dashboard, path, Cookie=cookie) for path in asked}

    assert answers == asked
    assert _status(dashboard, "/fhir/Observation") == 401


def test_events_come_as_they_are_told_and_end_when_the_session_does(dashboard: Dashboard, ward: Any) -> None:
    with _streamed(dashboard) as lines:
        assert _next_event(lines) == "ready"
        with ward.going_on():
            assert _next_event(lines) == "live-score"
        assert dashboard.write("POST", "/sign-out", None).status_code == 200
        assert list(lines)[-1:] in ([], [""])


def test_a_stream_ends_at_once_and_reading_is_503_when_the_api_is_gone(
    dashboard_with: Callable[..., Dashboard], api_with: Callable[..., Any]
) -> None:
    fhir = api_with()
    dashboard = dashboard_with(fhir_url=fhir.url, issue=lambda *_: fhir.token(scope="user/*.rs"))
    dashboard.sign_in()
    with _streamed(dashboard) as lines:
        assert _next_event(lines) == "ready"
        fhir.stop()
        ended = list(lines)

    answer = dashboard.get("/fhir/Observation")

    assert "event: end" in ended
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (503, "transient")


def test_an_answer_that_the_browser_takes_packed_is_packed(dashboard: Dashboard, ward: Any) -> None:
    ward.chart(3)

    answer = dashboard.get("/fhir/Observation?code=pain-score", headers={"Accept-Encoding": "gzip"})

    assert (answer.headers["Content-Encoding"], len(answer.json()["entry"])) == ("gzip", 3)


def _status(dashboard: Dashboard, path: str, **headers: str) -> int:
    connection = http.client.HTTPConnection(dashboard.settings.host, dashboard.settings.port, timeout=30)
    with closing(connection):
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status


def _entry(dashboard: Dashboard) -> dict[str, Any]:
    (entry,) = dashboard.get("/fhir/Observation?code=pain-score").json()["entry"]
    return dict(entry["resource"])


def _accept(dashboard: Dashboard, seen: dict[str, Any], **headers: str) -> httpx.Response:
    tag = f'W/"{seen["meta"]["versionId"]}"'
    return dashboard.write(
        "PUT", f"/fhir/Observation/{seen['id']}", {**seen, "status": "final"}, If_Match=tag, **headers
    )


@contextmanager
def _streamed(dashboard: Dashboard) -> Iterator[Iterator[str]]:
    with dashboard.http.stream("GET", f"{dashboard.url}/fhir/$events", timeout=20) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        yield answer.iter_lines()


def _next_event(lines: Iterator[str]) -> str:
    return next(line.removeprefix("event: ") for line in lines if line.startswith("event: "))
