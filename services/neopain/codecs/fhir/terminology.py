"""The code systems that our resources name, and our own codes.

LOINC 98012-8 (total score NIPS) only ever carries 0..7; the 0..10 value only our own code (interop.md 1.4, DESIGN).
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

BASE = "https://neopain.org/fhir"
SCORES = f"{BASE}/CodeSystem/score"
METHODS = f"{BASE}/CodeSystem/method"
ENTRY_KINDS = f"{BASE}/CodeSystem/entry-kind"
WEIGHTS = f"{BASE}/CodeSystem/weights"
COMPARED_WITH = f"{BASE}/StructureDefinition/compared-with"
"""Extension: the suggestion of the minute that a nurse scored in a study; it is no source of hers."""
REPLACES = "http://hl7.org/fhir/StructureDefinition/observation-replaces"
"""Extension of an Observation (R4 extension-observation-replaces.html): the one that it replaces."""
ENTRY_IDENTIFIERS = f"{BASE}/identifier/entry"
"""System of the stable business identifier of an entry; the value is the entry's id."""
ALERT_LEVELS = f"{BASE}/CodeSystem/alert-level"
ALERT_ENDS = f"{BASE}/CodeSystem/alert-end"
ALERT_IDENTIFIERS = f"{BASE}/identifier/alert"
"""System of the stable business identifier of an alert; the value is the alert's id."""
EXTENSIONS = f"{BASE}/StructureDefinition"
"""Before the name of an extension of ours."""

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
OBSERVATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
DATA_ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
OBSERVATION_VALUE = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
SUBSCRIPTION_STATUS = "http://hl7.org/fhir/subscription-status"
FLAG_STATUS = "http://hl7.org/fhir/flag-status"
FLAG_CATEGORY = "http://terminology.hl7.org/CodeSystem/flag-category"
FLAG_PRIORITY = "http://hl7.org/fhir/flag-priority-code"
FLAG_PRIORITY_EXTENSION = "http://hl7.org/fhir/StructureDefinition/flag-priority"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
IDENTIFIER_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
OBSERVATION_STATUS = "http://hl7.org/fhir/observation-status"
ENCOUNTER_STATUS = "http://hl7.org/fhir/encounter-status"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"

CATEGORIES = f"{BASE}/CodeSystem/observation-category"
LIVE = "live"
AGGREGATE = "aggregate"
OWN_CATEGORIES = {LIVE: "Newest score, charted nowhere", AGGREGATE: "Sum of 10 s, charted nowhere"}

PAIN_SCORE = "pain-score"
LIVE_SCORE = "live-pain-score"
AGGREGATED_SCORE = "aggregated-pain-score"
OWN_CODES = {
    LIVE_SCORE: "Newest neonatal pain score, multimodal estimate, 0 to 10; charted nowhere",
    AGGREGATED_SCORE: "Neonatal pain score, median of 10 s, 0 to 10; charted nowhere",
    "aggregated-heart-rate": "Heart rate, median of 10 s, from the bedside as scoring reads it",
    "aggregated-spo2": "Oxygen saturation, median of 10 s, from the bedside as scoring reads it",
    "aggregated-respiration": "Respiratory rate, median of 10 s, from the bedside as scoring reads it",
    "aggregated-movement": "Body movement, median of 10 s, 0 (still) to 1",
    "age": "How long ago the window ended, when this was told",
    "low": "Smallest value",
    "high": "Largest value",
    "values": "Values that were used",
    "without-number": "Windows without a number, by reason",
    "not-used": "Values that could not be used, by reason",
    PAIN_SCORE: "Neonatal pain score, multimodal estimate, 0 to 10",
    "interval-low": "5 % quantile of the pain score",
    "interval-high": "95 % quantile of the pain score",
    "peak": "Highest pain score of a window",
    "time-above-threshold": "For how long the pain score was at or above the threshold",
    "threshold": "Pain score from which the charting policy counts pain",
    "sedation": "Sedation axis, 0 to -10, median",
    "windows-unlike": "Scored windows that are unlike the training data",
    "unlike-training-data": "Whether at least half of the scored windows are unlike the training data",
    "procedure": "Procedure that the entry is around, as it was documented",
    "procedure-period": "When the procedure was",
    "baseline": "Median pain score of the minutes before the procedure",
    "time-to-recovery": "From the procedure's end until the pain score was back, and stayed",
    "charting-policy": "Charting policy that the entry follows",
    "charted-late": "How long after its end the entry was charted",
    "windows": "Windows observed",
    "windows-scored": "Windows that had a score",
    "windows-missed": "Windows that could not be scored in time",
    "entry-kind": "Why the entry was written",
    "weights": "What the model's weights were trained on",
    "modality-face": "Share of windows with face video",
    "modality-cry": "Share of windows with sound",
    "modality-physiology": "Share of windows with vital signs",
    "modality-movement": "Share of windows with body movement",
    "nips-facial-expression": "NIPS item facial expression, 0 or 1",
    "nips-cry": "NIPS item cry, 0 to 2",
    "nips-breathing": "NIPS item breathing pattern, 0 or 1",
    "nips-arms": "NIPS item arms, 0 or 1",
    "nips-legs": "NIPS item legs, 0 or 1",
    "nips-arousal": "NIPS item state of arousal, 0 or 1",
    "drug-analgesic": "Analgesics in effect",
    "drug-sedative": "Sedatives in effect",
    "drug-neuromuscular-blocker": "Neuromuscular blockers in effect",
}
NIPS_TOTAL = {"system": LOINC, "code": "98012-8", "display": "Total score NIPS"}


def concept(system: str, code: str, text: str) -> Json:
    """A CodeableConcept of one coding and its text."""
    return {"coding": [{"system": system, "code": code, "display": text}], "text": text}


def own_concept(code: str) -> Json:
    """A CodeableConcept of one of our own codes."""
    return concept(SCORES, code, OWN_CODES[code])
