"""What a device says of time and place, checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from neopain.domain.identity import BedId, is_recording
from neopain.domain.time import SkewEstimate, TimeQuality, Timing
from neopain.errors import ContractBroken, MalformedMessage
from neopain.wire.common import from_us

LONGEST_BED = 200
NOTHING = timedelta(0)


@dataclass(slots=True)
class DeviceClock:
    """The clock of one device, as far as one bed and one kind of data are concerned."""

    skew: SkewEstimate = field(default_factory=SkewEstimate)

    def align(self, *, received: datetime, source_us: int | None, length: timedelta = NOTHING) -> Timing:
        """The times of an item that began at ``source_us`` and is ``length`` long: it can only be sent at its end, so
        the end is compared with the receive time. Without a source time it is taken to have ended on arrival.

        Raises ``MalformedMessage`` for a time that no calendar has.
        """
        began = device_time(source_us) if source_us is not None else None
        at_end = self.skew.align(received=received, source=began + length if began is not None else None)
        if at_end.quality is TimeQuality.UNUSABLE:
            return Timing(received, received, at_end.quality, began)
        return Timing(received, at_end.aligned - length, at_end.quality, began)


def device_time(source_us: int) -> datetime:
    """Microseconds since the epoch as a time; ``MalformedMessage`` when no calendar has it."""
    try:
        return from_us(source_us)
    except ContractBroken as error:
        raise MalformedMessage("source_us", f"{source_us} is no time in microseconds since 1970") from error


def device_bed(name: str) -> BedId:
    """The bed that a device names; ``MalformedMessage`` when it cannot be one."""
    if not name or not name.isprintable() or len(name) > LONGEST_BED:
        raise MalformedMessage("bed", f"expected 1 to {LONGEST_BED} printable characters, as unit/room/bed@facility")
    bed = BedId(name)
    if is_recording(bed):
        raise MalformedMessage("bed", "a device stands at a bed; places of recordings are not open to it")
    return bed
