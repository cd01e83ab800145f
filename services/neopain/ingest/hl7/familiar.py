"""Vitals that come as they came before: sender, infant, bed and form are known, and only times, control id and numbers
are looked at (docs/adr/0029).

What stands in the same words means the same. A message is familiar when its MSH, but for time and control id, its
PID-3, PID-21 and PV1-3 are those of one that was read the usual way, and its other segments have a form that was
learned then (``codecs.hl7v2.form``). Every other message takes the usual way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from neopain.codecs.hl7v2.ack import Acceptance, Addressing, acceptance
from neopain.codecs.hl7v2.charset import SWITCHED_CHARSETS, decoded
from neopain.codecs.hl7v2.codes import VitalCodes
from neopain.codecs.hl7v2.form import LONGEST, Filled, Form, forms_of
from neopain.codecs.hl7v2.header import Header
from neopain.codecs.hl7v2.message import LONGEST_KEPT, Delimiters, is_plain, parse
from neopain.codecs.hl7v2.pcd01 import Instant, VitalsReport, moment_of
from neopain.codecs.hl7v2.time import offset_zone, zone_at
from neopain.codecs.mllp import Frame
from neopain.domain.identity import BedId, PatientId, SourceId
from neopain.domain.vitals import VitalsBatch
from neopain.ingest.hl7.received import Received
from neopain.ingest.hl7.sender import Sender, clock_name
from neopain.ingest.hl7.sources import SourceFacts
from neopain.wire.vitals import encode_batch, encode_kind, encode_unmapped

DELIMITERS = Delimiters()
_BEGIN = b"MSH|^~\\&|"
_NEWS = re.compile(r"[0-9][0-9.+-]{0,29}\|[A-Za-z0-9._:/-]{1,199}")
"""MSH-7 and MSH-10 without delimiters, escapes and spaces: the same as sent and as read."""
_TIME, _ID, _SEQUENCE = 6, 9, 12
"""MSH-7, MSH-10 and MSH-13, which nobody reads; of the fields as they are cut the name is the first, MSH-2 the next."""
_MOST = 4096
"""Senders at beds that are kept."""
_MOST_FORMS = 256


class Key(NamedTuple):
    """What a message must have in common with one that was read, as sent; ``codec`` is empty for ASCII."""

    head: str
    codec: str
    sender: Sender
    patient: str
    mother: str
    bed: str


@dataclass(frozen=True, slots=True)
class Familiar:
    """What the messages of a sender about one infant in one bed have in common. ``before`` is their batch without
    control id, samples and unknown codes, as bytes."""

    header: Header
    addressing: Addressing
    facts: SourceFacts
    source: SourceId
    bed: BedId
    patient: PatientId | None
    acceptance: Acceptance
    before: bytes
    message_type: str
    clock: str


class Recognised(NamedTuple):
    """A familiar message, and what is new in it."""

    familiar: Familiar
    filled: Filled
    control_id: str
    time_text: str
    moment: Instant


@dataclass(frozen=True, slots=True)
class FamiliarReceived:
    """A familiar message as it came in."""

    found: Recognised
    raw: bytes
    sender: Sender
    received: datetime
    begun: float
    """By ``time.perf_counter``."""

    @property
    def header(self) -> Header:
        """Its MSH."""
        found = self.found
        return found.familiar.header._replace(control_id=found.control_id, time_text=found.time_text)

    @property
    def addressing(self) -> Addressing:
        """How to answer it."""
        return self.found.familiar.addressing._replace(control_id=self.found.control_id)

    @property
    def delay(self) -> timedelta | None:
        """The receive time minus the time of its samples, None without one."""
        measured = self.found.moment.utc
        return self.received - measured if measured is not None else None

    def read_whole(self) -> Received:
        """The message read the usual way."""
        message = parse(self.raw)
        return Received(self.raw, message, self.header, self.sender, self.received, self.found.familiar.facts)


class _Opened(NamedTuple):
    key: Key
    filled: Filled
    control_id: str
    time_text: str


@dataclass(slots=True)
class FamiliarMessages:
    """What is known of messages that were read; a bounded number of senders at beds."""

    known: VitalCodes
    kept: dict[Key, Familiar] = field(default_factory=dict)

    def recognise(self, frame: Frame, sender: Sender, received: datetime) -> Recognised | None:
        """The message, if it is familiar."""
        opened = self._open(frame, sender)
        familiar = self.kept.get(opened.key) if opened is not None else None
        if opened is None or familiar is None:
            return None
        zone = offset_zone(opened.time_text) or zone_at(familiar.facts.zone, received)
        moment = moment_of(opened.filled, DELIMITERS, zone)
        return Recognised(familiar, opened.filled, opened.control_id, opened.time_text, moment)

    def learn(self, one: Received, report: VitalsReport, bed: BedId, addressing: Addressing) -> None:
        """Keeps what a message that was read has in common with those after it, if it can be familiar at all."""
        is_whole = bool(report.readings) and not (report.waves or report.skipped or report.others or one.letter)
        if not is_whole or one.message.codec in SWITCHED_CHARSETS.values():
            return
        opened = self._open(Frame(one.raw), one.sender)
        if opened is None or opened.key in self.kept or _length(opened.key) > LONGEST_KEPT:
            return
        if len(self.kept) >= _MOST:
            self.kept.clear()
        wants = one.facts.wants
        answered = addressing if wants is None else addressing._replace(wants=wants)
        batch = VitalsBatch(bed, one.source, (), one.header.processing, report.patient)
        self.kept[opened.key] = Familiar(
            header=one.header,
            addressing=addressing,
            facts=one.facts,
            source=one.source,
            bed=bed,
            patient=report.patient,
            acceptance=acceptance(answered),
            before=encode_batch(batch),
            message_type=one.header.kind,
            clock=clock_name(one.source, bed),
        )

    def _open(self, frame: Frame, sender: Sender) -> _Opened | None:
        raw = frame.payload
        # NULs are left out by reading, and escapes switch character sets: not looked at here.
        if frame.fault or not raw.startswith(_BEGIN) or len(raw) > LONGEST or b"\x00" in raw or b"\x1b" in raw:
            return None
        text, codec, fault = (raw.decode("ascii"), "", "") if raw.isascii() else decoded(raw, DELIMITERS)
        if fault:
            return None
        text = text.rstrip("\r\n\t ")
        end = text.find("\r")
        fields = text[:end].split("|")
        if end < 0 or len(fields) <= _ID or not is_plain(text) or not _NEWS.fullmatch(f"{fields[_TIME]}|{fields[_ID]}"):
            return None
        filled = forms_of(DELIMITERS, self.known).fill_body(text[end:])
        if filled is None:
            return None
        time_text, control_id = fields[_TIME], fields[_ID]
        fields[_TIME] = fields[_ID] = ""
        if len(fields) > _SEQUENCE:
            fields[_SEQUENCE] = ""
        return _Opened(
            Key("|".join(fields), codec, sender, filled.patient, filled.mother, filled.bed),
            filled,
            control_id,
            time_text,
        )


def _length(key: Key) -> int:
    return len(key.head) + len(key.patient) + len(key.mother) + len(key.bed)


@dataclass(frozen=True, slots=True)
class FormParts:
    """A form's part of a batch as bytes: its unknown codes, and of each value that is kept what it means."""

    unmapped: bytes
    kinds: tuple[bytes, ...]


@lru_cache(maxsize=_MOST_FORMS)
def parts_of(form: Form) -> FormParts:
    """What a batch holds of a form, the same in each."""
    kinds = tuple(encode_kind(one.kind, one.meaning.validity, one.meaning.code) for one in form.winners)
    return FormParts(encode_unmapped([code.label for code in form.unmapped]), kinds)
