"""The Store Instances Response Module (PS3.18, annex I) in the DICOM JSON model (PS3.18, annex F)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from neopain.codecs.dicom.reference import Reference

MEDIA_TYPE = "application/dicom+json"
LONGEST_COMMENT = 64
"""Of VR LO (PS3.5, 6.2)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one object: ``reason`` is 0 without a fault, else a status of C-STORE's kind, ``is_failure`` tells
    whether it is a Failure Reason or a Warning Reason. ``reference`` is None for what could not be told apart."""

    reference: Reference | None
    reason: int = 0
    is_failure: bool = False
    comment: str = ""


def write_store_response(outcomes: Sequence[Outcome]) -> bytes:
    """The module as JSON. Nothing can be retrieved, so that each Retrieve URL is empty."""
    module: dict[str, Any] = {"00081190": {"vr": "UR"}}
    stored = [_referenced(one) for one in outcomes if not one.is_failure]
    failed = [_failed(one) for one in outcomes if one.is_failure and one.reference is not None]
    others = [_failed(one) for one in outcomes if one.is_failure and one.reference is None]
    for tag, items in (("00081198", failed), ("00081199", stored), ("0008119A", others)):
        if items:
            module[tag] = {"vr": "SQ", "Value": items}
    return json.dumps(module).encode()


def _referenced(outcome: Outcome) -> dict[str, Any]:
    warning = {"00081196": _value("US", outcome.reason)} if outcome.reason else {}
    return {**_macro(outcome.reference), "00081190": {"vr": "UR"}, **warning, **_comment(outcome.comment)}


def _failed(outcome: Outcome) -> dict[str, Any]:
    return {**_macro(outcome.reference), "00081197": _value("US", outcome.reason), **_comment(outcome.comment)}


def _macro(reference: Reference | None) -> dict[str, Any]:
    """The SOP Instance Reference Macro (PS3.3, table 10-11)."""
    if reference is None:
        return {}
    return {"00081150": _value("UI", reference.sop_class), "00081155": _value("UI", reference.uid)}


def _comment(comment: str) -> dict[str, Any]:
    # The module has no place for words. Servers in the field put them into a Failed Attributes Sequence.
    if not comment:
        return {}
    return {"00741048": {"vr": "SQ", "Value": [{"00000902": _value("LO", comment[:LONGEST_COMMENT])}]}}


def _value(vr: str, value: str | int) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}
