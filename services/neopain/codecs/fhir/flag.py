"""An alert as a FHIR R4 Flag (R4 flag.html): what readers are given of it.

It says everywhere that it is a notice of investigational software and no medical alarm: in the text, in the text of
its code, and as the priority ``PN``, "No alarm" (R4 extension-flag-priority.html). What R4 has no field for is in
extensions of ours: the newest number, whether it is sustained, escalations, what persons did, why it ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from html import escape

from fhir.resources.R4B.flag import Flag
from pydantic import ValidationError

from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.observation import AI_ASSERTED, DEVICE, TEST_DATA, WEIGHTS_NOTE
from neopain.codecs.fhir.terminology import Json, concept
from neopain.domain.alert import NOTICE, Alert, AlertEvent, AlertEventKind, AlertLevel, Reading, Standing
from neopain.domain.scales import NIPS_X10_7
from neopain.domain.vitals import Processing
from neopain.errors import ContractBroken

LEVEL_TEXT = {
    AlertLevel.MILD: "Pain score at the mild level",
    AlertLevel.MODERATE: "Pain score at the moderate level",
    AlertLevel.SEVERE: "Pain score at the severe level",
}
END_TEXT = {
    "below": "the score fell below the mild level",
    "another-infant": "another infant is in the bed",
    "wrong-infant": "the census was corrected: another infant was in the bed",
    "infant-left": "the infant left the bed",
    "clock-was-ahead": "a clock was ahead when it opened or changed",
    "switched-off": "the site switched alerts off",
    "neuromuscular-block": "a neuromuscular blocker is in effect: a paralysed infant shows no pain",
    "sedative-in-effect": "a sedative is in effect and hides signs of pain",
    "deep-sedation": "deep sedation hides signs of pain",
}
ACTS = (AlertEventKind.ACKNOWLEDGED, AlertEventKind.SNOOZED)


@dataclass(frozen=True, slots=True)
class Told:
    """What of a Flag is not the alert's own: the identifier system of the infant's number (``subject_system``), and
    since when there has been no number (``Alert.no_number_since``)."""

    subject_system: str
    no_number_since: datetime | None = None


def flag_of(alert: Alert, told: Told) -> Json:
    """The Flag of an alert, checked against R4B.

    ``ContractBroken`` when what was built is no valid Flag: a fault of ours.
    """
    state = alert.standing
    period = {"start": alert.opened.isoformat()}
    if state.ended is not None:
        period["end"] = state.ended.isoformat()
    resource: Json = {
        "resourceType": "Flag",
        "id": alert.id,
        "meta": {"security": _labels(alert)},
        "text": _narrative(alert, state, told),
        "contained": [_device(alert)],
        "extension": list(_extensions(alert, state, told)),
        "identifier": [{"system": terms.ALERT_IDENTIFIERS, "value": alert.id}],
        "status": "active" if state.ended is None else "inactive",
        "category": [concept(terms.FLAG_CATEGORY, "clinical", "Clinical")],
        "code": _code(state.level),
        "subject": {
            "type": "Patient",
            "identifier": {"system": told.subject_system, "value": alert.patient.value},
        },
        "period": period,
        "author": {"reference": f"#{DEVICE}"},
    }
    if alert.visit:
        resource["encounter"] = {"type": "Encounter", "identifier": _visit(alert.visit)}
    return _checked(resource)


def _checked(resource: Json) -> Json:
    try:
        Flag.model_validate(resource)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ContractBroken(f"the Flag built for an alert is not valid R4: {faults}") from error
    return resource


def _labels(alert: Alert) -> list[Json]:
    return [AI_ASSERTED] if alert.processing is Processing.PRODUCTION else [AI_ASSERTED, TEST_DATA]


def _device(alert: Alert) -> Json:
    return {
        "resourceType": "Device",
        "id": DEVICE,
        "deviceName": [{"name": "neopain", "type": "model-name"}],
        "version": [{"value": alert.model}],
        "note": [{"text": f"Investigational software; {WEIGHTS_NOTE[alert.weights]}"}],
    }


def _code(level: AlertLevel) -> Json:
    coded = concept(terms.ALERT_LEVELS, level.value, LEVEL_TEXT[level])
    return coded | {"text": f"{LEVEL_TEXT[level]} ({NOTICE})"}


def _visit(visit: str) -> Json:
    return {"type": {"coding": [{"system": terms.IDENTIFIER_TYPES, "code": "VN"}]}, "value": visit}


def _narrative(alert: Alert, state: Standing, told: Told) -> Json:
    text = escape(" ".join(_sentences(alert, state, told)))
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>'}


def _sentences(alert: Alert, state: Standing, told: Told) -> Iterator[str]:
    yield f"{NOTICE[0].upper()}{NOTICE[1:]}: a suggestion to look at the infant, to be verified by a nurse."
    yield f"{LEVEL_TEXT[state.level]}, open since {alert.opened.isoformat()}."
    if alert.newest is not None:
        yield f"Newest number {_said(alert.newest)}."
    if told.no_number_since is not None:
        yield f"No number since {told.no_number_since.isoformat()}."
    if state.is_sustained:
        yield "Sustained."
    yield from _answers(alert, state)
    if state.ended is not None:
        yield f"Ended at {state.ended.isoformat()}: {END_TEXT.get(state.end_reason, state.end_reason)}."
    yield f"Model {alert.model}, {WEIGHTS_NOTE[alert.weights]}."


def _answers(alert: Alert, state: Standing) -> Iterator[str]:
    noticed = alert.last(AlertEventKind.ACKNOWLEDGED)
    if noticed is not None:
        yield f"Acknowledged at the {noticed.level.value} level by {noticed.by} at {noticed.moment.isoformat()}."
    elif state.ended is None:
        yield "Not acknowledged."
    if state.snoozed_until is not None:
        yield f"Snoozed until {state.snoozed_until.isoformat()}."
    if state.escalations:
        yield f"Escalated {state.escalations} times."


def _said(reading: Reading) -> str:
    return f"{reading.value:.1f} of 10 (NIPS {NIPS_X10_7.to_raw(reading.value):.1f}) at {reading.at.isoformat()}"


def _extensions(alert: Alert, state: Standing, told: Told) -> Iterator[Json]:
    yield {
        "url": terms.FLAG_PRIORITY_EXTENSION,
        "valueCodeableConcept": concept(terms.FLAG_PRIORITY, "PN", "No alarm"),
    }
    yield _own("alert-bed", valueString=alert.bed)
    yield _own("alert-policy", valueString=alert.policy)
    yield _own("alert-highest-level", valueCodeableConcept=_code(state.highest))
    yield _own("alert-sustained", valueBoolean=state.is_sustained)
    yield _own("alert-escalations", valueInteger=state.escalations)
    yield _own("alert-wants-answer", valueBoolean=state.wants_answer)
    if alert.newest is not None:
        yield _reading("alert-newest-score", alert.newest)
    if told.no_number_since is not None:
        yield _own("alert-no-number-since", valueDateTime=told.no_number_since.isoformat())
    if state.snoozed_until is not None:
        yield _own("alert-snoozed-until", valueDateTime=state.snoozed_until.isoformat())
    for event in alert.events:
        if event.kind in ACTS:
            yield _act(event)
    if state.ended is not None:
        ended = concept(terms.ALERT_ENDS, state.end_reason, END_TEXT.get(state.end_reason, state.end_reason))
        yield _own("alert-end-reason", valueCodeableConcept=ended)


def _own(name: str, **value: object) -> Json:
    return {"url": f"{terms.EXTENSIONS}/{name}", **value}


def _reading(name: str, reading: Reading) -> Json:
    return {
        "url": f"{terms.EXTENSIONS}/{name}",
        "extension": [
            {"url": "value", "valueQuantity": _quantity(reading.value)},
            {"url": "time", "valueDateTime": reading.at.isoformat()},
        ],
    }


def _quantity(value: float) -> Json:
    return {"value": round(value, 1), "unit": "score", "system": terms.UCUM, "code": "{score}"}


def _act(event: AlertEvent) -> Json:
    """Who, when, and what was seen: level, number and its time."""
    parts: list[Json] = [
        {"url": "by", "valueString": event.by},
        {"url": "time", "valueDateTime": event.moment.isoformat()},
        {"url": "level", "valueCodeableConcept": _code(event.level)},
    ]
    if event.seen is not None:
        parts.append({"url": "score", "valueQuantity": _quantity(event.seen.value)})
        parts.append({"url": "score-time", "valueDateTime": event.seen.at.isoformat()})
    if event.note:
        parts.append({"url": "note", "valueString": event.note})
    if event.until is not None:
        parts.append({"url": "until", "valueDateTime": event.until.isoformat()})
    return {"url": f"{terms.EXTENSIONS}/alert-{event.kind.value}", "extension": parts}
