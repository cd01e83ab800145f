"""What a client that is known is refused is in the audit trail, and neither answer nor time tells whom there is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from neopain.codecs.fhir.ids import patient_id
from neopain.errors import DatabaseUnavailable

Rows = Callable[[str], list[dict[str, Any]]]
READS = "SELECT event, actor, patient, entry_id, detail FROM audit WHERE chain = 'reads' ORDER BY position"


def reads(rows: Rows) -> list[dict[str, Any]]:
    return [{**row, "detail": json.loads(row["detail"])} for row in rows(READS)]


BEYOND = "it is beyond what the client may know of"
ANOTHER = {"scope": "patient/*.rs", "patient": "urn:neopain:authority:HOSP|another"}


@dataclass(frozen=True, slots=True)
class Charted:
    """An infant with an entry, and how a client may ask for it."""

    key: str
    entry: str
    patient: str
    identifier: str


@pytest.fixture
def charted(api: Any, ward: Any) -> Charted:
    ward.chart()
    (observation,) = api.found("Observation")
    patient = observation["subject"]["reference"].removeprefix("Patient/")
    return Charted(
        f"HOSP|{ward.infant.value}", observation["id"], patient, f"urn:neopain:authority:HOSP|{ward.infant.value}"
    )


def refused(rows: Rows) -> list[tuple[str, str, str, int, int]]:
    """Of each refusal what was asked, about whom, why, the status, and of how many was told."""
    told = [(row["detail"], row["patient"]) for row in reads(rows) if "refused" in row["detail"]]
    return [(one["asked"], patient, one["refused"], one["status"], one["told"]) for one, patient in told]


def test_a_read_without_a_scope_is_written_down_with_whom_it_was_to_tell_of(
    api: Any, charted: Charted, rows: Rows
) -> None:
    token = api.token(scope="system/Patient.rs")

    answer = api.ask(f"Observation/{charted.entry}", token=token)

    assert answer.status_code == 403
    asked, why = f"Observation/{charted.entry}", "no scope of the token grants Observation.r"
    assert refused(rows) == [(asked, charted.key, why, 403, 0)]


@pytest.mark.parametrize("by", ["patient", "patient.identifier"])
def test_a_search_without_a_scope_is_written_down_with_whom_it_names_and_without_what_is_not_understood(
    api: Any, charted: Charted, rows: Rows, by: str
) -> None:
    value = charted.patient if by == "patient" else charted.identifier

    api.ask("Observation", token=api.token(scope="system/Patient.rs"), params={by: value, "name": "Smith"})

    ((asked, patient, _, status, _),) = refused(rows)
    assert (patient, status) == (charted.key, 403)
    assert asked.startswith(f"Observation?{by}=")
    assert "Smith" not in asked


def test_what_is_hidden_from_a_client_is_404_for_it_and_names_the_infant_in_the_trail_alone(
    api: Any, charted: Charted, rows: Rows
) -> None:
    token = api.token(**ANOTHER)
    hidden, nothing = (api.ask(f"Observation/{one}", token=token) for one in (charted.entry, "nothing"))

    assert hidden.json() == nothing.json()
    assert refused(rows) == [(f"Observation/{charted.entry}", charted.key, BEYOND, 404, 0)]


def test_a_search_for_another_infant_tells_nobody_and_names_it_in_the_trail(
    api: Any, charted: Charted, rows: Rows
) -> None:
    answer = api.bundle(f"Observation?patient={charted.patient}", token=api.token(**ANOTHER))

    assert "entry" not in answer
    assert refused(rows) == [(f"Observation?patient={charted.patient}", charted.key, BEYOND, 200, 0)]
    assert [row["patient"] for row in reads(rows)[-2:]] == [charted.key, ""]


def test_a_search_for_the_clients_own_infant_is_no_refusal(api: Any, charted: Charted, rows: Rows) -> None:
    token = api.token(scope="patient/*.rs", patient=charted.identifier)

    assert len(api.found(f"Observation?patient={charted.patient}", token=token)) == 1
    assert api.found(f"Observation?patient={charted.patient}&status=cancelled", token=token) == []
    assert refused(rows) == []


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("AuditEvent", "patient/*.rs"),
        ("Subscription/$status", "patient/*.rs"),
        ("Subscription", "openid"),
        ("$events", "openid"),
    ],
)
def test_every_other_read_that_is_refused_is_written_down_too(
    api: Any, charted: Charted, rows: Rows, path: str, scope: str
) -> None:
    assert api.ask(path, token=api.token(scope=scope, patient=charted.identifier)).status_code == 403

    assert [(asked, patient, status) for asked, patient, _, status, _ in refused(rows)] == [(path, "", 403)]


def test_refusals_of_a_kind_fill_no_trail(api: Any, charted: Charted, rows: Rows, ward: Any) -> None:
    token = api.token(scope="system/Patient.rs", jti="token-1")
    for number in range(20):
        api.ask(f"Observation/made-up-{number}", token=token)
        api.ask(f"Observation/{charted.entry}", token=token)
    assert [(asked, patient) for asked, patient, *_ in refused(rows)] == [
        ("Observation/made-up-0", ""),
        (f"Observation/{charted.entry}", charted.key),
    ]

    ward.clock.advance(61)
    api.ask(f"Observation/{charted.entry}", token=token)

    assert reads(rows)[-1]["detail"]["repeated"] == 19


@pytest.fixture
def commits(engine: Engine) -> Iterator[list[str]]:
    """Grows by each transaction that is committed; other tests use this engine, too."""
    found: list[str] = []

    def note(_: Connection) -> None:
        found.append("commit")

    event.listen(engine, "commit", note)
    yield found
    event.remove(engine, "commit", note)


@pytest.mark.parametrize("path", ["Patient/{}", "Patient?_id={}", "Observation?patient={}"])
@pytest.mark.parametrize("token", [ANOTHER, {"scope": "openid"}])
def test_what_is_kept_from_a_client_is_written_down_in_no_longer_time_than_what_is_not_there(
    api: Any, charted: Charted, commits: list[str], *, path: str, token: dict[str, str]
) -> None:
    taken = []
    for patient in (charted.patient, "none-1", charted.patient, "none-2"):
        commits.clear()
        api.ask(path.format(patient), token=api.token(jti="token-1", **token))
        taken.append(len(commits))

    assert taken == [1, 1, 1, 1]


def test_a_poll_that_names_others_too_tells_by_no_longer_time_whether_there_are_such(
    api: Any, ward: Any, charted: Charted, commits: list[str]
) -> None:
    other = type(ward)(ward.engine, ward.clock)
    other.admit(other.infant)
    token = api.token(scope="patient/*.rs", patient=charted.identifier, jti="token-1")
    taken = {}
    for named in (charted.patient, f"{charted.patient},none", f"{charted.patient},{patient_id(other.infant)}"):
        commits.clear()
        for _ in range(3):
            assert len(api.found(f"Observation?code=live-pain-score&patient={named}", token=token)) == 1
        taken[named] = len(commits)

    assert list(taken.values()) == [1, 3, 3]


def test_a_refusal_that_cannot_be_written_down_is_not_told(
    api: Any, charted: Charted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseUnavailable("away")

    monkeypatch.setattr("neopain.charting.api.reads.append", fail)

    assert api.ask(f"Observation/{charted.entry}", token=api.token(scope="openid")).status_code == 503


def test_a_refused_read_is_an_audit_event_that_failed(api: Any, charted: Charted) -> None:
    api.ask(f"Observation/{charted.entry}", token=api.token(**ANOTHER, sub="parent-1"))

    (event,) = api.found(f"AuditEvent?subtype=read&patient={charted.patient}")

    assert (event["outcome"], event["outcomeDesc"]) == ("4", BEYOND)
    assert event["agent"][2]["who"]["identifier"]["value"] == "parent-1"
