"""Who sends: the name of a source, the bed a site gives to senders that name none, and the clock of each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from neopain.codecs.hl7v2.header import Header
from neopain.codecs.hl7v2.message import LONGEST_KEPT
from neopain.domain.identity import BedId, SourceId
from neopain.domain.time import SkewEstimate

LONGEST_NAME = 64
MOST_CLOCKS = 4096
_CACHED = 1024
"""Senders whose name is kept."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The other end of a connection, by its IP address and the names of its certificate (in lower case)."""

    address: str
    names: tuple[str, ...] = ()

    def source(self, header: Header | None) -> SourceId:
        """Its name on the bus: MSH-3/MSH-4 where it says so, else the address."""
        application, facility = (header.sending_application, header.sending_facility) if header else ("", "")
        find = _source if len(application) + len(facility) <= LONGEST_KEPT else _source.__wrapped__
        return find(application, facility, self.address)

    def bed(self, header: Header, beds: Mapping[str, str]) -> BedId | None:
        """The bed that the site has given it, most specific key first; None if none."""
        application, facility = header.sending_application, header.sending_facility
        keys = (self.address, f"{application}/{facility}", application)
        found = next((beds[key] for key in keys if key and key in beds), None)
        return BedId(found) if found else None


@lru_cache(maxsize=_CACHED)
def _source(application: str, facility: str, address: str) -> SourceId:
    named = "/".join(filter(None, (application, facility)))
    return SourceId("hl7", (named or address)[:LONGEST_NAME])


@dataclass(slots=True)
class Clocks:
    """The skew of each source's clock at each bed: a central station sends for monitors with clocks of their own.

    Kept in memory only, since a few messages find it again.
    """

    skews: OrderedDict[str, SkewEstimate] = field(default_factory=OrderedDict)

    def of(self, source: SourceId, bed: BedId) -> SkewEstimate:
        """The estimate for that source and bed; the one unused for longest is forgotten when there are too many."""
        return self.named(clock_name(source, bed))

    def named(self, name: str) -> SkewEstimate:
        """The same by its ``clock_name``."""
        skew = self.skews.get(name)
        if skew is None:
            skew = self.skews[name] = SkewEstimate()
            if len(self.skews) > MOST_CLOCKS:
                self.skews.popitem(last=False)
        else:
            self.skews.move_to_end(name)
        return skew


def clock_name(source: SourceId, bed: BedId) -> str:
    """What a source's clock at a bed is kept by. No message can hold a NUL: two never share a name."""
    return f"{source}\x00{bed}"
