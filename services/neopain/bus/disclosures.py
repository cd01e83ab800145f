"""The stream of what was told to whom: written before it is told, read by charting for the audit trail."""

from __future__ import annotations

from neopain.bus.bus import Bus
from neopain.bus.streams import DISCLOSURES
from neopain.domain.query import Disclosure
from neopain.wire.disclosure import decode_disclosure, encode_disclosure


async def tell_disclosure(bus: Bus, disclosure: Disclosure, *, mark: str) -> None:
    """Keeps the fact, once under its mark; it is on disk when this returns. Raises ``BusUnavailable``."""
    await bus.publish_once(DISCLOSURES, encode_disclosure(disclosure), mark=mark)


async def list_disclosures(bus: Bus) -> list[Disclosure]:
    """What was told lately, oldest first."""
    return [decode_disclosure(entry.payload) for entry in await bus.read_range(DISCLOSURES)]
