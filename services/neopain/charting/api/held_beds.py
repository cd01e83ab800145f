"""What the API needs of whoever owns the census: that a person's decision about a held bed becomes a fact.

Ingest owns who lies where; the two meet where they are put together (``bootstrap``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from neopain.domain.census import BedState
from neopain.domain.identity import BedId, PatientId


@dataclass(frozen=True, slots=True)
class BedDecision:
    """A person says that this infant lies in the bed, who looked at the reason of the hold (``seen``)."""

    bed: BedId
    patient: PatientId
    by: str
    reason: str
    seen: str


class NotResolved(Exception):
    """The decision cannot be made that way (any more): nothing was written."""


ResolveBed = Callable[[BedDecision], BedState]
"""Makes the decision a fact on disk and returns the bed as it is then; the same decision again changes nothing.
``NotResolved``, ``BusUnavailable``. To be called on a thread that may block."""
