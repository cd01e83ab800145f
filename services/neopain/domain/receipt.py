"""What a listener remembers of a message that it has answered: no content, only what its way can be followed by."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from neopain.domain.identity import BedId, SourceId

UNANSWERED = "unanswered"
"""The answer of a message that could not be stored: its connection was closed, and its sender has it still."""

REPLAYED = "replayed"
"""The answer of a message that a person put in again: there was nobody to answer."""


class Stored(NamedTuple):
    """One entry of a bed's vitals that a message became, or had become before (``is_new`` is False).

    ``is_waveform``: it holds the heart beats that the message's waveforms completed; some began in messages before.
    ``measured_from`` and ``measured_until`` are the first and the last aligned time in it: what windows go by.
    """

    bed: BedId
    id: str
    is_new: bool
    measured_from: datetime
    measured_until: datetime
    is_waveform: bool = False


class Receipt(NamedTuple):
    """One message. ``answer`` is MSA-1, ``none`` where the sender wants none, ``UNANSWERED`` or ``REPLAYED``.

    ``reason`` begins with a code of HL7 table 0357 and names the place and the rule that a rejected message broke.
    ``took`` is from the message taken up to its answer. ``delay`` is the receive time minus the newest time in it,
    None without one: the skew of the source's clock and the transport.
    """

    source: SourceId
    control_id: str
    received: datetime
    size_bytes: int
    message_type: str
    answer: str
    took: timedelta
    reason: str = ""
    delay: timedelta | None = None
    stored: tuple[Stored, ...] = ()

    @property
    def numerics(self) -> tuple[Stored, ...]:
        """What it became as it is: whether a waveform completes a beat says nothing of how often its source sends."""
        return tuple(one for one in self.stored if not one.is_waveform)
