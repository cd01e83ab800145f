"""What could not be processed: kept raw, with a readable diagnosis."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from neopain.domain.identity import SourceId


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """``origin`` is the way it came by: ``hl7``, ``device``, ``dicom``, or the name of a stream. ``location`` is in
    the protocol's words (``OBX[3]-5``). A DICOM object stays in its spool: its file there is the location,
    and ``raw`` is empty."""

    origin: str
    source: SourceId
    raw: bytes
    location: str
    reason: str
    received: datetime
    control_id: str = ""
