"""A person's looks at what lies on the bus, kept there before anything is printed: charting writes the audit trail."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from neopain.bus.bus import Bus
from neopain.bus.disclosures import tell_disclosure
from neopain.domain.identity import PatientId, SourceId
from neopain.domain.query import PERSON, Disclosure
from neopain.runtime.clock import SystemClock
from neopain.runtime.user import user


async def tell_look(bus: Bus, asked: str, told: Iterable[PatientId], *, by: str) -> None:
    """Keeps who looks, by which command, and whose data it tells; ``by`` empty: the user.

    ``BusUnavailable``: nothing may be told.
    """
    disclosure = Disclosure(
        source=SourceId(PERSON, by or f"user {user()}"),
        address="",
        control_id="",
        asked=f"neopain {asked}",
        moment=SystemClock().now(),
        told=tuple(dict.fromkeys(told)),
    )
    await tell_disclosure(bus, disclosure, mark=f"look/{uuid.uuid4().hex}")
