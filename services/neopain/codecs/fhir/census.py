"""The census as resources: Patient, Encounter and Device. No name: that stays in the EHR.

A bed that is held says so and places nobody: its Encounters have no location, and its devices no patient.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo

from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.authority import system_of
from neopain.codecs.fhir.digest import versioned
from neopain.codecs.fhir.ids import device_id, encounter_id, patient_id
from neopain.codecs.fhir.observation import TEST_DATA
from neopain.codecs.fhir.terminology import Json
from neopain.domain.census import BedState, DeviceAssociation, Infant
from neopain.domain.identity import BedId, PatientId
from neopain.domain.vitals import Processing

BED_HELD = f"{terms.BASE}/StructureDefinition/bed-held"
"""Extension of an Encounter: the bed that would be its place, and why nobody says that it is."""
VISITS = f"{terms.BASE}/identifier/visit"
DEVICES = f"{terms.BASE}/identifier/device"
RECORD_NUMBER = {"system": terms.IDENTIFIER_TYPES, "code": "MR", "display": "Medical record number"}
INPATIENT = {"system": terms.ACT_CODE, "code": "IMP", "display": "inpatient encounter"}
GENDERS = {"M": "male", "F": "female", "O": "other", "A": "other", "N": "other", "U": "unknown"}
"""HL7 table 0001 to administrative-gender."""


@dataclass(frozen=True, slots=True)
class Naming:
    """How a site names things: identifier systems of its authorities, and the time zone of birth dates, if set."""

    systems: Mapping[str, str]
    zone: tzinfo | None = None

    def identifier(self, patient: PatientId) -> Json:
        """An infant's identifier."""
        named: Json = {"system": system_of(patient.assigning_authority, self.systems), "value": patient.value}
        return {"type": {"coding": [RECORD_NUMBER]}, **named} if patient.type_code == "MR" else named


@dataclass(frozen=True, slots=True)
class Lying:
    """An infant in a bed as far as the census says, under the identifier that it is charted by."""

    patient: PatientId
    infant: Infant
    state: BedState

    @property
    def encounter_id(self) -> str:
        """The id of its Encounter."""
        return encounter_id(self.patient, self.infant.visit)


def patient_of(patient: PatientId, naming: Naming, *, lying: Lying | None = None) -> Json:
    """The Patient of an identifier, with what the census knows while it lies in a bed."""
    infant = lying.infant if lying is not None else Infant((patient,))
    numbers = dict.fromkeys((patient, *infant.identifiers))
    resource: Json = {
        "resourceType": "Patient",
        "id": patient_id(patient),
        "meta": _labelled(lying.state) if lying is not None else {},
        "identifier": [naming.identifier(one) for one in numbers],
    }
    if infant.sex in GENDERS:
        resource["gender"] = GENDERS[infant.sex]
    if infant.born is not None and naming.zone is not None:
        resource["birthDate"] = infant.born.astimezone(naming.zone).date().isoformat()
    return versioned(resource)


def encounter_of(places: Iterable[Lying]) -> Json:
    """The Encounter of a visit, from every bed that the infant is in by the census: more than one holds them all."""
    beds = list(places)
    first = beds[0]
    resource = _encounter(first.patient, first.infant.visit, status="in-progress", meta=_labelled(first.state))
    if held := [one.state for one in beds if one.state.is_held or len(beds) > 1]:
        resource["extension"] = [_held(state) for state in held]
    else:
        resource["location"] = [
            {
                "location": {"display": first.state.bed},
                "status": "active",
                "period": {"start": first.state.since.isoformat()},
            }
        ]
    return versioned(resource)


def past_encounter_of(patient: PatientId, visit: str) -> Json:
    """The Encounter that an entry names and the census no longer has: whether it goes on is not known here."""
    return versioned(_encounter(patient, visit, status="unknown", meta={}))


def device_of(association: DeviceAssociation, state: BedState, *, patient: PatientId | None) -> Json:
    """A device at a bed; ``patient`` is the infant there that it is associated with, None when that is not sure."""
    resource: Json = {
        "resourceType": "Device",
        "id": device_id(association.device),
        "meta": _labelled(state),
        "identifier": [{"system": DEVICES, "value": association.device}],
        "location": {"display": state.bed},
    }
    if patient is not None:
        resource["patient"] = {"reference": f"Patient/{patient_id(patient)}"}
    return versioned(resource)


def _encounter(patient: PatientId, visit: str, *, status: str, meta: Json) -> Json:
    resource: Json = {
        "resourceType": "Encounter",
        "id": encounter_id(patient, visit),
        "meta": meta,
        "status": status,
        "class": INPATIENT,
        "subject": {"reference": f"Patient/{patient_id(patient)}"},
    }
    if visit:
        resource["identifier"] = [{"system": VISITS, "value": visit}]
    return resource


def _held(state: BedState) -> Json:
    reason = state.held_reason or "this infant is in more than one bed"
    return {
        "url": BED_HELD,
        "extension": [_text("bed", state.bed), _text("reason", reason)],
    }


def _text(url: str, value: BedId | str) -> Json:
    return {"url": url, "valueString": value}


def _labelled(state: BedState) -> Json:
    if state.processing is Processing.PRODUCTION:
        return {}
    return {"security": [TEST_DATA]}
