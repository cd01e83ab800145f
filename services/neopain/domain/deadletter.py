"""What could not be processed: kept raw, with a readable diagnosis."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from neopain.domain.identity import SourceId


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """``origin`` is the way it came by: ``hl7``, ``device``, ``dicom``, or the name of a stream. ``location`` is in
    the protocol's words (``OBX[3]-5``). A DICOM object stays in its spool: its file there is the location,
    and ``raw`` is empty. ``address`` is the sender's network address where it has one, ``names`` are those of its
    certificate; ``fault`` says what was wrong with the framing: such bytes are cut off, and must not be believed
    whatever else is put right."""

    origin: str
    source: SourceId
    raw: bytes
    location: str
    reason: str
    received: datetime
    control_id: str = ""
    address: str = ""
    fault: str = ""
    names: tuple[str, ...] = ()


class ReplayOutcome(Enum):
    """What came of a replay."""

    BEGUN = "begun"
    """It was tried; if nothing follows, the process ended in the middle, and it may be tried again."""
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """It still breaks a rule."""
    NOT_APPLIED = "not applied"
    """It came too late to be applied now."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A person puts a dead letter through its way in again. A fact of its own: the letter stays as it was.

    ``why`` says what it was rejected for, or why it was not applied.
    """

    letter: str
    outcome: ReplayOutcome
    by: str
    reason: str
    moment: datetime
    source: SourceId
    control_id: str = ""
    why: str = ""
