"""What an entry stands at, from the suggestion of software on, and the table of what may follow what.

Preliminary until a nurse acts; amended only after final; nothing leaves what was retracted. The words are those of R4
valueset-observation-status.html.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from neopain.errors import ImpossibleTransition


class EntryStatus(Enum):
    """Status of an entry."""

    PRELIMINARY = "preliminary"
    """Nobody has acted on it."""
    FINAL = "final"
    """A person stands for it."""
    AMENDED = "amended"
    """Changed after it was final."""
    ENTERED_IN_ERROR = "entered-in-error"
    """It should never have been: what it says is not to be used."""
    CANCELLED = "cancelled"
    """It is withdrawn without being wrong: another took its place, or it is not sent."""


TRANSITIONS: dict[EntryStatus, frozenset[EntryStatus]] = {
    EntryStatus.PRELIMINARY: frozenset({EntryStatus.FINAL, EntryStatus.ENTERED_IN_ERROR, EntryStatus.CANCELLED}),
    EntryStatus.FINAL: frozenset({EntryStatus.AMENDED, EntryStatus.ENTERED_IN_ERROR}),
    EntryStatus.AMENDED: frozenset({EntryStatus.AMENDED, EntryStatus.ENTERED_IN_ERROR}),
    EntryStatus.ENTERED_IN_ERROR: frozenset(),
    EntryStatus.CANCELLED: frozenset(),
}
"""What each may become."""

RETRACTED = frozenset({EntryStatus.ENTERED_IN_ERROR, EntryStatus.CANCELLED})
"""What it says does not hold any more."""


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One change: the how-manieth of its entry (1, 2, 3 ...), from what to what, who made it, when and why.

    ``cause`` is one of a few words of ours; ``reason`` is what the person said, if anything.
    """

    number: int
    before: EntryStatus
    status: EntryStatus
    actor: str
    moment: datetime
    cause: str
    reason: str = ""


def may_become(before: EntryStatus, status: EntryStatus) -> bool:
    """Whether an entry may go from one status to the other."""
    return status in TRANSITIONS[before]


def require_transition(before: EntryStatus, status: EntryStatus) -> None:
    """``ImpossibleTransition`` where an entry may not go from one status to the other."""
    if not may_become(before, status):
        known = ", ".join(sorted(one.value for one in TRANSITIONS[before])) or "nothing"
        raise ImpossibleTransition(f"an entry that is {before.value} becomes {known}, not {status.value}")
