from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from email.message import Message
from typing import Any

import pytest

PATIENT = {"resourceType": "Patient", "identifier": [{"system": "urn:oid:2.999.1", "value": "demo-1"}]}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: Any


def ask(url: str, body: object = None, *, method: str | None = None, **headers: str) -> Answer:
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data, {"Content-Type": "application/fhir+json", **named}, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return Answer(answer.status, answer.headers, json.loads(answer.read()))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, json.loads(error.read()))


def observation(patient: str, code: str = "98012-8") -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "preliminary",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": patient},
        "effectiveDateTime": "2026-11-21T08:00:00Z",
        "valueInteger": 4,
    }


@pytest.fixture
def patient(ehr_url: str) -> str:
    return f"Patient/{ask(f'{ehr_url}/Patient', PATIENT).body['id']}"


def test_metadata_says_r4_and_conditional_create(ehr_url: str) -> None:
    statement = ask(f"{ehr_url}/metadata").body
    resources = {resource["type"]: resource for resource in statement["rest"][0]["resource"]}

    assert statement["fhirVersion"] == "4.0.1"
    assert {"Observation", "Patient", "Encounter", "Device", "Provenance", "Flag"} <= resources.keys()
    assert resources["Observation"]["conditionalCreate"] is True
    assert {"name": "code", "type": "token"} in resources["Observation"]["searchParam"]


def test_a_created_resource_has_a_place_and_a_version(ehr_url: str, patient: str) -> None:
    answer = ask(f"{ehr_url}/Observation", observation(patient), Authorization="Bearer anything")
    version = answer.body["meta"]["versionId"]

    assert answer.status == 201
    assert answer.headers["ETag"] == f'W/"{version}"'
    assert answer.headers["Location"] == f"{ehr_url}/Observation/{answer.body['id']}/_history/{version}"
    assert ask(answer.headers["Location"]).body == answer.body


def test_the_server_gives_the_id_of_a_created_resource(ehr_url: str) -> None:
    assert ask(f"{ehr_url}/Patient", {**PATIENT, "id": "mine"}).body["id"] != "mine"


def test_a_search_by_an_identifier_goes_by_what_the_resource_bears_now(ehr_url: str) -> None:
    def bearers(value: str) -> list[str]:
        found = ask(f"{ehr_url}/Patient?identifier=urn:neopain|{value}").body
        return [entry["resource"]["id"] for entry in found.get("entry", [])]

    before, after = uuid.uuid4().hex, uuid.uuid4().hex
    created = ask(f"{ehr_url}/Patient", {**PATIENT, "identifier": [{"system": "urn:neopain", "value": before}]}).body
    assert bearers(before) == [created["id"]]

    changed = {**created, "identifier": [{"system": "urn:neopain", "value": after}]}
    ask(f"{ehr_url}/Patient/{created['id']}", changed, method="PUT")

    assert (bearers(before), bearers(after)) == ([], [created["id"]])


def test_a_conditional_create_stores_once(ehr_url: str, patient: str) -> None:
    identified = {**observation(patient), "identifier": [{"system": "urn:neopain", "value": patient}]}
    condition = f"identifier=urn:neopain|{patient}"

    first = ask(f"{ehr_url}/Observation", identified, If_None_Exist=condition)
    second = ask(f"{ehr_url}/Observation", identified, If_None_Exist=condition)

    assert (first.status, second.status) == (201, 200)
    assert second.body["id"] == first.body["id"]


def test_search_finds_by_patient_and_code(ehr_url: str, patient: str) -> None:
    stored = ask(f"{ehr_url}/Observation", observation(patient)).body
    ask(f"{ehr_url}/Observation", observation(patient, code="8867-4"))

    found = ask(f"{ehr_url}/Observation?patient={patient}&code=http://loinc.org%7C98012-8").body

    assert (found["type"], found["total"]) == ("searchset", 1)
    assert found["entry"][0]["fullUrl"] == f"{ehr_url}/Observation/{stored['id']}"


def test_a_posted_search_finds_the_same(ehr_url: str, patient: str) -> None:
    ask(f"{ehr_url}/Observation", observation(patient))

    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert ask(f"{ehr_url}/Observation/_search", f"patient={patient}".encode(), **form).body["total"] == 1


def test_an_update_with_a_stale_version_is_refused(ehr_url: str, patient: str) -> None:
    stored = ask(f"{ehr_url}/Observation", observation(patient)).body
    place, final = f"{ehr_url}/Observation/{stored['id']}", {**stored, "status": "final"}
    current = f'W/"{stored["meta"]["versionId"]}"'

    assert ask(place, final, method="PUT", If_Match=current).status == 200
    stale = ask(place, final, method="PUT", If_Match=current)

    assert stale.status == 412
    assert stale.body["resourceType"] == "OperationOutcome"


def test_history_is_newest_first_however_often_it_is_read(ehr_url: str, patient: str) -> None:
    stored = ask(f"{ehr_url}/Observation", observation(patient)).body
    place = f"{ehr_url}/Observation/{stored['id']}"
    ask(place, {**stored, "status": "final"}, method="PUT")

    for _ in range(2):
        versions = ask(f"{place}/_history").body["entry"]
        assert [version["resource"]["status"] for version in versions] == ["final", "preliminary"]


@pytest.mark.parametrize("fault", [{"status": None}, {"painful": True}, {"valueInteger": "four"}])
@pytest.mark.parametrize("condition", [{}, {"If_None_Exist": "identifier=urn:neopain|new"}])
def test_an_invalid_resource_is_refused(ehr_url: str, patient: str, fault: dict, condition: dict) -> None:
    answer = ask(f"{ehr_url}/Observation", {**observation(patient), **fault}, **condition)

    assert answer.status == 400
    assert answer.body["issue"][0]["severity"] == "error"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/Observation/no-such-id", None, 404),
        ("/Pain", None, 404),
        ("/Observation", b"{", 400),
        ("/Observation", {"resourceType": "Patient"}, 400),
    ],
)
def test_what_cannot_be_answered_gives_an_outcome(ehr_url: str, path: str, body: object, status: int) -> None:
    answer = ask(f"{ehr_url}{path}", body)

    assert answer.status == status
    assert answer.body["resourceType"] == "OperationOutcome"


def test_a_batch_answers_each_entry(ehr_url: str) -> None:
    create = {"request": {"method": "POST", "url": "Patient"}, "resource": PATIENT}
    miss = {"request": {"method": "GET", "url": "Patient/no-such-id"}}

    answer = ask(ehr_url, {"resourceType": "Bundle", "type": "batch", "entry": [create, miss]})

    assert [entry["response"]["status"] for entry in answer.body["entry"]] == ["201", "404"]
