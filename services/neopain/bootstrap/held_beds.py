"""A held bed that a nurse resolves over the API, by ingest's own rules: what ``neopain beds release`` does."""

from __future__ import annotations

import asyncio

from neopain.bus.bus import Bus
from neopain.bus.connection import require_durable
from neopain.charting.api.held_beds import BedDecision, NotResolved, ResolveBed
from neopain.domain.census import BedState
from neopain.ingest.census.release import CannotRelease, ReleaseWanted, Why, release
from neopain.runtime.clock import SystemClock
from neopain.runtime.settings import BusSettings

WORDS = {
    Why.UNKNOWN: "the bed is in no message so far",
    Why.NOT_HELD: "the bed is not held: there is nothing to resolve",
    Why.SEEN_OTHERWISE: "the bed is held for another reason than the one that was seen: read it again",
    Why.SEVERAL: "several infants are in the bed",
    Why.NOT_THERE: "this infant is none of those whom ADT has in the bed: another needs an ADT message",
    Why.CHANGED: "the bed has changed meanwhile: read it again",
}


def resolver(settings: BusSettings) -> ResolveBed:
    """Lets held beds go on the bus of the settings."""

    def resolve(decision: BedDecision) -> BedState:
        wanted = ReleaseWanted(decision.bed, decision.by, decision.reason, decision.patient, decision.seen)
        try:
            return asyncio.run(_released(settings, wanted))
        except CannotRelease as error:
            raise NotResolved(WORDS[error.why]) from error

    return resolve


async def _released(settings: BusSettings, wanted: ReleaseWanted) -> BedState:
    bus = Bus(settings.address())
    try:
        await require_durable(bus.durable)
        return await release(bus, wanted, now=SystemClock().now())
    finally:
        await bus.aclose()
