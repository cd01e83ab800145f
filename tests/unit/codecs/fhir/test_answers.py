"""What an EHR answers: read where it is right, refused where it is not, and never repeated with patient data."""

from __future__ import annotations

from typing import Any

import pytest

from neopain.codecs.fhir.answers import Need, matches_of, outcome_text, read_capability
from neopain.errors import MalformedMessage

OBSERVATION_CREATE = {"type": "Observation", "interaction": [{"code": "create"}], "conditionalCreate": True}
PATIENT_SEARCH = {
    "type": "Patient",
    "interaction": [{"code": "search-type"}],
    "searchParam": [{"name": "identifier", "type": "token"}],
}


def capability(version: str, *resources: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "CapabilityStatement", "fhirVersion": version, "rest": [{"resource": list(resources)}]}


def patient(patient_id: str, **entry: Any) -> dict[str, Any]:
    return {"resource": {"resourceType": "Patient", "id": patient_id}, **entry}


@pytest.mark.parametrize(
    ("version", "is_r4"), [("4.0.1", True), ("4.0.0", True), ("4.3.0", False), ("5.0.0", False), ("", False)]
)
def test_only_four_zero_is_r4(version: str, is_r4: bool) -> None:
    assert read_capability(capability(version)).is_r4 is is_r4


def test_what_it_says_of_observations_is_read() -> None:
    found = read_capability(capability("4.0.1", {"type": "Patient"}, OBSERVATION_CREATE))

    assert found.lacks([Need("Observation", "create")]) == ()
    assert found.creates_conditionally


@pytest.mark.parametrize(
    ("need", "is_lacking"),
    [
        (Need("Patient", "search-type", ("identifier",)), False),
        (Need("Patient", "search-type"), False),
        (Need("Patient", "search-type", ("identifier", "name")), True),
        (Need("Patient", "create"), True),
        (Need("Observation", "create"), True),
    ],
    ids=str,
)
def test_what_is_needed_and_not_offered_is_lacking(need: Need, is_lacking: bool) -> None:
    found = read_capability(capability("4.0.1", PATIENT_SEARCH))

    assert found.lacks([need]) == ((need,) if is_lacking else ())


def test_a_search_parameter_of_all_resources_holds_for_each() -> None:
    body = capability("4.0.1", PATIENT_SEARCH)
    body["rest"][0]["searchParam"] = [{"name": "_id", "type": "token"}]

    assert read_capability(body).lacks([Need("Patient", "search-type", ("identifier", "_id"))]) == ()


def test_what_is_said_of_a_client_is_no_offer() -> None:
    body = capability("4.0.1", OBSERVATION_CREATE)
    body["rest"][0]["mode"] = "client"

    assert read_capability(body).lacks([Need("Observation", "create")]) == (Need("Observation", "create"),)


@pytest.mark.parametrize("body", [{}, {"resourceType": "Bundle"}])
def test_what_is_no_capability_statement_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage, match="CapabilityStatement"):
        read_capability(body)


def test_matches_are_told_from_what_was_included_beside_them() -> None:
    bundle = {
        "resourceType": "Bundle",
        "entry": [
            patient("1", search={"mode": "match"}),
            patient("2", search={"mode": "include"}),
            {"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}},
            patient("3"),
        ],
    }

    assert [one["id"] for one in matches_of(bundle, "Patient")] == ["1", "3"]


def test_an_empty_bundle_has_no_match() -> None:
    assert matches_of({"resourceType": "Bundle", "type": "searchset", "total": 0}, "Patient") == []


def test_a_match_without_id_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="id"):
        matches_of({"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient"}}]}, "Patient")


def test_what_is_no_bundle_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="Bundle"):
        matches_of({"resourceType": "OperationOutcome"}, "Patient")


@pytest.mark.parametrize("entry", [{"resource": {}}, "none", None, 0, ["none"], [None]])
def test_entries_that_cannot_be_read_are_not_taken_for_none(entry: object) -> None:
    with pytest.raises(MalformedMessage, match=r"Bundle\.entry"):
        matches_of({"resourceType": "Bundle", "type": "searchset", "entry": entry}, "Patient")


def test_an_outcome_is_told_in_codes_and_places_without_its_free_text() -> None:
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": "invalid",
                "diagnostics": "Anna Example has no encounter",
                "details": {"text": "Anna Example", "coding": [{"code": "msg-7"}]},
                "expression": ["Observation.encounter"],
            }
        ],
    }

    assert outcome_text(outcome) == "error invalid msg-7 at Observation.encounter"


@pytest.mark.parametrize("body", [None, "text", [], {"resourceType": "Patient", "name": "Anna"}])
def test_what_is_no_outcome_is_said_to_be_none(body: object) -> None:
    assert outcome_text(body) == "no OperationOutcome"
