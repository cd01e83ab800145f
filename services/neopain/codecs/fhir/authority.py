"""Assigning authorities of HL7 v2 and identifier systems of FHIR: as the site says, or by a rule that turns back."""

from __future__ import annotations

import re
from collections.abc import Mapping

OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
OURS = "urn:neopain:authority:"
URN_OID = "urn:oid:"


def system_of(authority: str, systems: Mapping[str, str]) -> str:
    """The identifier system of an assigning authority: as set, an OID as ``urn:oid:``, else one of ours."""
    if authority in systems:
        return systems[authority]
    return f"{URN_OID}{authority}" if OID.fullmatch(authority) else f"{OURS}{authority}"


def authorities_of(system: str, systems: Mapping[str, str]) -> frozenset[str]:
    """The assigning authorities whose identifier system it is; none when it is nobody's."""
    named = {authority for authority, own in systems.items() if own == system}
    by_rule = system.removeprefix(URN_OID if system.startswith(URN_OID) else OURS)
    if by_rule != system and system_of(by_rule, systems) == system:
        named.add(by_rule)
    return frozenset(named)
