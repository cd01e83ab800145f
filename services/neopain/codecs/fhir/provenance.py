"""Who wrote an entry, and how (R4 provenance.html): the software, or a nurse in place of it.

Our own API serves it as a resource. In what an EHR gets it lies within the Observation, which US Core lets writers do:
neither is ever there without the other.
"""

from __future__ import annotations

from neopain.codecs.fhir.assessment import performer_of
from neopain.codecs.fhir.digest import versioned
from neopain.codecs.fhir.observation import AI_ASSERTED, DEVICE, checked, device_of, labels_of
from neopain.codecs.fhir.terminology import Json, concept
from neopain.domain.review import ChartEntry, NurseAssessment

CONTAINED = "provenance"
"""The id within the Observation."""
PARTICIPANTS = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
OPERATIONS = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"


def provenance_of(entry: ChartEntry) -> Json:
    """The Provenance of an entry as our API serves it, also about what time. Its id is the entry's."""
    draft = entry.draft
    resource: Json = {
        "resourceType": "Provenance",
        "id": entry.id,
        "target": [{"reference": f"Observation/{entry.id}"}],
        "occurredPeriod": {"start": draft.observed_from.isoformat(), "end": draft.observed_to.isoformat()},
        **_creation(entry),
    }
    if isinstance(entry, NurseAssessment):
        # What she scored in a study has no source: she was not told of ours.
        if not entry.draft.in_study:
            resource["entity"] = [_source({"reference": f"Observation/{entry.draft.about}"})]
    else:
        resource["meta"] = {"security": labels_of(entry.draft)}
        resource["contained"] = [device_of(entry.draft)]
    return versioned(resource)


def with_provenance(observation: Json, entry: ChartEntry) -> Json:
    """The Observation of an entry with its Provenance contained, checked as a whole: it need not have been before.

    It tells of the creation alone: an amended entry has the same. Contained resources bear no security label (R4
    resource.html, dom-5), so ``reason`` says that software asserts it.
    """
    told: Json = {"resourceType": "Provenance", "id": CONTAINED, "target": [{"reference": "#"}], **_creation(entry)}
    if not isinstance(entry, NurseAssessment):
        told["reason"] = [{"coding": [AI_ASSERTED]}]
    elif source := observation.get("derivedFrom"):
        told["entity"] = [_source(source[0])]
    return checked({**observation, "contained": [*observation.get("contained", []), told]})


def _creation(entry: ChartEntry) -> Json:
    if isinstance(entry, NurseAssessment):
        agent = {"type": concept(PARTICIPANTS, "author", "Author"), "who": performer_of(entry.draft.by)}
    else:
        agent = {"type": concept(PARTICIPANTS, "assembler", "Assembler"), "who": {"reference": f"#{DEVICE}"}}
    return {
        "recorded": entry.issued.isoformat(),
        "activity": concept(OPERATIONS, "CREATE", "create"),
        "agent": [agent],
    }


def _source(what: Json) -> Json:
    return {"role": "source", "what": what}
