"""A charted entry as a FHIR R4 Observation (US Core screening-assessment shape; interop.md 4.1).

Preliminary until a nurse acts. Labelled as asserted by software (AIAST). In R4 ``performer`` cannot be a Device, so the
software stands in ``device``. Without a number there is a ``dataAbsentReason``, never a zero.
"""

from __future__ import annotations

from collections.abc import Iterable

from fhir.resources.R4B.observation import Observation
from pydantic import ValidationError

from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.terminology import Json, concept, own_concept
from neopain.domain.aggregate import STUDY_MODE
from neopain.domain.charting import ChartedEntry, DraftEntry
from neopain.domain.drugs import Basis, DrugClass
from neopain.domain.entry_status import EntryStatus, StatusChange
from neopain.domain.procedure import NO_BASELINE, NOT_RECOVERED
from neopain.domain.scales import NIPS_X10_7
from neopain.domain.score import Modality, Weights
from neopain.domain.span import EntryKind
from neopain.domain.vitals import Processing
from neopain.domain.withholding import DEEP_SEDATION, NEUROMUSCULAR_BLOCK, SEDATIVE
from neopain.errors import ContractBroken

DEVICE = "neopain"
AI_ASSERTED = {
    "system": terms.OBSERVATION_VALUE,
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
TEST_DATA = {"system": terms.ACT_REASON, "code": "HTEST", "display": "test health data"}
SUGGESTION = "Investigational: a suggestion of software."
TO_BE_VERIFIED = "Investigational: a suggestion of software, to be verified by a nurse."
KIND_TEXT = {
    EntryKind.INTERVAL_SUMMARY: "Summary of an interval",
    EntryKind.EPISODE_ONSET: "Onset of an episode of pain",
    EntryKind.EPISODE_END: "End of an episode of pain",
    EntryKind.ON_REQUEST: "Entry on request",
    EntryKind.PROCEDURE: "Entry around a procedure",
}
WITHHELD_NOTE = {
    NEUROMUSCULAR_BLOCK: "a paralysed infant shows no pain",
    SEDATIVE: "a sedative hides signs of pain",
    DEEP_SEDATION: "a deeply sedated infant shows little of its pain",
}
UNITS = {"{score}": "score"}
"""What a UCUM code is called where that is not the code itself."""
WEIGHTS_CODE = {Weights.UNTRAINED: "untrained", Weights.SIMULATOR: "simulator", Weights.SITE: "site"}
WEIGHTS_NOTE = {
    Weights.UNTRAINED: "untrained weights: the value says nothing about the infant",
    Weights.SIMULATOR: "weights trained on simulated infants only",
    Weights.SITE: "the site's own weights",
}


def observation_of(
    entry: ChartedEntry,
    *,
    subject: str,
    encounter: str | None = None,
    status: EntryStatus = EntryStatus.PRELIMINARY,
    changes: Iterable[StatusChange] = (),
) -> Json:
    """The Observation of an entry about ``subject`` (``Patient/1``), checked against R4B as what goes to an EHR is.

    ``status`` is what it stands at, ``changes`` how it came to that.

    ``ContractBroken`` when what was built is no valid Observation: a fault of ours.
    """
    return checked(built_observation(entry, subject=subject, encounter=encounter, status=status, changes=changes))


def built_observation(
    entry: ChartedEntry,
    *,
    subject: str,
    encounter: str | None = None,
    status: EntryStatus = EntryStatus.PRELIMINARY,
    changes: Iterable[StatusChange] = (),
) -> Json:
    """The same unchecked, for who adds to it, and for readers of many: the check takes longer than all the rest."""
    draft = entry.draft
    resource: Json = {
        "resourceType": "Observation",
        "meta": {"security": labels_of(draft)},
        "contained": [device_of(draft)],
        "identifier": [identifier_of(entry.id)],
        "status": status.value,
        "category": [concept(terms.OBSERVATION_CATEGORY, "survey", "Survey")],
        "code": own_concept(terms.PAIN_SCORE),
        "subject": {"reference": subject},
        "effectivePeriod": {"start": draft.observed_from.isoformat(), "end": draft.observed_to.isoformat()},
        "issued": entry.issued.isoformat(),
        **_score(draft.value, draft),
        "note": [{"text": note_of(entry, label=label_of(status))}, *map(status_note, changes)],
        "method": concept(terms.METHODS, draft.scale_map, f"Multimodal estimate, scale map {draft.scale_map}"),
        "device": {"reference": f"#{DEVICE}"},
        "component": [*_components(draft), *_late(entry)],
    }
    if encounter is not None:
        resource["encounter"] = {"reference": encounter}
    if entry.corrects:
        # By its identifier alone: it lies in another infant's record.
        replaced = {"type": "Observation", "identifier": identifier_of(entry.corrects)}
        resource["extension"] = [{"url": terms.REPLACES, "valueReference": replaced}]
    return resource


def identifier_of(entry_id: str) -> Json:
    """The stable business identifier of an entry: the same however often it is sent."""
    return {"system": terms.ENTRY_IDENTIFIERS, "value": entry_id}


def checked(resource: Json) -> Json:
    """The resource, if it is a valid R4 Observation; ``ContractBroken`` otherwise, a fault of ours."""
    try:
        Observation.model_validate(resource)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ContractBroken(f"the Observation built for an entry is not valid R4: {faults}") from error
    return resource


def labels_of(draft: DraftEntry) -> list[Json]:
    """The security labels of what is told of a draft: asserted by software, and test data where it is."""
    return [AI_ASSERTED] if draft.processing is Processing.PRODUCTION else [AI_ASSERTED, TEST_DATA]


def device_of(draft: DraftEntry) -> Json:
    """The software as a contained Device, with its model and what its weights know."""
    return {
        "resourceType": "Device",
        "id": DEVICE,
        "deviceName": [{"name": "neopain", "type": "model-name"}],
        "version": [{"value": draft.model}],
        "note": [{"text": WEIGHTS_NOTE[draft.weights]}],
    }


def note_of(entry: ChartedEntry, *, label: str = TO_BE_VERIFIED) -> str:
    """What a reader is to know beside the numbers: that it is investigational, what was withheld, drugs, lateness."""
    draft = entry.draft
    return (
        f"{label} {KIND_TEXT[draft.kind]}. "
        f"Model {draft.model}, {WEIGHTS_NOTE[draft.weights]}."
        f"{_withheld_note(draft)}{_drug_note(draft)}{_late_note(entry)}{_correction_note(entry)}"
    )


def label_of(status: EntryStatus) -> str:
    """What an entry is called in its note."""
    return TO_BE_VERIFIED if status is EntryStatus.PRELIMINARY else SUGGESTION


def status_note(change: StatusChange) -> Json:
    """Who gave an entry its status, when and why, as an Annotation."""
    reason = f" {change.reason}" if change.reason else ""
    return {
        "authorString": change.actor,
        "time": change.moment.isoformat(),
        "text": f"{change.number}. status: {change.status.value} ({change.cause}).{reason}",
    }


def _withheld_note(draft: DraftEntry) -> str:
    why = WITHHELD_NOTE.get(draft.absent_reason)
    return f" No score is told ({draft.absent_reason}): {why}." if why else ""


def _late_note(entry: ChartedEntry) -> str:
    if entry.late_by is None:
        return ""
    return (
        f" Charted late: {entry.late_by.total_seconds() / 60:.0f} min after its end; its times are the original ones."
    )


def _correction_note(entry: ChartedEntry) -> str:
    return " Corrected: these windows were charted for another infant before." if entry.corrects else ""


def _drug_note(draft: DraftEntry) -> str:
    given = [mark for mark in draft.drugs if mark.basis == Basis.ADMINISTERED.value]
    blockers = [mark for mark in draft.drugs if mark.drug_class == DrugClass.NEUROMUSCULAR_BLOCKER.value]
    notes = []
    if any(mark in blockers for mark in given):
        notes.append(" A neuromuscular blocker was in effect: no window within it has a score.")
    elif blockers:
        notes.append(" A neuromuscular blocker is ordered; whether it was given is not known here.")
    if any(mark not in blockers for mark in given):
        notes.append(" Analgesia or sedation was in effect, which can hide signs of pain.")
    return "".join(notes)


def _drugs(draft: DraftEntry) -> list[Json]:
    """One component for each class with a drug in effect; who needs the doses has them in the EHR."""
    by_class = {one: [mark for mark in draft.drugs if mark.drug_class == one.value] for one in DrugClass}
    return [
        {
            "code": own_concept(f"drug-{drug_class.value}"),
            "valueString": "; ".join(f"{one.ingredient}, {one.basis}, since {one.begun.isoformat()}" for one in marks),
        }
        for drug_class, marks in by_class.items()
        if marks
    ]


def _components(draft: DraftEntry) -> list[Json]:
    return [
        {"code": {"coding": [terms.NIPS_TOTAL], "text": "NIPS equivalent, 0 to 7"}, **_score(_nips(draft), draft)},
        *_interval(draft),
        _count("windows", draft.windows),
        _count("windows-scored", draft.windows_scored),
        _count("windows-missed", draft.windows_missed),
        *(_modality(modality, draft) for modality in Modality),
        *_drugs(draft),
        *_time_above(draft),
        *_doubts(draft),
        *_procedure(draft),
        {"code": own_concept("charting-policy"), "valueString": draft.policy},
        {
            "code": own_concept("entry-kind"),
            "valueCodeableConcept": concept(terms.ENTRY_KINDS, draft.kind.value, KIND_TEXT[draft.kind]),
        },
        {
            "code": own_concept("weights"),
            "valueCodeableConcept": concept(terms.WEIGHTS, WEIGHTS_CODE[draft.weights], draft.weights.value),
        },
    ]


def _interval(draft: DraftEntry) -> list[Json]:
    named = (("interval-low", draft.low), ("interval-high", draft.high), ("peak", draft.peak))
    return [{"code": own_concept(code), **_score(value, draft)} for code, value in named]


def _time_above(draft: DraftEntry) -> list[Json]:
    """For how long the score was at or above the policy's threshold, and the threshold; nothing of older entries."""
    if draft.threshold is None:
        return []
    above = {"code": own_concept("time-above-threshold")}
    if draft.above is None:
        above |= _absent(draft)
    else:
        above |= {"valueQuantity": _quantity(draft.above.total_seconds(), "s")}
    return [above, {"code": own_concept("threshold"), "valueQuantity": _quantity(draft.threshold, "{score}")}]


def _doubts(draft: DraftEntry) -> list[Json]:
    """The sedation axis, and whether at least half of what was scored is unlike what the model was trained on."""
    if draft.windows_unlike is None:
        return []
    unlike: Json = {"code": own_concept("unlike-training-data")}
    if draft.windows_scored:
        unlike |= {"valueBoolean": 2 * draft.windows_unlike >= draft.windows_scored}
    else:
        unlike |= _absent(draft)
    sedation = {"code": own_concept("sedation"), **_score(draft.sedation, draft)}
    return [sedation, _count("windows-unlike", draft.windows_unlike), unlike]


def _procedure(draft: DraftEntry) -> list[Json]:
    """What the procedure was and when, the median of before, and how long it took until the score was back."""
    told = draft.procedure
    if told is None:
        return []
    what: Json = {"text": told.what}
    if told.code:
        what["coding"] = [{"system": told.system, "code": told.code} if told.system else {"code": told.code}]
    recovery: Json
    if told.recovery is not None:
        recovery = {"valueQuantity": _quantity(told.recovery.total_seconds(), "s")}
    elif draft.value is None:
        recovery = _absent(draft)
    else:
        why = NO_BASELINE if told.baseline is None else NOT_RECOVERED
        recovery = {"dataAbsentReason": _reason("not-performed" if told.baseline is None else "not-applicable", why)}
    baseline: Json = {"dataAbsentReason": _reason("temp-unknown", draft.absent_reason or NO_BASELINE)}
    if told.baseline is not None:
        baseline = {"valueQuantity": _quantity(told.baseline, "{score}")}
    period = {"start": told.begin.isoformat(), "end": told.end.isoformat()}
    return [
        {"code": own_concept("procedure"), "valueCodeableConcept": what},
        {"code": own_concept("procedure-period"), "valuePeriod": period},
        {"code": own_concept("baseline"), **baseline},
        {"code": own_concept("time-to-recovery"), **recovery},
    ]


def _late(entry: ChartedEntry) -> list[Json]:
    if entry.late_by is None:
        return []
    return [{"code": own_concept("charted-late"), "valueQuantity": _quantity(entry.late_by.total_seconds(), "s")}]


def _nips(draft: DraftEntry) -> float | None:
    return None if draft.value is None else NIPS_X10_7.to_raw(draft.value)


def _score(value: float | None, draft: DraftEntry) -> Json:
    if value is None:
        return _absent(draft)
    return {"valueQuantity": _quantity(value, "{score}")}


def _quantity(value: float, code: str) -> Json:
    return {"value": round(value, 1), "unit": UNITS.get(code, code), "system": terms.UCUM, "code": code}


def _absent(draft: DraftEntry) -> Json:
    """``not-performed`` when no window was scored in time, ``masked`` in study mode, else ``temp-unknown``; our
    own reason is the text."""
    code = "not-performed" if draft.windows_missed == draft.windows else "temp-unknown"
    if draft.absent_reason == STUDY_MODE:
        code = "masked"
    return {"dataAbsentReason": _reason(code, draft.absent_reason or "no score")}


def _count(code: str, value: int) -> Json:
    return {"code": own_concept(code), "valueInteger": value}


def _modality(modality: Modality, draft: DraftEntry) -> Json:
    code = own_concept(f"modality-{modality.value}")
    if modality not in draft.present:
        return {"code": code, "dataAbsentReason": _reason("not-performed", draft.absences.get(modality) or "absent")}
    share = round(100 * draft.present[modality] / draft.windows)
    return {"code": code, "valueQuantity": _quantity(share, "%")}


def _reason(code: str, text: str) -> Json:
    return {"coding": [{"system": terms.DATA_ABSENT_REASON, "code": code}], "text": text}


def told_of(draft: DraftEntry) -> Json:
    """What is told of windows that are charted nowhere: value or reason, interval, peak, counts, modalities, doubts."""
    nips = {"code": {"coding": [terms.NIPS_TOTAL], "text": "NIPS equivalent, 0 to 7"}, **_score(_nips(draft), draft)}
    counts = (
        ("windows", draft.windows),
        ("windows-scored", draft.windows_scored),
        ("windows-missed", draft.windows_missed),
    )
    components = [
        nips,
        *_interval(draft),
        *(_count(code, value) for code, value in counts),
        *(_modality(modality, draft) for modality in Modality),
        *_drugs(draft),
        *_doubts(draft),
        {
            "code": own_concept("weights"),
            "valueCodeableConcept": concept(terms.WEIGHTS, WEIGHTS_CODE[draft.weights], draft.weights.value),
        },
    ]
    return {**_score(draft.value, draft), "component": components}
