"""The infants as an EHR knows them."""

from __future__ import annotations

from datetime import datetime

from fhir.resources.R4B.encounter import Encounter
from fhir.resources.R4B.patient import Patient

from neopain.simulator.ehr_seed import seed_resources


def test_each_infant_is_a_patient_and_then_an_encounter(now: datetime) -> None:
    kinds = [resource["resourceType"] for resource in seed_resources(beds=2, seed=1, now=now)]

    assert kinds == ["Patient", "Encounter", "Patient", "Encounter"]


def test_the_resources_are_fhir_r4(now: datetime) -> None:
    patient, encounter = seed_resources(beds=1, seed=1, now=now)

    assert Patient.model_validate(patient).gender in {"male", "female"}
    assert Encounter.model_validate(encounter).status == "in-progress"


def test_the_patient_is_found_by_authority_and_record_number(now: datetime) -> None:
    patient, _ = seed_resources(beds=1, seed=1, now=now)
    identifier = patient["identifier"][0]

    assert (identifier["system"], identifier["value"]) == ("urn:neopain:authority:NEOPAIN-SIM", "SIM01001")


def test_the_encounter_is_the_patients(now: datetime) -> None:
    patient, encounter = seed_resources(beds=1, seed=1, now=now)

    assert encounter["subject"]["reference"] == f"Patient/{patient['id']}"


def test_ids_never_change(now: datetime) -> None:
    first, second = (seed_resources(beds=2, seed=5, now=moment) for moment in (now, now.replace(year=2027)))

    assert [one["id"] for one in first] == [one["id"] for one in second]
