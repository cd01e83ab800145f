"""Gestational age at birth from the OBX of an ADT message (LOINC 18185-9, 11884-4, 76516-4), in weeks or days."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from neopain.codecs.hl7v2.message import Segment
from neopain.domain.census import OLDEST_INFANT

CODES = ("76516-4", "18185-9", "11884-4")
"""At birth first; then gestational age and its estimate."""
DAYS_PER_UNIT = {"wk": 7.0, "weeks": 7.0, "week": 7.0, "w": 7.0, "d": 1.0, "day": 1.0, "days": 1.0}
SHORTEST_DAYS, LONGEST_DAYS = 20 * 7, 45 * 7

_NUMBER = re.compile(r"[0-9]{1,3}(?:\.[0-9]+)?")
_WEEKS_AND_DAYS = re.compile(
    r"([0-9]{2})(?:\s*(?:\+|w(?:eeks?|k)?)\s*([0-6])(?:/7|\s*d(?:ays?)?)?|\s+([0-6])/7(?:\s*w(?:eeks?|k)?)?)",
    re.IGNORECASE,
)
"""``32+4``, ``32w4d``, ``32 weeks 4 days``, and ``32 4/7``."""


def read_gestational_age(observations: Iterable[Segment], *, born: datetime | None, occurred: datetime) -> int | None:
    """Days, None where no OBX gives a plausible age with its unit, or the patient is no infant.

    Gestational age is often recorded of the mother while she is pregnant: that of an older patient is no infant's.
    """
    if born is not None and occurred - born > OLDEST_INFANT:
        return None
    found = {code: days for obx in observations if (code := _code(obx)) and (days := _days(obx)) is not None}
    return next((found[code] for code in CODES if code in found), None)


def _code(obx: Segment) -> str:
    return next((code for code in (obx.text(3, 1), obx.text(3, 4)) if code in CODES), "")


def _days(obx: Segment) -> int | None:
    if obx.text(11) in ("X", "D", "W"):
        return None
    is_structured = obx.text(2).upper() == "SN"
    if is_structured and (obx.text(5) not in ("", "=") or obx.text(5, 3)):
        return None  # a bound, a range or a ratio is no age
    text, unit = obx.text(5, 2 if is_structured else 1), obx.text(6).lower().strip("{}")
    split = _WEEKS_AND_DAYS.fullmatch(text)
    if split is not None:
        days = int(split[1]) * 7 + int(split[2] or split[3])
    elif _NUMBER.fullmatch(text) and unit in DAYS_PER_UNIT:
        days = round(float(text) * DAYS_PER_UNIT[unit])
    else:
        return None
    return days if SHORTEST_DAYS <= days <= LONGEST_DAYS else None
