"""What a client with a good token is not let write is in the audit trail before it is told so, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest

from neopain.codecs.fhir.ids import encounter_id, patient_id
from neopain.domain.alert_policy import AlertPolicy
from neopain.domain.policy import ChartingPolicy
from neopain.errors import DatabaseUnavailable

Rows = Callable[[str], list[dict[str, Any]]]
FHIR = {"Content-Type": "application/fhir+json"}
EVERYTHING = "user/*.cruds system/*.cruds"
BEYOND = "it is beyond what the client may know of"
READER = "system/*.rs"


@dataclass(frozen=True, slots=True)
class Client:
    """A client that writes about the ward's one infant, of whom there are an entry and an alert."""

    api: Any
    infant: Any
    entry: dict[str, Any]
    flag: str

    @property
    def key(self) -> str:
        return f"HOSP|{self.infant.value}"

    def writes(self, what: str, token: str, **changes: Any) -> httpx.Response:
        """A write of the table below, as far as a refusal comes to it."""
        method, path, body = self.table()[what]
        return self.asks(method, path, token, {**body, **changes} if body is not None else None)

    def asks(self, method: str, path: str, token: str, body: dict[str, Any] | None = None) -> httpx.Response:
        headers = {**FHIR, "If-Match": 'W/"1"', "X-Request-Id": "request-9"}
        content = json.dumps(body) if body is not None else None
        answer: httpx.Response = self.api.ask(path, method=method, token=token, headers=headers, content=content)
        return answer

    def table(self) -> dict[str, tuple[str, str, dict[str, Any] | None]]:
        subject = {"reference": f"Patient/{patient_id(self.infant)}"}
        source = [{"reference": f"Observation/{self.entry['id']}/_history/1"}]
        seen = [{"name": "seen", "valueCode": "severe"}]
        places = [{"name": name, "valueString": "NICU^1^1"} for name in ("bed", "seen", "reason")]
        encounter = encounter_id(self.infant, "V1")
        return {
            "review": ("PUT", f"Observation/{self.entry['id']}", {**self.entry, "status": "final"}),
            "change": ("POST", "Observation", {"resourceType": "Observation", "derivedFrom": source}),
            "own score": ("POST", "Observation", {"resourceType": "Observation", "subject": subject}),
            "procedure": ("POST", "Procedure", {"resourceType": "Procedure", "subject": subject}),
            "acknowledgement": (
                "POST",
                f"Flag/{self.flag}/$acknowledge",
                {"resourceType": "Parameters", "parameter": seen},
            ),
            "held bed": (
                "POST",
                f"Encounter/{encounter}/$resolve-held",
                {"resourceType": "Parameters", "parameter": places},
            ),
            "new subscription": ("POST", "Subscription", {"resourceType": "Subscription"}),
            "subscription": ("PUT", "Subscription/none", {"resourceType": "Subscription"}),
            "no subscription": ("DELETE", "Subscription/none", None),
        }


@pytest.fixture
def client(api_with: Callable[..., Any], ward: Any) -> Client:
    ward.policy = ChartingPolicy(
        name="p", interval=timedelta(seconds=10), lateness=timedelta(seconds=2), alert=AlertPolicy(enabled=True)
    )
    ward.admit(ward.infant)
    ward.take(*(ward.score(second, 8.0) for second in range(1, 31, 5)))
    ward.clock.advance(40)
    api = api_with(api_units_claim="units")
    token = api.token(units=["NICU"])
    entry = api.found("Observation?code=pain-score", token=token)[0]
    (flag,) = api.found("Flag?status=active", token=token)
    return Client(api, ward.infant, entry, flag["id"])


def refused(rows: Rows) -> list[dict[str, Any]]:
    """The detail of each refusal, with actor, infant and chain."""
    found = rows(
        "SELECT chain, actor, patient, detail FROM audit WHERE event = 'fhir_write_refused' ORDER BY chain, position"
    )
    return [{**json.loads(row.pop("detail")), **row} for row in found]


def test_a_write_without_a_scope_says_who_wanted_what_of_whom_and_that_nothing_was_changed(
    client: Client, rows: Rows
) -> None:
    token = client.api.token(scope=READER, sub="nurse-7", client_id="board", jti="t-1", units=["NICU"])

    answer = client.writes("review", token)

    assert answer.status_code == 403
    assert refused(rows) == [
        {
            "chain": "reads",
            "actor": "nurse-7",
            "patient": client.key,
            "address": "127.0.0.1",
            "asked": f"PUT Observation/{client.entry['id']}",
            "changed": 0,
            "client": "board",
            "issuer": "https://id.hospital.example",
            "refused": "no scope of the token grants user/Observation.u: only a person may write",
            "request_id": "request-9",
            "server": client.api.url,
            "server_address": "127.0.0.1",
            "stands_until": refused(rows)[0]["stands_until"],
            "status": 403,
            "token_id": "t-1",
        }
    ]


@pytest.mark.parametrize("what", ["review", "change", "own score", "procedure", "acknowledgement", "held bed"])
def test_every_write_about_an_infant_names_it(client: Client, rows: Rows, what: str) -> None:
    method, path, _ = client.table()[what]

    assert client.writes(what, client.api.token(scope=READER, units=["NICU"])).status_code == 403

    assert [(one["asked"], one["patient"]) for one in refused(rows)] == [(f"{method} {path}", client.key)]


@pytest.mark.parametrize("what", ["new subscription", "subscription", "no subscription"])
def test_a_write_of_a_subscription_names_nobody(client: Client, rows: Rows, what: str) -> None:
    method, path, _ = client.table()[what]

    assert client.writes(what, client.api.token(scope=READER, units=["NICU"])).status_code == 403

    assert [(one["asked"], one["patient"]) for one in refused(rows)] == [(f"{method} {path}", "")]


@pytest.mark.parametrize("what", ["review", "acknowledgement"])
def test_what_is_hidden_from_a_client_is_404_for_it_and_names_the_infant_in_the_trail_alone(
    client: Client, rows: Rows, what: str
) -> None:
    token = client.api.token(scope=EVERYTHING, units=["PICU"])
    method, path, body = client.table()[what]
    hidden = client.writes(what, token)
    nothing = client.asks(method, path.replace(client.entry["id"], "none").replace(client.flag, "none"), token, body)

    assert (hidden.status_code, hidden.json()) == (404, nothing.json())
    assert [(one["patient"], one["refused"]) for one in refused(rows)] == [
        (client.key, BEYOND),
        ("", f"there is no {path.partition('/')[0]} here"),
    ]


@pytest.mark.parametrize(("units", "why"), [("PICU", BEYOND), ("NICU", "there is no Patient in a bed here")])
def test_of_a_procedure_the_trail_says_whether_the_infant_is_kept_from_the_client_or_lies_nowhere(
    client: Client, ward: Any, rows: Rows, units: str, why: str
) -> None:
    ward.admit()
    code, period = {"text": "Heel lance"}, {"start": "2026-10-05T12:00:01Z", "end": "2026-10-05T12:00:10Z"}
    token = client.api.token(scope="user/Procedure.c", units=[units])

    answer = client.writes("procedure", token, status="completed", code=code, performedPeriod=period)

    assert answer.status_code == 404
    assert [(one["patient"], one["refused"]) for one in refused(rows)] == [(client.key, why)]


def test_what_is_no_refusal_is_not_in_it(client: Client, rows: Rows) -> None:
    token = client.api.token(scope=EVERYTHING, units=["NICU"])

    assert client.writes("acknowledgement", token).status_code == 200
    assert client.writes("own score", token).status_code == 422
    assert client.writes("review", token, status="amended").status_code == 422
    assert refused(rows) == []


def test_refusals_of_a_kind_fill_no_trail(client: Client, ward: Any, rows: Rows) -> None:
    token = client.api.token(scope=READER, jti="t-1", units=["NICU"])
    for number in range(20):
        client.asks("PUT", f"Observation/made-up-{number}", token, {"resourceType": "Observation"})
        client.writes("review", token)
    assert [(one["asked"], one["patient"]) for one in refused(rows)] == [
        ("PUT Observation/made-up-0", ""),
        (f"PUT Observation/{client.entry['id']}", client.key),
    ]

    ward.clock.advance(61)
    client.writes("review", token)

    assert refused(rows)[-1]["repeated"] == 19


def test_a_refusal_that_cannot_be_written_down_is_not_told(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseUnavailable("away")

    monkeypatch.setattr("neopain.charting.api.reads.append", fail)

    assert client.writes("review", client.api.token(scope=READER, units=["NICU"])).status_code == 503


def test_it_is_an_audit_event_that_failed(client: Client, api_with: Callable[..., Any]) -> None:
    client.writes("acknowledgement", client.api.token(scope=EVERYTHING, units=["PICU"]))

    (event,) = api_with().found(f"AuditEvent?subtype=fhir_write_refused&patient={patient_id(client.infant)}")

    assert (event["outcome"], event["outcomeDesc"]) == ("4", BEYOND)
