"""What a nurse decides about a held bed, as the Parameters of ``Encounter/ID/$resolve-held``, refused exactly.

It is an operation on the Encounter, since that is what names both an infant and, by its extension, the bed that would
be its place; beds are no resources here.
"""

from __future__ import annotations

from dataclasses import dataclass

from neopain.codecs.fhir.review import wrong
from neopain.codecs.fhir.terminology import Json
from neopain.domain.identity import BedId

RESOLVE_HELD = "$resolve-held"
PARAMETERS = {"bed": 200, "seen": 1000, "reason": 200}
"""Each is needed, with a ``valueString`` of at most so many signs."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """The infant lies in ``bed``; ``seen`` is the reason of the hold that she looked at, ``reason`` why she decides."""

    bed: BedId
    seen: str
    reason: str


def read_resolution(body: Json) -> Resolution:
    """What is wanted. ``Refused`` (422) with the parameter that is missing, wrong or too much."""
    listed = body.get("parameter", [])
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise wrong("Parameters.parameter", "a list of parameters")
    told: dict[str, str] = {}
    for place, one in enumerate(listed):
        name = one.get("name")
        if name not in PARAMETERS or name in told or set(one) != {"name", "valueString"}:
            raise wrong(f"Parameters.parameter[{place}]", f"each once, with a valueString: {', '.join(PARAMETERS)}")
        text = one["valueString"]
        words = " ".join(text.split()) if isinstance(text, str) else ""
        if not words or len(words) > PARAMETERS[name] or not words.isprintable():
            rule = f"valueString says something, in up to {PARAMETERS[name]} signs"
            raise wrong(f"Parameters.parameter.where(name='{name}')", rule)
        told[name] = words
    if lacking := [name for name in PARAMETERS if name not in told]:
        raise wrong("Parameters.parameter", f"parameters are missing: {', '.join(lacking)}")
    return Resolution(BedId(told["bed"]), told["seen"], told["reason"])
