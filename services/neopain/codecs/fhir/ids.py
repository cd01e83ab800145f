"""Ids of our resources, made of what the ward's systems call a thing: the same thing has the same id everywhere.

A digest keeps record numbers out of addresses. It is no secret: whoever knows the number knows the id.
"""

from __future__ import annotations

import re
from hashlib import md5

from neopain.domain.identity import PatientId

ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
"""R4 datatypes.html#id."""


def key_of(patient: PatientId) -> str:
    """An infant's identifier as one text; the audit trail names it the same way."""
    return f"{patient.assigning_authority}|{patient.value}"


def patient_id(patient: PatientId) -> str:
    """The id of the Patient with this identifier."""
    return _digest(key_of(patient))


def patient_id_of_key(key: str) -> str:
    """The id of the Patient whose identifier's text (``key_of``) it is."""
    return _digest(key)


def encounter_id(patient: PatientId, visit: str) -> str:
    """The id of the Encounter of this visit."""
    return _digest(f"{key_of(patient)}|{visit}")


def device_id(device: str) -> str:
    """The id of a device at a bed."""
    return _digest(device)


def _digest(text: str) -> str:
    # MD5, since PostgreSQL has it as a function that an index may be over.
    return md5(text.encode(), usedforsecurity=False).hexdigest()
