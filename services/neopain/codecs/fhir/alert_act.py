"""What a nurse wants with an alert, as the Parameters of ``Flag/ID/$acknowledge`` and ``$snooze``, refused exactly."""

from __future__ import annotations

from datetime import timedelta

from neopain.codecs.fhir.refusal import Refused
from neopain.codecs.fhir.review import wrong
from neopain.codecs.fhir.terminology import Json
from neopain.domain.alert import AlertLevel
from neopain.domain.alert_acts import Act

ACKNOWLEDGE = "$acknowledge"
SNOOZE = "$snooze"
OPERATIONS = {ACKNOWLEDGE: ("seen", "note"), SNOOZE: ("seen", "note", "minutes")}
"""Operations on a Flag, and their parameters."""
LONGEST_NOTE = 200


def read_act(operation: str, body: Json, *, by: str) -> Act:
    """What is wanted. ``seen`` is the level that she looked at: what nobody has seen is not answered.

    ``Refused`` (422) with the parameter that is missing, wrong or too much.
    """
    told = _parameters(body, OPERATIONS[operation])
    try:
        seen = AlertLevel(told["seen"].get("valueCode")) if "seen" in told else None
    except ValueError as error:
        raise _wrong("seen", f"valueCode is one of {', '.join(one.value for one in AlertLevel)}") from error
    if seen is None:
        raise _wrong("seen", "valueCode names the level that was looked at")
    note = _note(told["note"]) if "note" in told else ""
    return Act(by, note, _snooze(told) if operation == SNOOZE else None, seen)


def _parameters(body: Json, known: tuple[str, ...]) -> dict[str, Json]:
    listed = body.get("parameter", [])
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise wrong("Parameters.parameter", "a list of parameters")
    found: dict[str, Json] = {}
    for place, one in enumerate(listed):
        name = one.get("name")
        if name not in known or name in found or len(one) != 2:
            raise wrong(f"Parameters.parameter[{place}]", f"each once, with one value: {', '.join(known)}")
        found[name] = one
    return found


def _note(parameter: Json) -> str:
    text = parameter.get("valueString")
    words = " ".join(text.split()) if isinstance(text, str) else ""
    if not words or len(words) > LONGEST_NOTE or not words.isprintable():
        raise _wrong("note", f"valueString says something, in up to {LONGEST_NOTE} signs")
    return words


def _snooze(told: dict[str, Json]) -> timedelta:
    minutes = told.get("minutes", {}).get("valueInteger")
    if not isinstance(minutes, int) or isinstance(minutes, bool) or not 0 < minutes <= 24 * 60:
        raise _wrong("minutes", "valueInteger is a whole number of minutes above 0")
    return timedelta(minutes=minutes)


def _wrong(name: str, rule: str) -> Refused:
    return wrong(f"Parameters.parameter.where(name='{name}')", rule)
