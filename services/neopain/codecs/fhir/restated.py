"""The EHR's own copy of an entry with another status: what others have put into it stays.

An amended entry is told anew; of every other status, and of what a nurse scored, only
the status and the notes change.
"""

from __future__ import annotations

from neopain.codecs.fhir.observation import TO_BE_VERIFIED, label_of, note_of, observation_of, status_note
from neopain.codecs.fhir.terminology import Json
from neopain.domain.entry_status import EntryStatus, StatusChange
from neopain.domain.review import ChartEntry, NurseAssessment

TOLD_ANEW = (
    "valueQuantity",
    "dataAbsentReason",
    "effectivePeriod",
    "issued",
    "method",
    "component",
)
"""What of an amended entry replaces what the EHR has, and goes where the entry does not have it any more."""


def restated(current: Json, entry: ChartEntry, change: StatusChange) -> Json:
    """The resource to be put in place of ``current``, which is the EHR's copy of the entry."""
    resource = dict(current)
    if change.status is EntryStatus.AMENDED and not isinstance(entry, NurseAssessment):
        subject = current.get("subject")
        reference = subject.get("reference") if isinstance(subject, dict) else None
        told = observation_of(entry, subject=str(reference))
        resource = {name: value for name, value in resource.items() if name not in TOLD_ANEW}
        resource |= {name: told[name] for name in TOLD_ANEW if name in told}
    notes = [_without_the_request(note, entry, change) for note in _notes(current)]
    return {**resource, "status": change.status.value, "note": [*notes, status_note(change)]}


def says(current: Json, change: StatusChange) -> bool:
    """Whether the EHR's copy has the status, and has it by this change."""
    if current.get("status") != change.status.value:
        return False
    if change.before is not change.status:
        return True
    told = status_note(change)["text"]
    return any(isinstance(note, dict) and note.get("text") == told for note in _notes(current))


def _notes(current: Json) -> list[object]:
    notes = current.get("note")
    return list(notes) if isinstance(notes, list) else []


def _without_the_request(note: object, entry: ChartEntry, change: StatusChange) -> object:
    """Our own note: on an entry that somebody has acted upon it does not ask for that any more."""
    text = note.get("text") if isinstance(note, dict) else None
    if not isinstance(note, dict) or not isinstance(text, str):
        return note
    if isinstance(entry, NurseAssessment):
        return note
    if change.status is EntryStatus.AMENDED and text.startswith(label_of(EntryStatus.FINAL)):
        return {**note, "text": note_of(entry, label=label_of(change.status))}
    return {**note, "text": text.replace(TO_BE_VERIFIED, label_of(change.status))}
