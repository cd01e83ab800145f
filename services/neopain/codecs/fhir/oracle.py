"""A verified entry as Oracle Health (Millennium R4) takes it: the fields that its documentation lists for vital signs.

Source: fhir.cerner.com, Millennium R4, Observation create and update (interop.md 4.3). One category, ``vital-signs``;
``effectiveDateTime``; a number; performers are Practitioners, the verifying one as legal authenticator. There is no
identifier, device, method or component: what an entry says beside its number stands in its note, its identifier too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.assessment import NOTE
from neopain.codecs.fhir.observation import SUGGESTION, checked, note_of, status_note
from neopain.codecs.fhir.terminology import Json, concept
from neopain.domain.entry_status import EntryStatus, StatusChange
from neopain.domain.review import ChartEntry, NurseAssessment
from neopain.domain.scales import NIPS_X10_7
from neopain.errors import RejectedByEhr

PERFORMER_FUNCTION = "http://hl7.org/fhir/StructureDefinition/event-performerFunction"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
MARK = "neopain entry"
"""Before an entry's id in its note."""


@dataclass(frozen=True, slots=True)
class OracleCode:
    """What the EHR calls the value, and which of ours it is: NIPS of 0 to 7, or the score of 0 to 10."""

    system: str
    code: str
    display: str
    value: Literal["nips", "score"]


@dataclass(frozen=True, slots=True)
class OraclePlace:
    """References at the EHR: the patient, the encounter, the Practitioner who verified it."""

    subject: str
    performer: str
    encounter: str | None = None


def oracle_observation(
    entry: ChartEntry,
    code: OracleCode,
    place: OraclePlace,
    *,
    status: EntryStatus = EntryStatus.FINAL,
    changes: Iterable[StatusChange] = (),
) -> Json:
    """The Observation of a verified entry, checked against R4B.

    ``RejectedByEhr`` for an entry without a number: there is no field that could say why.
    """
    resource: Json = {
        "resourceType": "Observation",
        "status": status.value,
        "category": [concept(terms.OBSERVATION_CATEGORY, "vital-signs", "Vital Signs")],
        "code": concept(code.system, code.code, code.display),
        "subject": {"reference": place.subject},
        "effectiveDateTime": entry.draft.observed_to.isoformat(),
        "issued": entry.issued.isoformat(),
        "performer": [_authenticator(place.performer)],
        "valueQuantity": _quantity(entry, code),
        "note": [{"text": _note(entry)}, *map(status_note, changes)],
    }
    if place.encounter is not None:
        resource["encounter"] = {"reference": place.encounter}
    return checked(resource)


def bears(resource: Json, entry: ChartEntry) -> bool:
    """Whether an Observation of the EHR's has the entry's id in a note; the EHR may have put marks around it."""
    return any(f"{MARK} {entry.id}" in text for text in _texts(resource))


def is_copy(resource: Json, entry: ChartEntry, wanted: Json) -> bool:
    """Whether an Observation of the EHR's is the entry: by its id in a note, or, where notes do not come back, by what
    it says and bearing no other entry's id."""
    return bears(resource, entry) or (
        not any(MARK in text for text in _texts(resource)) and _says_the_same(resource, wanted)
    )


def _says_the_same(resource: Json, wanted: Json) -> bool:
    """Whether an Observation of the EHR's is of the same second, says the same number under the same code, and is by
    the same Practitioner: the EHR may add codes, performers and notes, and leave notes out."""
    moment = str(resource.get("effectiveDateTime", ""))
    codes = [(one.get("system"), one.get("code")) for one in _objects(_object(resource.get("code")).get("coding"))]
    ours = wanted["code"]["coding"][0]
    return (
        _is_same_second(moment, wanted["effectiveDateTime"])
        and (ours["system"], ours["code"]) in codes
        and _object(resource.get("valueQuantity")).get("value") == wanted["valueQuantity"]["value"]
        and wanted["performer"][0]["reference"] in [one.get("reference") for one in _objects(resource.get("performer"))]
    )


def _is_same_second(moment: str, wanted: str) -> bool:
    try:
        found = datetime.fromisoformat(moment)
        return found.replace(microsecond=0) == datetime.fromisoformat(wanted).replace(microsecond=0)
    except (ValueError, TypeError):
        return False


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(resource: Json) -> list[str]:
    return [str(note.get("text", "")) for note in _objects(resource.get("note"))]


def _authenticator(practitioner: str) -> Json:
    function = concept(PARTICIPATION, "LA", "legal authenticator")
    return {
        "extension": [{"url": PERFORMER_FUNCTION, "valueCodeableConcept": function}],
        "reference": practitioner,
    }


def _quantity(entry: ChartEntry, code: OracleCode) -> Json:
    value = _value(entry, code)
    return {"value": round(value, 1), "unit": "score", "system": terms.UCUM, "code": "{score}"}


def _value(entry: ChartEntry, code: OracleCode) -> float:
    if isinstance(entry, NurseAssessment):
        total = entry.draft.items.total
        return total if code.value == "nips" else NIPS_X10_7.to_reported(total)
    if entry.draft.value is None:
        raise RejectedByEhr(f"entry {entry.id} has no number, and this EHR has no field for why: chart it by hand")
    return NIPS_X10_7.to_raw(entry.draft.value) if code.value == "nips" else entry.draft.value


def _note(entry: ChartEntry) -> str:
    said = NOTE if isinstance(entry, NurseAssessment) else note_of(entry, label=SUGGESTION)
    return f"{said} {MARK} {entry.id}"
