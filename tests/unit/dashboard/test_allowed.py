"""What of FHIR the dashboard passes on, and nothing else."""

from __future__ import annotations

import pytest

from neopain.codecs.fhir.refusal import Refused
from neopain.dashboard.allowed import Kind, read_asked

PASSED = [
    ("GET", "metadata", "", Kind.READ),
    ("GET", "Observation", "code=pain-score", Kind.READ),
    ("HEAD", "Patient/a-1.b", "", Kind.READ),
    ("POST", "Observation/_search", "", Kind.READ),
    ("PUT", "Observation/a", "", Kind.WRITE),
    ("POST", "Observation", "", Kind.WRITE),
    ("POST", "Flag/a/$acknowledge", "", Kind.WRITE),
    ("POST", "Flag/a/%24snooze", "", Kind.WRITE),
    ("GET", "$events", "", Kind.EVENTS),
    ("GET", "%24events", "", Kind.EVENTS),
    ("GET", "", "_getpages=1", Kind.READ),
]
REFUSED = [
    ("GET", "AuditEvent", "", 404),
    ("GET", "", "", 404),
    ("POST", "", "_getpages=1", 405),
    ("GET", "Observation/..", "", 404),
    ("GET", "Observation/.", "", 404),
    ("GET", "Observation/%2e%2e", "", 404),
    ("GET", "../admin", "", 404),
    ("GET", "Observation/a/_history/1", "", 404),
    ("GET", "Observation//a", "", 404),
    ("PUT", "Flag/a", "", 405),
    ("POST", "Flag/a/$delete", "", 404),
    ("POST", "Observation/a/$acknowledge", "", 404),
    ("DELETE", "Observation/a", "", 405),
    ("PATCH", "Observation/a", "", 405),
    ("POST", "$events", "", 405),
]
ONLY_OURS = [one for one in PASSED if one[3] is not Kind.READ]


@pytest.mark.parametrize(("method", "path", "query", "kind"), PASSED)
def test_what_the_pages_need_is_passed_on(method: str, path: str, query: str, kind: Kind) -> None:
    assert read_asked(method, path, query, is_ours=True).kind is kind


@pytest.mark.parametrize(("method", "path", "query", "status"), REFUSED)
def test_everything_else_is_refused(method: str, path: str, query: str, status: int) -> None:
    with pytest.raises(Refused) as refused:
        read_asked(method, path, query, is_ours=True)

    assert refused.value.status == status


@pytest.mark.parametrize(("method", "path", "query", "kind"), ONLY_OURS)
def test_a_server_that_is_not_ours_is_only_read(method: str, path: str, query: str, kind: Kind) -> None:
    with pytest.raises(Refused):
        read_asked(method, path, query, is_ours=False)
