"""Study mode: a unit compares the score with nurses' own before it trusts it, and so nobody sees a number before her.

What is written meanwhile stays blinded for good, also when the unit has left study mode: it is of no use as a late
suggestion, and whoever evaluates it reads it by ``neopain study export``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from neopain.domain.identity import PatientId
from neopain.domain.reviewer import Reviewer

LONGEST_AGO = timedelta(hours=1)
"""How long ago a nurse may have scored what she writes: well within the two hours for which windows are kept."""
CLOCKS_DIFFER = timedelta(seconds=10)
"""By how much her clock may be ahead."""


class Reveal(Enum):
    """When nurses are told the number of a time that one of them has scored."""

    AFTER_SCORE = "after-score"
    AFTER_STUDY = "after-study"
    """Once the unit is not in study mode any more."""


@dataclass(frozen=True, slots=True)
class Study:
    """What a policy says of study mode."""

    enabled: bool = False
    reveal: Reveal = Reveal.AFTER_SCORE


def own_score_id(patient: PatientId, effective: datetime, by: Reviewer) -> str:
    """The entry of what a nurse scored herself in a study: one of each nurse, infant and time."""
    whose = f"{patient.assigning_authority}|{patient.value}"
    text = f"study|{whose}|{effective.isoformat()}|{by.issuer}|{by.id}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]
