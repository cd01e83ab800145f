"""The simulated infants as an EHR knows them: FHIR R4 Patient and Encounter, to be posted by whoever seeds it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from neopain.simulator.admission import born
from neopain.simulator.assignment import ward_infants
from neopain.simulator.infant import ASSIGNING_AUTHORITY, Sex, SimulatedInfant
from neopain.simulator.segments import Cot

Resource = dict[str, Any]

PATIENT_SYSTEM = f"urn:neopain:authority:{ASSIGNING_AUTHORITY}"
VISIT_SYSTEM = f"urn:neopain:visit:{ASSIGNING_AUTHORITY}"
# Marks records that are about nobody (HL7 v3 ActReason).
TEST_DATA = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "code": "HTEST",
}
GENDER = {Sex.FEMALE: "female", Sex.MALE: "male"}


def seed_resources(*, beds: int, seed: int, now: datetime | None = None) -> list[Resource]:
    """A Patient and then its Encounter for each infant of the ward, with ids of their own that never change: to be PUT.

    ``now`` is when the infants have their ages.
    """
    moment = now or datetime.now(UTC)
    return [
        resource
        for infant, cot in ward_infants(beds=beds, seed=seed)
        for resource in (patient_resource(infant, now=moment), encounter_resource(infant, cot, now=moment))
    ]


def patient_resource(infant: SimulatedInfant, *, now: datetime) -> Resource:
    """The infant as a Patient."""
    return {
        "resourceType": "Patient",
        "id": resource_id(PATIENT_SYSTEM, infant.mrn),
        "meta": {"security": [TEST_DATA]},
        "identifier": [
            {
                "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]},
                "system": PATIENT_SYSTEM,
                "value": infant.mrn,
            }
        ],
        "active": True,
        "name": [{"family": "Simulated", "given": [f"Infant {infant.number:03d}"]}],
        "gender": GENDER[infant.sex],
        "birthDate": f"{born(infant, now):%Y-%m-%d}",
    }


def encounter_resource(infant: SimulatedInfant, cot: Cot, *, now: datetime) -> Resource:
    """The infant's stay as an Encounter in progress."""
    return {
        "resourceType": "Encounter",
        "id": resource_id(VISIT_SYSTEM, infant.visit),
        "meta": {"security": [TEST_DATA]},
        "identifier": [{"system": VISIT_SYSTEM, "value": infant.visit}],
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": {"reference": f"Patient/{resource_id(PATIENT_SYSTEM, infant.mrn)}"},
        "period": {"start": born(infant, now).isoformat()},
        "location": [{"location": {"display": cot.bed_id}, "status": "active"}],
    }


def resource_id(system: str, value: str) -> str:
    """The resource's id: a UUID that follows from its identifier."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{system}|{value}"))
