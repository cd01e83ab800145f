"""The census over the FHIR API: who lies where, and where nobody says so."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from neopain.charting.facts import take_fact
from neopain.charting.intake import Intake
from neopain.domain.census import BedState, DeviceAssociation, Infant
from neopain.domain.identity import BedId, PatientId
from neopain.domain.policy import ChartingPolicy, SitePolicies
from neopain.domain.vitals import Processing

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
SINCE = NOON - timedelta(hours=1)
ANNA, BERT = PatientId("A-1", "HOSP"), PatientId("B-2", "HOSP")
BED, NEXT = BedId("NICU/1/1@EAST"), BedId("NICU/1/2@EAST")
HELD_URL = "https://neopain.org/fhir/StructureDefinition/bed-held"
Tell = Callable[[BedState], None]


@pytest.fixture
def tell(engine: Any, clock: Any) -> Tell:
    """Puts a fact into the history of its bed."""

    def run(state: BedState) -> None:
        intake = Intake(engine, SitePolicies(ChartingPolicy()), clock)
        take_fact(intake, fact_id=uuid.uuid4().hex, state=state, arrived=NOON)

    return run


def test_an_infant_in_a_bed_is_a_patient_with_an_encounter_there(api_with: Any, tell: Tell) -> None:
    api = api_with(authority_systems={"HOSP": "https://hospital.example/mrn"}, api_zone="Europe/Berlin")
    born = datetime(2026, 10, 1, 22, 30, tzinfo=UTC)
    tell(BedState(BED, SINCE, Infant((ANNA, PatientId("X", "LAB", "PI")), visit="V7", born=born, sex="F")))

    (encounter,) = api.found("Encounter")

    patient = api.read(encounter["subject"]["reference"])
    assert encounter["status"] == "in-progress"
    assert encounter["identifier"] == [{"system": "https://neopain.org/fhir/identifier/visit", "value": "V7"}]
    assert encounter["location"][0]["location"] == {"display": "NICU/1/1@EAST"}
    assert encounter["location"][0]["period"] == {"start": "2026-10-05T11:00:00+00:00"}
    assert [(one["system"], one["value"]) for one in patient["identifier"]] == [
        ("https://hospital.example/mrn", "A-1"),
        ("urn:neopain:authority:LAB", "X"),
    ]
    assert (patient["gender"], patient["birthDate"]) == ("female", "2026-10-02")
    assert "name" not in patient


def test_without_a_time_zone_no_birth_date_is_told(api: Any, tell: Tell) -> None:
    tell(BedState(BED, SINCE, Infant((ANNA,), born=SINCE)))

    assert "birthDate" not in api.found("Patient")[0]


def test_only_the_newest_fact_of_a_bed_counts(api: Any, tell: Tell) -> None:
    tell(BedState(BED, SINCE, Infant((ANNA,))))
    tell(BedState(NEXT, SINCE, Infant((BERT,))))
    tell(BedState(BED, NOON))

    assert [one["identifier"][0]["value"] for one in api.found("Patient")] == ["B-2"]


def test_a_held_bed_places_nobody_and_says_why(api: Any, tell: Tell) -> None:
    device = DeviceAssociation("m1", ANNA, SINCE)
    held = "a device in this bed names another infant"
    tell(BedState(BED, SINCE, Infant((ANNA,), visit="V7"), held, associations=(device,)))

    (encounter,) = api.found("Encounter")

    assert "location" not in encounter
    assert encounter["extension"] == [
        {
            "url": HELD_URL,
            "extension": [{"url": "bed", "valueString": BED}, {"url": "reason", "valueString": held}],
        }
    ]
    assert "patient" not in api.found("Device")[0]


def test_two_infants_in_one_bed_have_an_encounter_each_and_no_place(api: Any, tell: Tell) -> None:
    tell(BedState(BED, SINCE, Infant((ANNA,)), "two infants in one bed", rivals=(Infant((BERT,)),)))

    encounters = api.found("Encounter")

    assert len(encounters) == 2
    assert not any("location" in one for one in encounters)


def test_an_infant_in_two_beds_has_one_encounter_and_no_place(api: Any, tell: Tell) -> None:
    for bed in (BED, NEXT):
        tell(BedState(bed, SINCE, Infant((ANNA,), visit="V7")))

    (encounter,) = api.found("Encounter")

    assert "location" not in encounter
    assert [one["extension"][0]["valueString"] for one in encounter["extension"]] == [BED, NEXT]
    assert len(api.found("Patient")) == 1


def test_a_parent_in_a_bed_is_not_told(api: Any, tell: Tell) -> None:
    mother = Infant((BERT,), born=NOON - timedelta(days=11_000))
    tell(BedState(BED, SINCE, mother, "somebody in this bed is no newborn"))

    assert (api.found("Patient"), api.found("Encounter")) == ([], [])


def test_somebody_without_a_number_is_not_told(api: Any, tell: Tell) -> None:
    tell(BedState(BED, SINCE, Infant(())))

    assert (api.found("Patient"), api.found("Encounter")) == ([], [])


def test_test_data_say_that_they_are(api: Any, tell: Tell) -> None:
    device = DeviceAssociation("m1", ANNA, SINCE)
    tell(BedState(BED, SINCE, Infant((ANNA,)), processing=Processing.TRAINING, associations=(device,)))

    for resource_type in ("Patient", "Encounter", "Device"):
        assert api.found(resource_type)[0]["meta"]["security"][0]["code"] == "HTEST"


def test_a_device_is_at_its_bed_with_the_infant_it_is_associated_with(api: Any, tell: Tell) -> None:
    there = DeviceAssociation("0012210039002FC0", ANNA, SINCE)
    stranger = DeviceAssociation("0012210039002FC1", BERT, SINCE)
    tell(BedState(BED, SINCE, Infant((ANNA,)), associations=(there, stranger)))

    devices = {one["identifier"][0]["value"]: one for one in api.found("Device")}

    anna = api.found("Patient")[0]
    assert devices["0012210039002FC0"]["patient"] == {"reference": f"Patient/{anna['id']}"}
    assert devices["0012210039002FC0"]["location"] == {"display": BED}
    assert "patient" not in devices["0012210039002FC1"]
    assert len(api.found(f"Device?patient={anna['id']}")) == 1
    assert len(api.found("Device?identifier=0012210039002FC1")) == 1


def test_who_has_gone_is_still_the_subject_of_its_entries(api: Any, ward: Any) -> None:
    ward.chart()
    ward.admit(at=60)

    (observation,) = api.found("Observation?_include=Observation:encounter")

    patient = api.read(observation["subject"]["reference"])
    encounter = api.read(observation["encounter"]["reference"])
    assert [one["value"] for one in patient["identifier"]] == [ward.infant.value]
    assert (encounter["status"], encounter["identifier"][0]["value"]) == ("unknown", "V1")
    assert "location" not in encounter


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("Encounter", ["NOW", "PAST"]),
        ("Encounter?status=in-progress", ["NOW"]),
        ("Encounter?status=unknown", ["PAST"]),
        ("Encounter?status=finished", []),
        ("Encounter?status=http://hl7.org/fhir/encounter-status|in-progress", ["NOW"]),
        ("Encounter?patient.identifier=urn:neopain:authority:HOSP|A-1", ["NOW"]),
        ("Encounter?subject.identifier=B-2", ["PAST"]),
        ("Encounter?identifier=NOW", ["NOW"]),
        ("Encounter?identifier=https://neopain.org/fhir/identifier/visit|PAST", ["PAST"]),
        ("Encounter?identifier=urn:other|PAST", []),
        ("Patient", ["A-1", "B-2"]),
        ("Patient?identifier=urn:neopain:authority:HOSP|", ["A-1", "B-2"]),
        ("Patient?identifier=B-2,C-3", ["B-2"]),
        ("Patient?identifier=urn:neopain:authority:WEST|B-2", []),
        ("Patient?_id=none", []),
    ],
)
def test_what_is_and_what_was_is_found_by_every_parameter(
    api: Any, bedside: Any, query: str, values: list[str]
) -> None:
    since = NOON - timedelta(seconds=60)
    for visit, infant, at in (("PAST", BERT, since), ("NOW", ANNA, NOON + timedelta(seconds=60))):
        state = BedState(bedside.bed, at, Infant((infant,), visit=visit))
        take_fact(bedside.intake, fact_id=uuid.uuid4().hex, state=state, arrived=at)
        if visit == "PAST":
            bedside.chart()

    assert sorted(one["identifier"][0]["value"] for one in api.found(query)) == values
    assert api.bundle(f"{query}{'&' if '?' in query else '?'}_summary=count")["total"] == len(values)


def test_pages_of_the_census_hold_everybody_once(api: Any, tell: Tell, bedside: Any) -> None:
    for number in range(4):
        tell(
            BedState(BedId(f"NICU/2/{number}"), SINCE, Infant((PatientId(f"N-{number}", "HOSP"),), visit=f"V{number}"))
        )
    for number in range(3):
        infant = PatientId(f"P-{number}", "HOSP")
        bedside.infant = infant
        bedside.admit(infant, at=100 * number - 60)
        bedside.chart(first=100 * number)
    bedside.admit(at=400)

    for resource_type in ("Patient", "Encounter"):
        found, following = [], f"{resource_type}?_count=2"
        while following:
            bundle = api.bundle(following)
            found += [entry["resource"]["id"] for entry in bundle["entry"]]
            following = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "")
        assert len(found) == 7
        assert found == sorted(set(found))


def test_a_patient_comes_along_with_its_encounter(api: Any, tell: Tell) -> None:
    tell(BedState(BED, SINCE, Infant((ANNA,))))

    bundle = api.bundle("Encounter?_include=Encounter:subject&status=in-progress")

    assert [entry["resource"]["resourceType"] for entry in bundle["entry"]] == ["Encounter", "Patient"]


def test_what_stays_the_same_keeps_its_version(api: Any, tell: Tell) -> None:
    tell(BedState(BED, SINCE, Infant((ANNA,))))
    (before,) = api.found("Patient")
    tell(BedState(BED, SINCE, Infant((ANNA,)), control_id="2"))
    (same,) = api.found("Patient")
    tell(BedState(BED, SINCE, Infant((ANNA,), sex="M")))
    (after,) = api.found("Patient")

    assert same == before
    assert after["meta"]["versionId"] != before["meta"]["versionId"]
