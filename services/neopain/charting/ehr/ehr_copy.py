"""What the EHR's own copy of an entry says, and whether it may be changed."""

from __future__ import annotations

import re

from neopain.codecs.fhir.terminology import Json
from neopain.domain.entry_status import EntryStatus, StatusChange, may_become
from neopain.errors import RejectedByEhr

UPDATE_TRIES = 5
"""How often a resource that somebody else changes at the same moment is read again before it is left for later."""
_PATIENT = re.compile(r"(?:.*/)?(Patient/[A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?")


def require_possible(current: Json, change: StatusChange, reference: str) -> None:
    """``RejectedByEhr`` where the copy says what cannot become this status: somebody changed it there."""
    found = current.get("status")
    known = {status.value: status for status in EntryStatus}
    if found not in known or not may_become(known[found], change.status):
        word = found if found in known else "of a status that is none of ours"
        raise RejectedByEhr(f"{reference} is {word} at the EHR, which cannot become {change.status.value}")


def version_of(current: Json, reference: str) -> str:
    """The copy's version; ``RejectedByEhr`` without one."""
    meta = current.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    if not isinstance(version, str) or not version:
        raise RejectedByEhr(f"{reference} has no version at the EHR: it cannot be changed without the risk of a loss")
    return version


def subject_of(resource: Json) -> object:
    """The reference of whom it is about: ``Patient/id``, also where the EHR writes its own address before it."""
    subject = resource.get("subject")
    reference = subject.get("reference") if isinstance(subject, dict) else None
    found = _PATIENT.fullmatch(reference) if isinstance(reference, str) else None
    return found[1] if found is not None else reference
