"""Whether a device stands by its value: OBX-8 (table 0078 as IHE PCD TF-2 extends it) and OBX-11 (table 0085)."""

from __future__ import annotations

from neopain.codecs.hl7v2.message import Delimiters, part, repeated
from neopain.domain.vitals import Validity

GOOD, QUESTIONABLE, INVALID = Validity.GOOD, Validity.QUESTIONABLE, Validity.INVALID

# OBX-8. What is not here (H, L, the alarm priorities, ALACT, ALINH, VAL...) tells of the infant or of the alarm.
BY_FLAG = {
    "INV": INVALID,
    "NAV": INVALID,
    "CAL": INVALID,
    "TEST": INVALID,
    "DEMO": INVALID,
    "BUSY": INVALID,
    "NI": INVALID,
    "OFF": INVALID,
    "QUES": QUESTIONABLE,
    "EARLY": QUESTIONABLE,
    ">": QUESTIONABLE,
    "<": QUESTIONABLE,
}

# OBX-11. Devices say R (not reviewed); F only after a person has.
BY_STATUS = {
    **dict.fromkeys(("", "R", "F", "P", "S", "C", "A", "U", "V", "B"), GOOD),
    "X": INVALID,
    "D": INVALID,
    "W": INVALID,
    "N": INVALID,
    "O": INVALID,
    "I": INVALID,
}

_ORDER = (INVALID, QUESTIONABLE, GOOD)


def validity_of(flags: str, status: str, delimiters: Delimiters) -> Validity:
    """The worst of what OBX-8 and OBX-11, as sent, say; a status that no table knows is questionable."""
    found = [BY_STATUS.get(status.strip().upper(), QUESTIONABLE)]
    found += [BY_FLAG.get(part(one, 1, 1, delimiters).upper(), GOOD) for one in repeated(flags, delimiters)]
    return min(found, key=_ORDER.index)
