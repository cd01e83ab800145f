"""A nurse's review of an entry: she accepts it, rejects it with a reason, or charts what she scored herself.

NIPS has six items (Lawrence 1993; interop.md 1.1): item names and numbers only. What she saw is kept with the review.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from datetime import datetime
from enum import Enum

from neopain.domain.charting import ChartedEntry
from neopain.domain.entry_status import EntryStatus
from neopain.domain.identity import BedId, PatientId
from neopain.domain.reviewer import Reviewer
from neopain.domain.span import EntryKind
from neopain.domain.vitals import Processing


class ReviewAct(Enum):
    """What a nurse does with an entry."""

    ACCEPT = "accept"
    REJECT = "reject"
    CHANGE = "change"


BECOMES = {
    ReviewAct.ACCEPT: EntryStatus.FINAL,
    ReviewAct.REJECT: EntryStatus.ENTERED_IN_ERROR,
    ReviewAct.CHANGE: EntryStatus.CANCELLED,
}
"""What the entry stands at afterwards."""


@dataclass(frozen=True, slots=True)
class NipsItems:
    """The six items of NIPS as a nurse scored them; ``ITEM_RANGES`` says how far each goes."""

    facial_expression: int
    cry: int
    breathing: int
    arms: int
    legs: int
    arousal: int

    @property
    def total(self) -> int:
        """0 to 7."""
        return sum(getattr(self, one.name) for one in fields(self))


ITEM_RANGES: dict[str, int] = {
    "facial_expression": 1,
    "cry": 2,
    "breathing": 1,
    "arms": 1,
    "legs": 1,
    "arousal": 1,
}
"""The highest value of each item; the lowest is 0."""


@dataclass(frozen=True, slots=True)
class AssessmentDraft:
    """What a nurse scored in place of an entry (``about``), for the time that it is about; in a study by herself."""

    about: str
    bed: BedId
    kind: EntryKind
    observed_from: datetime
    observed_to: datetime
    items: NipsItems
    by: Reviewer
    processing: Processing
    known_as: str = ""
    """Its id, where it takes the place of no entry."""
    in_study: bool = False
    """Whether she scored in a study; then ``about`` is what it is compared with, empty for nothing."""


@dataclass(frozen=True, slots=True)
class NurseAssessment:
    """A nurse's own entry and the infant it is about, as the EHR is to get it; final from the beginning."""

    draft: AssessmentDraft
    patient: PatientId
    visit: str
    issued: datetime
    sent: datetime | None = None
    """When it is sent to the EHR; None while it is not."""

    @property
    def id(self) -> str:
        """See ``assessment_id``."""
        return self.draft.known_as or assessment_id(self.draft.about)


def assessment_id(about: str) -> str:
    """The entry that takes the place of another: there is one at most."""
    return hashlib.sha256(f"assessment|{about}".encode()).hexdigest()[:32]


ChartEntry = ChartedEntry | NurseAssessment
"""What the EHR gets: a suggestion of software, or what a nurse scored in its place."""
