"""What a nurse scored in place of an entry, as a FHIR R4 Observation: NIPS by LOINC 98012-8, its items as components.

Item names and numbers only. It is a person's: it bears no label of software, and names her as performer.
"""

from __future__ import annotations

from collections.abc import Iterable

from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.observation import TEST_DATA, identifier_of, status_note
from neopain.codecs.fhir.terminology import Json, concept, own_concept
from neopain.domain.entry_status import EntryStatus, StatusChange
from neopain.domain.review import ITEM_RANGES, NurseAssessment
from neopain.domain.reviewer import Reviewer
from neopain.domain.vitals import Processing

ITEM_CODES: dict[str, str] = {name: f"nips-{name.replace('_', '-')}" for name in ITEM_RANGES}
"""Our own code of each item. LOINC's item codes are shared with scales of other ranges (interop.md 1.4)."""
NOTE = "Scored by a nurse, who had seen the suggestion of software that it takes the place of."

STUDY_NOTE = "Scored by a nurse for a study that keeps the suggestion of software from her until she has."


def built_assessment(
    entry: NurseAssessment,
    *,
    subject: str,
    derived_from: str = "",
    encounter: str | None = None,
    status: EntryStatus = EntryStatus.FINAL,
    changes: Iterable[StatusChange] = (),
) -> Json:
    """The Observation of a nurse's own entry about ``subject``; ``derived_from`` is the reference of ours, where known.

    Unchecked, for who adds to it: ``observation.checked`` is for what goes to an EHR.
    """
    draft = entry.draft
    resource: Json = {
        "resourceType": "Observation",
        "identifier": [identifier_of(entry.id)],
        "status": status.value,
        "category": [concept(terms.OBSERVATION_CATEGORY, "survey", "Survey")],
        "code": {"coding": [terms.NIPS_TOTAL], "text": "NIPS, 0 to 7, by a nurse"},
        "subject": {"reference": subject},
        "effectivePeriod": {"start": draft.observed_from.isoformat(), "end": draft.observed_to.isoformat()},
        "issued": entry.issued.isoformat(),
        "performer": [performer_of(draft.by)],
        "valueQuantity": _points(draft.items.total),
        "note": [{"text": STUDY_NOTE if draft.in_study else NOTE}, *map(status_note, changes)],
        "component": [
            {"code": own_concept(code), "valueInteger": getattr(draft.items, name)} for name, code in ITEM_CODES.items()
        ],
    }
    source: Json = {"type": "Observation", "identifier": identifier_of(draft.about)}
    if draft.in_study and draft.about:
        resource["extension"] = [{"url": terms.COMPARED_WITH, "valueReference": source}]
    elif not draft.in_study:
        resource["derivedFrom"] = [{**source, "reference": derived_from} if derived_from else source]
    if draft.processing is not Processing.PRODUCTION:
        resource["meta"] = {"security": [TEST_DATA]}
    if encounter is not None:
        resource["encounter"] = {"reference": encounter}
    return resource


def performer_of(by: Reviewer) -> Json:
    """The person as a logical reference: her id under who vouches for it."""
    return {
        "type": "Practitioner",
        "identifier": {"system": by.issuer, "value": by.id},
        "display": by.display,
    }


def _points(total: int) -> Json:
    return {"value": total, "unit": "score", "system": terms.UCUM, "code": "{score}"}
