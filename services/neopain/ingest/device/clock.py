"""What a device says of time and place, checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from neopain.domain.identity import BedId, is_recording
from neopain.domain.time import SKEW_LIMIT, SkewEstimate, TimeQuality, Timing
from neopain.errors import MalformedMessage
from neopain.wire.common import from_us

LONGEST_BED = 200
NOTHING = timedelta(0)
LATEST_US = 253_370_764_800_000_000
"""The year 9999: what is added to a time before it stays within the calendar."""


@dataclass(slots=True)
class DeviceClock:
    """The clock of one device, as far as one bed and one kind of data are concerned."""

    skew: SkewEstimate = field(default_factory=SkewEstimate)

    def align(
        self, *, received: datetime, source_us: int | None, length: timedelta = NOTHING, sent_us: int | None = None
    ) -> Timing:
        """The times of an item that began at ``source_us`` and is ``length`` long: it can only be sent at its end, so
        the end is compared with the receive time. Without a source time it is taken to have ended on arrival.

        ``sent_us`` is when it went out, by the same clock: then that is compared, and an item that waited in the device
        is as old as the device says. Raises ``MalformedMessage`` for a time that no calendar has.
        """
        began = device_time(source_us) if source_us is not None else None
        if began is None or sent_us is None:
            at_end = self.skew.align(received=received, source=began + length if began is not None else None)
        else:
            at_end = self._aged(received, began + length, device_time(sent_us, "sent_us"))
        if at_end.quality is TimeQuality.UNUSABLE:
            return Timing(received, received, at_end.quality, began)
        return Timing(received, at_end.aligned - length, at_end.quality, began)

    def _aged(self, received: datetime, ended: datetime, sent: datetime) -> Timing:
        if ended - sent > SKEW_LIMIT:
            # What was sent before it was measured would be read by windows that are still to come.
            return Timing(received, received, TimeQuality.UNUSABLE, ended)
        self.skew.observe(received=received, source=sent)
        found = self.skew.timing_of(received=received, source=ended)
        if found.quality is TimeQuality.SKEWED:
            return Timing(received, received - max(sent - ended, NOTHING), found.quality, ended)
        return found


def device_time(microseconds: int, field_name: str = "source_us") -> datetime:
    """Microseconds since the epoch as a time; ``MalformedMessage`` for one before it, or that no calendar has."""
    if not 0 <= microseconds < LATEST_US:
        raise MalformedMessage(field_name, f"{microseconds} is no time in microseconds since 1970")
    return from_us(microseconds)


def device_bed(name: str) -> BedId:
    """The bed that a device names; ``MalformedMessage`` when it cannot be one."""
    if not name or not name.isprintable() or len(name) > LONGEST_BED:
        raise MalformedMessage("bed", f"expected 1 to {LONGEST_BED} printable characters, as unit/room/bed@facility")
    bed = BedId(name)
    if is_recording(bed):
        raise MalformedMessage("bed", "a device stands at a bed; places of recordings are not open to it")
    return bed
