"""A message as it came in, and what tells it from every other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, tzinfo

from neopain.codecs.hl7v2.header import Header
from neopain.codecs.hl7v2.message import Message
from neopain.codecs.hl7v2.time import zone_at
from neopain.domain.identity import SourceId
from neopain.ingest.hl7.sender import Sender
from neopain.ingest.hl7.sources import SourceFacts


@dataclass(frozen=True, slots=True)
class Received:
    """A message that could be parsed, its sender, when its last byte was there, and what holds for its source.

    ``letter`` is the id of the dead letter that a person puts in again; empty for what comes from a connection.
    """

    raw: bytes
    message: Message
    header: Header
    sender: Sender
    received: datetime
    facts: SourceFacts
    letter: str = ""

    @property
    def source(self) -> SourceId:
        """Its sender's name on the bus."""
        return self.sender.source(self.header)

    @property
    def zone(self) -> tzinfo:
        """That of its times without an offset, where MSH-7 has none either."""
        return zone_at(self.facts.zone, self.received)

    def mark(self, *more: str) -> str:
        """What tells this message from every other."""
        return mark_of(self.source, self.header.control_id, self.raw, *more)


def mark_of(source: SourceId, control_id: str, raw: bytes, *more: str) -> str:
    """What tells a message from every other: two with one control id and different content are two messages."""
    names = "\x00".join(("", str(source), control_id, *more))
    return hashlib.blake2b(raw + names.encode(errors="replace"), digest_size=16).hexdigest()
