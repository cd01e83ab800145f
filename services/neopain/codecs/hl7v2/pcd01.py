"""ORU^R01 with vitals (IHE PCD-01, PCD TF-2 chapter 3.1; HL7 v2.3 to 2.8): a message -> what was measured, and where.

Its waveforms are ``waveform``'s.

PCD-01 is known by its OID (``Header.is_pcd_01``), yet any ORU^R01 is read the same way: many monitors leave MSH-21
empty. Whose clock is right, and when a value arrived, is ingest's to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from operator import itemgetter

from neopain.codecs.hl7v2 import codes
from neopain.codecs.hl7v2.codes import BUILT_IN, VitalCodes
from neopain.codecs.hl7v2.header import Header
from neopain.codecs.hl7v2.identity import read_bed, read_patients
from neopain.codecs.hl7v2.message import Delimiters, Message, Segment, text_of
from neopain.codecs.hl7v2.observation import Dialect, UnknownCode, meaning_of, read_number
from neopain.codecs.hl7v2.time import offset_zone, to_the_second
from neopain.codecs.hl7v2.waveform import Skipped, read_waveforms
from neopain.domain.identity import BedId, PatientId
from neopain.domain.vitals import Validity, VitalKind
from neopain.domain.waveform import WavePiece

_COUNTING = itemgetter(2, 3, 5, 6, 8, 11, 14)
"""The fields of an OBX that count here: type, identifier, value, unit, flags, status, time."""
_LENGTH = 15
_BELIEF = (Validity.GOOD, Validity.QUESTIONABLE, Validity.INVALID)


@dataclass(frozen=True, slots=True)
class Reading:
    """One number in the unit that its kind is carried in. ``source`` is None where no time is given to the second;
    ``source_text`` is that time exactly as sent."""

    kind: VitalKind
    value: float
    validity: Validity
    code: str
    source: datetime | None
    source_text: str
    rank: int = 0


@dataclass(frozen=True, slots=True)
class VitalsReport:
    """What an ORU^R01 says of one infant; ``bed`` is None where PV1-3 names no place, ``patient`` where PID-3 names
    nobody."""

    bed: BedId | None
    patient: PatientId | None
    readings: tuple[Reading, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    unmapped: tuple[UnknownCode, ...] = ()
    waves: tuple[WavePiece, ...] = ()

    @property
    def newest(self) -> datetime | None:
        """The newest source time of its readings."""
        return max((one.source for one in self.readings if one.source is not None), default=None)


def read_reports(
    message: Message, header: Header, *, site_zone: tzinfo, default_facility: str = "", known: VitalCodes = BUILT_IN
) -> tuple[VitalsReport, ...]:
    """The vitals of an ORU^R01, one report for each infant in it; at least one.

    ``site_zone`` holds for times without an offset in a message whose MSH-7 has none. A bad OBX is skipped with its
    reason and the rest kept. Of several values of one kind for one time the most believable is kept. Raises
    ``MalformedMessage`` only where a bed or a patient cannot be read.
    """
    zone = offset_zone(header.time_text) or site_zone
    return tuple(_report(group, zone, default_facility, known) for group in _groups(message))


def _groups(message: Message) -> list[list[Segment]]:
    # A central station may send several infants in one message: each PID, or a second PV1, begins the next one.
    groups: list[list[Segment]] = [[]]
    seen: set[str] = set()
    for segment in message.segments[1:]:
        if segment.name in ("PID", "PV1"):
            if segment.name in seen or (segment.name == "PID" and "PV1" in seen):
                groups.append([])
                seen = set()
            seen.add(segment.name)
        groups[-1].append(segment)
    return groups


def _report(segments: list[Segment], zone: tzinfo, default_facility: str, known: VitalCodes) -> VitalsReport:
    by_name = {segment.name: segment for segment in reversed(segments)}
    pid, pv1 = by_name.get("PID"), by_name.get("PV1")
    patients = read_patients(pid, 3) if pid else ()
    reader = _Reader(zone, Dialect(segments[0].delimiters if segments else Delimiters(), known))
    reader.read(segments)
    waves = read_waveforms(segments, zone=zone, known=known) if reader.has_waveforms else None
    return VitalsReport(
        bed=read_bed(pv1, 3, default_facility=default_facility) if pv1 else None,
        patient=patients[0] if patients else None,
        readings=_most_believable(reader.readings),
        skipped=(*reader.skipped, *(waves.skipped if waves else ())),
        unmapped=tuple(dict.fromkeys((*reader.unmapped, *(waves.unmapped if waves else ())))),
        waves=waves.pieces if waves else (),
    )


def _most_believable(readings: list[Reading]) -> tuple[Reading, ...]:
    best: dict[tuple[VitalKind, datetime | None], Reading] = {}
    for one in readings:
        known = best.setdefault((one.kind, one.source), one)
        if (_BELIEF.index(one.validity), one.rank) < (_BELIEF.index(known.validity), known.rank):
            best[one.kind, one.source] = one
    return tuple(best.values())


@dataclass(slots=True)
class _Reader:
    """Goes through the OBR and OBX of one infant; an OBX without a time of its own has that of the OBR above it."""

    zone: tzinfo
    dialect: Dialect
    has_waveforms: bool = False
    readings: list[Reading] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    unmapped: list[UnknownCode] = field(default_factory=list)
    moments: dict[str, tuple[datetime | None, str]] = field(default_factory=dict)

    def read(self, segments: list[Segment]) -> None:
        order_time = ""
        for segment in segments:
            if segment.name == "OBX":
                self._observation(segment, order_time)
            elif segment.name == "OBR":
                order_time = segment.raw(7)

    def _observation(self, obx: Segment, order_time: str) -> None:
        data_type, identifier, value, unit, flags, status, time = _counting(obx)
        if data_type != "NM" and data_type.strip().upper() == "NA":
            self.has_waveforms = True
            return
        found = meaning_of(identifier, unit, flags, status, self.dialect)
        if found.unknown is not None:
            if value:
                self.unmapped.append(found.unknown)
        elif found.is_contradictory:
            self._skip(obx, 3, found.code, "the code and its name mean different things")
        elif found.kind is not None:
            number = read_number(data_type, value, obx.delimiters)
            if number is None:
                self._skip(obx, 5, found.code, "expected one number" if value else "no value")
            elif number.value in codes.SENTINELS:
                self._skip(obx, 5, found.code, "a sign for no value")
            elif found.scale is None:
                self._skip(obx, 6, found.code, "a unit that no table knows")
            else:
                validity = _censored(found.validity) if number.is_censored else found.validity
                source, text = self._moment(time, order_time, obx.delimiters)
                scaled = number.value * found.scale
                self.readings.append(Reading(found.kind, scaled, validity, found.code, source, text, found.rank))

    def _moment(self, own: str, of_the_order: str, delimiters: Delimiters) -> tuple[datetime | None, str]:
        found = self._read_moment(own, delimiters)
        return found if found[1] else self._read_moment(of_the_order, delimiters)

    def _read_moment(self, raw: str, delimiters: Delimiters) -> tuple[datetime | None, str]:
        # A time that cannot be read, or not to the second, is no measuring time: the receive time will stand in.
        known = self.moments.get(raw)
        if known is None:
            text = text_of(raw, 1, 1, delimiters)
            known = self.moments[raw] = (to_the_second(text, zone=self.zone), text)
        return known

    def _skip(self, obx: Segment, position: int, code: str, reason: str) -> None:
        self.skipped.append(Skipped(obx.place(position), code, reason))


def _counting(obx: Segment) -> tuple[str, ...]:
    fields = obx.fields
    missing = _LENGTH - len(fields)
    counting: tuple[str, ...] = _COUNTING([*fields, *[""] * missing] if missing > 0 else fields)
    return counting


def _censored(validity: Validity) -> Validity:
    return Validity.QUESTIONABLE if validity is Validity.GOOD else validity
