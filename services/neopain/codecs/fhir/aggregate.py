"""What dashboards read as FHIR R4 Observations: the newest score of an infant, and aggregates of 10 s.

Their codes and categories are our own, so that nobody takes them for charted entries or for the monitor's record. They
are ``preliminary`` and stay so: nobody verifies them. An old score is told without its number: it must not look fresh.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import md5

from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.digest import versioned
from neopain.codecs.fhir.ids import encounter_id, patient_id
from neopain.codecs.fhir.observation import (
    DEVICE,
    SUGGESTION,
    TEST_DATA,
    WEIGHTS_NOTE,
    device_of,
    labels_of,
    told_of,
)
from neopain.codecs.fhir.terminology import Json, concept, own_concept
from neopain.domain.aggregate import SLOT, STALE, STUDY_MODE, ScoreAggregate, VitalAggregate
from neopain.domain.charting import DraftEntry
from neopain.domain.identity import BedId, PatientId
from neopain.domain.vitals import PLAUSIBLE, Processing, VitalKind
from neopain.domain.window import VITALS_SPAN

SCORE_BED = f"{terms.EXTENSIONS}/score-bed"
"""Extension of a newest score: the bed, so that nobody shows it at the one in which the infant lay before."""
NOT_CHARTED = "Charted nowhere; no medical record and no alarm."
VITAL_CODES = {
    VitalKind.HEART_RATE: "aggregated-heart-rate",
    VitalKind.SPO2: "aggregated-spo2",
    VitalKind.RESPIRATION: "aggregated-respiration",
    VitalKind.MOVEMENT: "aggregated-movement",
}
DECIMALS = {VitalKind.MOVEMENT: 3}
LETTERS = {
    "score": "p",
    **dict(zip((kind.value for kind in VITAL_CODES), "hsrm", strict=True)),
}
"""The kind of an aggregate as its id has it."""


@dataclass(frozen=True, slots=True)
class Whose:
    """The infant of an Observation, and the bed."""

    patient: PatientId
    visit: str
    bed: BedId


def live_id(whose: Whose) -> str:
    """The id of the newest score of an infant in a bed."""
    return f"live-{bed_digest(whose.bed)}-{patient_id(whose.patient)}"


def aggregate_id(whose: Whose, kind: str, begin: datetime) -> str:
    """The id of an aggregate: all by which its row is found."""
    return f"{patient_id(whose.patient)}.{bed_digest(whose.bed)}.{LETTERS[kind]}.{int(begin.timestamp())}"


def bed_digest(bed: BedId) -> str:
    """The bed in an id: eight digits, enough beside the infant."""
    # MD5, since PostgreSQL has it as a function.
    return md5(bed.encode(), usedforsecurity=False).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class LiveScore:
    """The newest window of an infant. ``age`` is how old it is when told; above ``stale_after`` it has no number."""

    draft: DraftEntry
    taken: datetime
    age: timedelta
    stale_after: timedelta
    is_kept: bool = False
    """Whether its number is kept from who reads it, for a study."""

    @property
    def is_stale(self) -> bool:
        """Whether it is too old for its number to be told."""
        return self.age > self.stale_after


def live_observation(live: LiveScore, whose: Whose) -> Json:
    """The Observation of the newest score."""
    draft = live.draft
    if live.is_stale or live.is_kept:
        # A nurse is asked for her own score whether or not there is one of now.
        why = STUDY_MODE if live.is_kept else STALE
        draft = replace(
            draft, value=None, low=None, high=None, peak=None, sedation=None, windows_scored=0, absent_reason=why
        )
    told = told_of(draft)
    seconds = int(live.age.total_seconds())
    note = ""
    if live.is_kept:
        note = " No number is told: this unit is in study mode, in which a nurse scores first."
    elif live.is_stale:
        note = f" No number is told: the newest window is {seconds} s old."
    end = draft.end
    return versioned(
        {
            **_head(live_id(whose), whose, code=terms.LIVE_SCORE, category=terms.LIVE),
            "meta": {"lastUpdated": live.taken.isoformat(), "security": labels_of(draft)},
            "contained": [device_of(draft)],
            "extension": [{"url": SCORE_BED, "valueString": whose.bed}],
            "effectivePeriod": {"start": (end - VITALS_SPAN).isoformat(), "end": end.isoformat()},
            **told,
            "note": [{"text": f"{SUGGESTION} {NOT_CHARTED} {_model(draft)}{note}"}],
            "method": _method(draft),
            "component": [*told["component"], {"code": own_concept("age"), "valueQuantity": _quantity(seconds, "s")}],
        }
    )


def score_aggregate(summed: ScoreAggregate, whose: Whose, *, version: int, written: datetime) -> Json:
    """The Observation of an aggregate of scores."""
    draft = summed.draft
    told = told_of(draft)
    reasons = _reasons("without-number", summed.reasons)
    return {
        **_head(
            aggregate_id(whose, "score", draft.begin), whose, code=terms.AGGREGATED_SCORE, category=terms.AGGREGATE
        ),
        "meta": _meta(version, written, labels_of(draft)),
        "contained": [device_of(draft)],
        "effectivePeriod": {"start": draft.begin.isoformat(), "end": draft.end.isoformat()},
        **told,
        "note": [{"text": f"{SUGGESTION} {NOT_CHARTED} {_model(draft)}"}],
        "method": _method(draft),
        "component": [*told["component"], *reasons],
    }


def vital_aggregate(vital: VitalAggregate, whose: Whose, begin: datetime, *, version: int, written: datetime) -> Json:
    """The Observation of an aggregate of vitals."""
    labels = [] if vital.processing is Processing.PRODUCTION else [TEST_DATA]
    named = (("low", vital.low), ("high", vital.high))
    return {
        **_head(
            aggregate_id(whose, vital.kind.value, begin),
            whose,
            code=VITAL_CODES[vital.kind],
            category=terms.AGGREGATE,
        ),
        "meta": _meta(version, written, labels),
        "contained": [
            {"resourceType": "Device", "id": DEVICE, "deviceName": [{"name": "neopain", "type": "model-name"}]}
        ],
        "effectivePeriod": {"start": begin.isoformat(), "end": (begin + SLOT).isoformat()},
        **_measured(vital, vital.value),
        "note": [{"text": f"Investigational: summed up by software for display. {NOT_CHARTED}"}],
        "component": [
            *({"code": own_concept(code), **_measured(vital, value)} for code, value in named),
            {"code": own_concept("values"), "valueInteger": vital.count},
            *_reasons("not-used", vital.reasons),
        ],
    }


def _head(own_id: str, whose: Whose, *, code: str, category: str) -> Json:
    resource: Json = {
        "resourceType": "Observation",
        "id": own_id,
        "status": "preliminary",
        "category": [concept(terms.CATEGORIES, category, terms.OWN_CATEGORIES[category])],
        "code": own_concept(code),
        "subject": {"reference": f"Patient/{patient_id(whose.patient)}"},
        "device": {"reference": f"#{DEVICE}"},
    }
    if whose.visit:
        resource["encounter"] = {"reference": f"Encounter/{encounter_id(whose.patient, whose.visit)}"}
    return resource


def _meta(version: int, written: datetime, labels: list[Json]) -> Json:
    meta: Json = {"versionId": str(version), "lastUpdated": written.isoformat()}
    return {**meta, "security": labels} if labels else meta


def _model(draft: DraftEntry) -> str:
    return f"Model {draft.model}, {WEIGHTS_NOTE[draft.weights]}."


def _method(draft: DraftEntry) -> Json:
    return concept(terms.METHODS, draft.scale_map, f"Multimodal estimate, scale map {draft.scale_map}")


def _measured(vital: VitalAggregate, value: float | None) -> Json:
    if value is None:
        text = max(vital.reasons, key=lambda reason: vital.reasons[reason], default="no-value")
        return {"dataAbsentReason": {"coding": [{"system": terms.DATA_ABSENT_REASON, "code": "error"}], "text": text}}
    return {"valueQuantity": _quantity(round(value, DECIMALS.get(vital.kind, 1)), PLAUSIBLE[vital.kind].unit)}


def _quantity(value: float, code: str) -> Json:
    return {"value": value, "unit": code, "system": terms.UCUM, "code": code}


def _reasons(code: str, reasons: Mapping[str, int]) -> Iterator[Json]:
    """One component for each reason: its word is the text, its number the value."""
    for reason, number in sorted(reasons.items()):
        coded = own_concept(code)
        yield {"code": {**coded, "text": reason}, "valueInteger": number}
