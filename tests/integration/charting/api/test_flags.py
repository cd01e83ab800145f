"""Alerts over the API: Flags read and searched, and a nurse's answers to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest

from neopain.charting.audit.verify import verify_audit
from neopain.domain.alert_policy import AlertPolicy
from neopain.domain.identity import BedId, PatientId
from neopain.domain.policy import ChartingPolicy

from ....fhir_validity import require_valid
from .conftest import outcome

Rows = Callable[[str], list[dict[str, Any]]]

POLICY = ChartingPolicy(name="p", lateness=timedelta(seconds=2), alert=AlertPolicy(enabled=True))
"""The built-in levels: severe from 6.4 for 20 s."""
SEVERE = {"name": "seen", "valueCode": "severe"}


@dataclass(slots=True)
class Station:
    """A nurse who sees the ward's alerts."""

    api: Any
    ward: Any
    scope: str = "user/Flag.cruds"

    def sees(self, query: str = "status=active") -> list[dict[str, Any]]:
        return list(self.api.found(f"Flag?{query}"))

    def does(self, operation: str, flag: str, *parameters: dict[str, Any], sub: str = "n-17") -> httpx.Response:
        body: dict[str, Any] = {"resourceType": "Parameters", "parameter": list(parameters)}
        token = self.api.token(scope=self.scope, sub=sub, name=f"Nurse {sub}")
        headers = {"Content-Type": "application/fhir+json", "X-Request-Id": "request-9"}
        path = f"Flag/{flag}/${operation}"
        answer: httpx.Response = self.api.ask(path, method="POST", token=token, headers=headers, json=body)
        return answer


@pytest.fixture
def station(api: Any, ward: Any) -> Station:
    """Of a ward with one severe alert, which opened 20 s after noon."""
    ward.policy = POLICY
    hurt(ward)
    ward.clock.advance(30)
    return Station(api, ward)


def hurt(ward: Any, *, first: int = 0, bed: BedId | None = None) -> None:
    ward.take(*(ward.score(first + second, 8.0, bed=bed) for second in range(0, 21, 5)))


def extension(flag: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in flag["extension"] if one["url"].endswith(f"/{name}"))


def test_an_alert_is_found_by_another_of_its_infants_numbers(api: Any, bedside: Any) -> None:
    bedside.policy = POLICY
    bedside.admit(bedside.infant, PatientId("W-1", "WRISTBAND", "PI"))
    hurt(bedside)

    (flag,) = api.found("Flag?patient.identifier=urn:neopain:authority:WRISTBAND|W-1&status=active")

    assert flag["subject"]["identifier"]["value"] == bedside.infant.value
    assert api.found("Flag?patient.identifier=urn:neopain:authority:WRISTBAND|W-2") == []


def test_an_alert_is_a_flag_of_the_patient_here(station: Station) -> None:
    (flag,) = station.sees()

    assert flag == station.api.read(f"Flag/{flag['id']}")
    assert (flag["status"], flag["code"]["coding"][0]["code"]) == ("active", "severe")
    assert "not a medical alarm" in flag["code"]["text"]
    assert flag["meta"]["lastUpdated"] == "2026-10-05T12:00:20+00:00"
    (bundle,) = [station.api.bundle("Flag?_include=Flag:patient")]
    included = [one["resource"] for one in bundle["entry"] if one["search"]["mode"] == "include"]
    assert [f"Patient/{one['id']}" for one in included] == [flag["subject"]["reference"]]


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("status=active", True),
        ("status=inactive", False),
        ("_id={id}", True),
        ("_id=none", False),
        ("identifier=https://neopain.org/fhir/identifier/alert|{id}", True),
        ("identifier=urn:other|{id}", False),
        ("patient={patient}", True),
        ("patient=none", False),
        ("patient.identifier=urn:neopain:authority:HOSP|{mrn}", True),
        ("subject.identifier=other", False),
        ("_lastUpdated=ge2026-10-05T12:00:20Z", True),
        ("_lastUpdated=gt2026-10-05T12:00:21Z", False),
    ],
)
def test_a_parameter_finds_what_it_means(station: Station, query: str, *, is_found: bool) -> None:
    (flag,) = station.sees()
    told = {
        "id": flag["id"],
        "mrn": station.ward.infant.value,
        "patient": flag["subject"]["reference"].removeprefix("Patient/"),
    }

    assert bool(station.sees(query.format(**told))) is is_found


def test_pages_neither_double_nor_hide_an_alert(station: Station) -> None:
    for number in range(3):
        bed, infant = BedId(f"NICU/2/{number}"), PatientId(f"{station.ward.infant.value}-{number}", "HOSP")
        station.ward.admit(infant, bed=bed)
        hurt(station.ward, first=number, bed=bed)
    whole = [one["id"] for one in station.sees("_sort=date")]
    first = station.api.bundle("Flag?_sort=date&_count=3")
    following = next(one["url"] for one in first["link"] if one["relation"] == "next")

    assert len(whole) == 4
    assert [one["resource"]["id"] for one in first["entry"]] == whole[:3]
    assert [one["id"] for one in station.api.found(following)] == whole[3:]
    assert station.api.bundle("Flag?_summary=count")["total"] == 4


def test_a_nurse_acknowledges_what_she_saw(station: Station, rows: Rows, database: str) -> None:
    (flag,) = station.sees()

    answer = station.does("acknowledge", flag["id"], SEVERE, {"name": "note", "valueString": "I am there"})

    require_valid(answer.json())
    assert (answer.status_code, answer.headers["ETag"] != f'W/"{flag["meta"]["versionId"]}"') == (200, True)
    told = {one["url"]: one for one in extension(answer.json(), "alert-acknowledged")["extension"]}
    assert (told["by"]["valueString"], told["note"]["valueString"]) == ("Nurse n-17", "I am there")
    assert extension(answer.json(), "alert-wants-answer")["valueBoolean"] is False
    (audit,) = rows("SELECT actor, patient, detail FROM audit WHERE event = 'alert_answered'")
    assert (audit["actor"], audit["patient"]) == ("n-17", f"HOSP|{station.ward.infant.value}")
    assert json.loads(audit["detail"])["request_id"] == "request-9"
    assert verify_audit(database).is_whole


def test_an_acknowledgement_that_is_repeated_is_kept_once(station: Station, rows: Rows) -> None:
    (flag,) = station.sees()
    answers = [station.does("acknowledge", flag["id"], SEVERE).status_code for _ in range(2)]
    other = station.does("acknowledge", flag["id"], SEVERE, sub="n-18")

    assert answers == [200, 200]
    assert outcome(other) == (409, "conflict")
    assert len(rows("SELECT 1 FROM alert_events WHERE kind = 'acknowledged'")) == 1


def test_an_alert_is_snoozed_for_as_long_as_the_policy_allows(station: Station) -> None:
    (flag,) = station.sees()

    answer = station.does("snooze", flag["id"], SEVERE, {"name": "minutes", "valueInteger": 5})
    too_long = station.does("snooze", flag["id"], SEVERE, {"name": "minutes", "valueInteger": 60})

    assert extension(answer.json(), "alert-snoozed-until")["valueDateTime"] == "2026-10-05T12:05:30+00:00"
    assert outcome(too_long) == (409, "conflict")


def test_a_level_that_nobody_has_seen_is_not_answered(station: Station) -> None:
    (flag,) = station.sees()

    answer = station.does("acknowledge", flag["id"], {"name": "seen", "valueCode": "moderate"})

    assert outcome(answer) == (409, "conflict")
    assert "has risen to severe" in answer.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    ("operation", "parameters", "named"),
    [
        ("acknowledge", [], "Parameters.parameter.where(name='seen')"),
        ("acknowledge", [{"name": "seen", "valueCode": "red"}], "Parameters.parameter.where(name='seen')"),
        ("acknowledge", [SEVERE, SEVERE], "Parameters.parameter[1]"),
        ("acknowledge", [SEVERE, {"name": "minutes", "valueInteger": 5}], "Parameters.parameter[1]"),
        ("acknowledge", [SEVERE, {"name": "note", "valueString": " "}], "Parameters.parameter.where(name='note')"),
        ("snooze", [SEVERE], "Parameters.parameter.where(name='minutes')"),
        ("snooze", [SEVERE, {"name": "minutes", "valueInteger": 0}], "Parameters.parameter.where(name='minutes')"),
    ],
)
def test_parameters_that_are_wrong_are_named(
    station: Station, operation: str, parameters: list[dict[str, Any]], named: str, rows: Rows
) -> None:
    (flag,) = station.sees()

    answer = station.does(operation, flag["id"], *parameters)

    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, [named])
    assert rows("SELECT 1 FROM alert_events WHERE made_by <> ''") == []


@pytest.mark.parametrize("scope", ["system/Flag.cruds", "user/Flag.rs", "user/Observation.write"])
def test_only_a_person_who_may_write_answers(station: Station, scope: str) -> None:
    (flag,) = station.sees()
    station.scope = scope

    assert outcome(station.does("acknowledge", flag["id"], SEVERE)) == (403, "forbidden")


def test_what_a_client_may_not_know_of_is_not_there(station: Station, api_with: Callable[..., Any]) -> None:
    (flag,) = station.sees()
    elsewhere = Station(api_with(api_units=["PICU"]), station.ward)

    assert elsewhere.sees("") == []
    assert outcome(elsewhere.api.ask(f"Flag/{flag['id']}")) == (404, "not-found")
    assert outcome(elsewhere.does("acknowledge", flag["id"], SEVERE)) == (404, "not-found")
    assert outcome(station.does("acknowledge", "none", SEVERE)) == (404, "not-found")
