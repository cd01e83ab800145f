"""Whether a device stands by its value: OBX-8 (table 0078 as IHE PCD TF-2 extends it) and OBX-11 (table 0085)."""

from __future__ import annotations

from neopain.codecs.hl7v2.message import Segment, part
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


def read_validity(obx: Segment) -> Validity:
    """The worst of what OBX-8 and OBX-11 say; a status that no table knows is questionable."""
    status = obx.raw(11)
    flags = obx.raw(8)
    found = [BY_STATUS.get(status.strip().upper(), QUESTIONABLE)]
    if flags:
        found += [BY_FLAG.get(part(one, 1, 1, obx.delimiters).upper(), GOOD) for one in obx.repetitions(8)]
    return min(found, key=_ORDER.index)
