"""What an attempt to deliver a row came to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from neopain.charting.outbox import Happening
from neopain.errors import EhrUnavailable, NotLetIn, RejectedByEhr


class MayBeThere(RejectedByEhr):
    """An entry was sent, and the EHR has something of it that is not what was sent, or does not tell what it has."""


class NotShownYet(EhrUnavailable):
    """The EHR said at the time of ``taken`` that it took an entry, and does not show it; it is asked again.

    It is well, unless it was the search that failed (``because``).
    """

    def __init__(self, taken: datetime, *, because: EhrUnavailable | NotLetIn | None = None) -> None:
        text = "the EHR took the entry and does not show it yet"
        super().__init__(
            text if because is None else f"{text}: {because}",
            retry_after_seconds=because.retry_after_seconds if isinstance(because, EhrUnavailable) else None,
        )
        self.taken = taken
        self.is_well = because is None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to, and what is written beside the new state."""

    happening: Happening
    reason: str = ""
    due: datetime | None = None
    ehr_reference: str | None = None
    words: str = ""
    """The EHR's own: for a person, never for the log or the audit trail."""
    may_be_there: bool = True
    """Whether the EHR may have what was sent; False forgets when it was sent."""
    is_well: bool | None = False
    """Whether the EHR is well though it is to be asked again; None for a fault of ours, which says nothing of it."""
    taken: datetime | None = None
    """When the EHR said that it took what it does not show."""
