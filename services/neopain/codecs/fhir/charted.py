"""A charted entry as our own API serves it: the Observation that the EHR gets, with an id, and its Provenance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from neopain.codecs.fhir.digest import versioned
from neopain.codecs.fhir.ids import encounter_id, patient_id
from neopain.codecs.fhir.observation import DEVICE, device_of, labels_of, observation_of
from neopain.codecs.fhir.terminology import Json, concept
from neopain.domain.charting import ChartedEntry

PARTICIPANTS = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
OPERATIONS = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"


class EntryStatus(Enum):
    """Status of an entry's Observation (R4 valueset-observation-status.html), as far as charting knows."""

    PRELIMINARY = "preliminary"
    """No nurse has acted on it here."""
    CANCELLED = "cancelled"
    """A person decided that it does not go to the EHR."""


@dataclass(frozen=True, slots=True)
class ServedEntry:
    """An entry, what has become of it, its version and when it got that."""

    entry: ChartedEntry
    status: EntryStatus
    version: int
    updated: datetime


def served_observation(served: ServedEntry) -> Json:
    """The Observation of an entry with id, version and status; subject and encounter are resources of ours."""
    entry = served.entry
    resource = observation_of(
        entry,
        subject=f"Patient/{patient_id(entry.patient)}",
        encounter=f"Encounter/{encounter_id(entry.patient, entry.visit)}" if entry.visit else None,
    )
    meta = {"versionId": str(served.version), "lastUpdated": served.updated.isoformat(), **resource["meta"]}
    return {**resource, "id": entry.id, "meta": meta, "status": served.status.value}


def provenance_of(entry: ChartedEntry) -> Json:
    """Who wrote an entry, and about what time (R4 provenance.html): the software. Its id is the entry's."""
    draft = entry.draft
    return versioned(
        {
            "resourceType": "Provenance",
            "id": entry.id,
            "meta": {"security": labels_of(draft)},
            "contained": [device_of(draft)],
            "target": [{"reference": f"Observation/{entry.id}"}],
            "occurredPeriod": {"start": draft.observed_from.isoformat(), "end": draft.observed_to.isoformat()},
            "recorded": entry.issued.isoformat(),
            "activity": concept(OPERATIONS, "CREATE", "create"),
            "agent": [
                {
                    "type": concept(PARTICIPANTS, "assembler", "Assembler"),
                    "who": {"reference": f"#{DEVICE}"},
                }
            ],
        }
    )
