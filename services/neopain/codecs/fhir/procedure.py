"""A procedure that a nurse documents, as a FHIR R4 Procedure (R4 procedure.html): read exactly, and told again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from neopain.codecs.fhir.review import moment_of, subject_of, wrong
from neopain.codecs.fhir.terminology import Json

ELEMENTS = {"resourceType", "status", "code", "subject", "performedPeriod"}
LONGEST = 100
"""Signs of what it is called."""


@dataclass(frozen=True, slots=True)
class ToldProcedure:
    """A procedure of a Patient, over by now; ``what`` is its text, ``system`` and ``code`` its first coding."""

    patient: str
    begin: datetime
    end: datetime
    what: str
    system: str
    code: str


def read_procedure(body: Json) -> ToldProcedure:
    """What a new Procedure says. ``Refused`` (422) with the element that is missing, wrong or too much."""
    for name in sorted(body):
        if name not in ELEMENTS:
            raise wrong(f"Procedure.{name}", "this is not kept of a procedure")
    if body.get("status") != "completed":
        raise wrong("Procedure.status", "a procedure is documented when it is completed")
    period = body.get("performedPeriod")
    if not isinstance(period, dict):
        raise wrong("Procedure.performedPeriod", "when it began and ended")
    begin = moment_of(period.get("start"), "Procedure.performedPeriod.start")
    end = moment_of(period.get("end"), "Procedure.performedPeriod.end")
    what, system, code = _code(body.get("code"))
    return ToldProcedure(subject_of(body, "Procedure.subject"), begin, end, what, system, code)


def procedure_of(told: ToldProcedure, own_id: str) -> Json:
    """The Procedure as it is kept."""
    code: Json = {"text": told.what}
    if told.code:
        code["coding"] = [{**({"system": told.system} if told.system else {}), "code": told.code}]
    return {
        "resourceType": "Procedure",
        "id": own_id,
        "meta": {"versionId": "1"},
        "status": "completed",
        "code": code,
        "subject": {"reference": f"Patient/{told.patient}"},
        "performedPeriod": {"start": told.begin.isoformat(), "end": told.end.isoformat()},
    }


def _code(concept: object) -> tuple[str, str, str]:
    """Text, system and code; the text may be the coding's display or code."""
    place = "Procedure.code"
    coded = concept.get("coding", []) if isinstance(concept, dict) else []
    first = coded[0] if isinstance(coded, list) and coded and isinstance(coded[0], dict) else {}
    system, code, display = (first.get(name, "") for name in ("system", "code", "display"))
    text = concept.get("text") if isinstance(concept, dict) else None
    named = text or display or code
    parts = [named, system, code]
    if not all(isinstance(one, str) and one.isprintable() for one in parts) or not named.strip():
        raise wrong(place, "a text, or a coding with system and code")
    if any(len(one) > LONGEST for one in parts):
        raise wrong(place, f"text, system and code have up to {LONGEST} signs")
    return " ".join(named.split()), system, code
