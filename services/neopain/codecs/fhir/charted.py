"""A charted entry as our own API serves it: the Observation that the EHR gets, with an id, a version and its status."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.assessment import built_assessment
from neopain.codecs.fhir.ids import encounter_id, patient_id
from neopain.codecs.fhir.observation import SUGGESTION, built_observation, note_of
from neopain.codecs.fhir.terminology import Json
from neopain.domain.charting import ChartedEntry
from neopain.domain.entry_status import EntryStatus, StatusChange
from neopain.domain.review import ChartEntry, NurseAssessment

STUDY_TAG = {"system": f"{terms.BASE}/CodeSystem/tag", "code": "study", "display": "Kept for a study"}
FOR_A_STUDY = f"{SUGGESTION} Kept for a study: nobody verifies it, and no EHR gets it."


@dataclass(frozen=True, slots=True)
class ServedEntry:
    """An entry, what it stands at and how it came to that, its version and when it got that.

    ``ends`` is the end of the stretch of time that it is written for, by which entries are in order.
    """

    entry: ChartEntry
    status: EntryStatus
    version: int
    updated: datetime
    ends: datetime
    changes: tuple[StatusChange, ...] = ()
    in_study: bool = False
    """Whether it is kept for a study."""


def served_observation(served: ServedEntry) -> Json:
    """The Observation of an entry with id, version and status; subject and encounter are resources of ours."""
    entry = served.entry
    subject = f"Patient/{patient_id(entry.patient)}"
    encounter = f"Encounter/{encounter_id(entry.patient, entry.visit)}" if entry.visit else None
    if isinstance(entry, NurseAssessment):
        resource = built_assessment(
            entry,
            subject=subject,
            encounter=encounter,
            derived_from=f"Observation/{entry.draft.about}" if entry.draft.about else "",
            status=served.status,
            changes=served.changes,
        )
    else:
        resource = built_observation(
            entry, subject=subject, encounter=encounter, status=served.status, changes=served.changes
        )
    if served.in_study:
        resource = _of_study(resource, entry)
    meta = {"versionId": str(served.version), "lastUpdated": served.updated.isoformat(), **resource.get("meta", {})}
    return {**resource, "id": entry.id, "meta": meta}


def _of_study(resource: Json, entry: ChartEntry) -> Json:
    """The same, marked as what nobody verifies and no EHR gets."""
    marked = {**resource, "meta": {**resource.get("meta", {}), "tag": [STUDY_TAG]}}
    if isinstance(entry, ChartedEntry):
        first, *changes = resource["note"]
        marked["note"] = [{**first, "text": note_of(entry, label=FOR_A_STUDY)}, *changes]
    return marked
