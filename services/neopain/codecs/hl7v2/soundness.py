"""Whether what we wrote is read by another library as it was meant: hl7apy, strictly (docs/adr/0006)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from hl7apy import SUPPORTED_LIBRARIES
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_component, parse_segment

from neopain.codecs.hl7v2.message import APPLICATION_ERROR, Delimiters
from neopain.errors import MalformedMessage

_VALUE_TYPE, _VALUE = 2, 5
"""OBX-2 and OBX-5."""
_OTHERWISE = "2.8.2"
"""By which version segments of one that hl7apy does not know are read."""


def require_sound(lines: Iterable[str], *, version: str, delimiters: Delimiters) -> None:
    """Raises ``MalformedMessage`` (207) where hl7apy does not take a segment, or would write it otherwise."""
    known = version if version in SUPPORTED_LIBRARIES else _OTHERWISE
    for line in lines:
        try:
            is_valid = _is_read_as_written(line, known, delimiters)
        except (HL7apyException, ValueError) as error:
            raise _unsound(line) from error
        if not is_valid:
            raise _unsound(line)


@lru_cache(maxsize=1024)
def _is_read_as_written(line: str, version: str, delimiters: Delimiters) -> bool:
    signs = _as_hl7apy(delimiters)
    fields = line.split(delimiters.field)
    if fields[0] == "OBX" and len(fields) > _VALUE:
        # hl7apy reads OBX-5 as ST whatever OBX-2 says: the value is read by itself, as what it is.
        value = parse_component(fields[_VALUE], None, fields[_VALUE_TYPE], version, signs, VALIDATION_LEVEL.STRICT)
        if value.to_er7(signs) != fields[_VALUE]:
            return False
        fields[_VALUE] = ""
    rest = delimiters.field.join(fields)
    segment = parse_segment(rest, version, signs, VALIDATION_LEVEL.STRICT)
    return bool(segment.validate() and segment.to_er7(signs) == rest)


def _unsound(line: str) -> MalformedMessage:
    return MalformedMessage(line[:3], "what was written would not be valid, and is not sent", code=APPLICATION_ERROR)


def _as_hl7apy(signs: Delimiters) -> Mapping[str, str]:
    return {
        "SEGMENT": "\r",
        "GROUP": "\r",
        "FIELD": signs.field,
        "COMPONENT": signs.component,
        "SUBCOMPONENT": signs.subcomponent,
        "REPETITION": signs.repetition,
        "ESCAPE": signs.escape,
    }
