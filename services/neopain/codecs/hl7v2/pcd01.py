"""ORU^R01 with vitals (IHE PCD-01, PCD TF-2 chapter 3.1; HL7 v2.3 to 2.8): a message -> what was measured, and where.

Its waveforms are ``waveform``'s.

PCD-01 is known by its OID (``Header.is_pcd_01``), yet any ORU^R01 is read the same way: many monitors leave MSH-21
empty. Whose clock is right, and when a value arrived, is ingest's to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from operator import itemgetter
from typing import NamedTuple

from neopain.codecs.hl7v2 import codes
from neopain.codecs.hl7v2.codes import BUILT_IN, VitalCodes
from neopain.codecs.hl7v2.form import REPEATED, Filled, forms_of
from neopain.codecs.hl7v2.header import Header
from neopain.codecs.hl7v2.identity import NULL, bed_in, own_patients_in, read_bed
from neopain.codecs.hl7v2.message import Delimiters, Message, Segment, text_of
from neopain.codecs.hl7v2.observation import (
    Dialect,
    Meaning,
    UnknownCode,
    dialect_of,
    is_number,
    read_number,
    unknown_code,
    worth_of,
)
from neopain.codecs.hl7v2.time import offset_zone, to_the_minute, to_the_second
from neopain.codecs.hl7v2.waveform import Skipped, read_waveforms
from neopain.domain.identity import BedId, PatientId
from neopain.domain.vitals import Validity, VitalKind
from neopain.domain.waveform import WavePiece

_REPEATED = itemgetter(*REPEATED)
_VALUE, _UNIT, _TIME = 5, 6, 14
_ENDS = itemgetter(2, 3, _UNIT)
"""The same and what lies between, of an OBX without a time that was cut up to its unit only."""
_LENGTH = _TIME + 1


class Reading(NamedTuple):
    """One number in the unit that its kind is carried in. ``source`` is None where no time is given to the second;
    ``source_text`` is that time exactly as sent, ``minute`` the one that it means where it has no seconds."""

    kind: VitalKind
    value: float
    validity: Validity
    code: str
    source: datetime | None
    source_text: str
    rank: int = 0
    minute: datetime | None = None


class Instant(NamedTuple):
    """A time as sent, empty where none is given, and in UTC where it is one to the second; else the minute that it
    means, if it means one."""

    utc: datetime | None
    text: str
    minute: datetime | None = None


class _Candidate(NamedTuple):
    """A number of some kind and time; of several the one of the lowest worth is the most believable."""

    worth: int
    value: float
    meaning: Meaning
    validity: Validity
    moment: Instant


@dataclass(frozen=True, slots=True)
class VitalsReport:
    """What an ORU^R01 says of one infant; ``bed`` is None where PV1-3 names no place, ``patient`` where PID-3 names
    nobody, or its mother alone; ``others`` are further numbers there. ``newest`` is the newest source time of its
    readings."""

    bed: BedId | None
    patient: PatientId | None
    readings: tuple[Reading, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    unmapped: tuple[UnknownCode, ...] = ()
    waves: tuple[WavePiece, ...] = ()
    newest: datetime | None = None
    others: tuple[PatientId, ...] = ()

    @property
    def numbers(self) -> tuple[PatientId, ...]:
        """Every number that names the infant."""
        return (self.patient, *self.others) if self.patient is not None else ()


def read_reports(
    message: Message, header: Header, *, site_zone: tzinfo, default_facility: str = "", known: VitalCodes = BUILT_IN
) -> tuple[VitalsReport, ...]:
    """The vitals of an ORU^R01, one report for each infant in it; at least one.

    ``site_zone`` holds for times without an offset in a message whose MSH-7 has none. A bad OBX is skipped with its
    reason and the rest kept. Of several values of one kind for one time the most believable is kept. Raises
    ``MalformedMessage`` only where a bed or a patient cannot be read.
    """
    zone = offset_zone(header.time_text) or site_zone
    forms = forms_of(message.delimiters, known)
    filled = forms.fill(message)
    if filled is not None:
        return (_filled_report(filled, message.delimiters, zone, default_facility),)
    reader = _Reader(zone, dialect_of(message.delimiters, known))
    reports = tuple(_report(message, infant, reader, default_facility) for infant in _infants(message))
    if len(reports) == 1 and not (reports[0].skipped or reports[0].waves):
        forms.learn(message)
    return reports


def moment_of(filled: Filled, delimiters: Delimiters, zone: tzinfo) -> Instant:
    """The one time of the values of a filled form."""
    moment = _moment_of(filled.own_time, zone, delimiters)
    return moment if moment.text else _moment_of(filled.time, zone, delimiters)


def _filled_report(filled: Filled, delimiters: Delimiters, zone: tzinfo, default_facility: str) -> VitalsReport:
    moment = moment_of(filled, delimiters, zone)
    patients = own_patients_in(filled.patient, filled.mother, delimiters)
    readings = tuple(
        Reading(
            kind,
            filled.numbers[number] * scale,
            known.validity,
            known.code,
            moment.utc,
            moment.text,
            known.rank,
            moment.minute,
        )
        for number, known, kind, scale, _ in filled.form.winners
    )
    return VitalsReport(
        bed=bed_in(filled.bed, "PV1-3", delimiters, default_facility),
        patient=patients[0] if patients else None,
        others=patients[1:],
        readings=readings,
        unmapped=filled.form.unmapped,
        newest=moment.utc,
    )


@dataclass(slots=True)
class _Infant:
    """The lines of one infant, and its PID and PV1."""

    begin: int
    end: int
    pid: Segment | None = None
    pv1: Segment | None = None


def _infants(message: Message) -> list[_Infant]:
    # A central station may send several infants in one message: each PID, or a second PV1, begins the next one.
    lines, delimiters = message.lines, message.delimiters
    pid_heads, pv1_heads = message.heads("PID"), message.heads("PV1")
    infants = [_Infant(1, len(lines))]
    pids = pv1s = 0
    for place, line in enumerate(lines):
        head = line[:4]
        if head in pid_heads:
            pids += 1
            if infants[-1].pid is not None or infants[-1].pv1 is not None:
                infants[-1].end = place
                infants.append(_Infant(place, len(lines)))
            infants[-1].pid = Segment("PID", pids, line.split(delimiters.field), delimiters)
        elif head in pv1_heads:
            pv1s += 1
            if infants[-1].pv1 is not None:
                infants[-1].end = place
                infants.append(_Infant(place, len(lines)))
            infants[-1].pv1 = Segment("PV1", pv1s, line.split(delimiters.field), delimiters)
    return infants


def _report(message: Message, infant: _Infant, reader: _Reader, default_facility: str) -> VitalsReport:
    pid = infant.pid
    patients = own_patients_in(pid.raw(3), pid.raw(21), pid.delimiters) if pid else ()
    found = reader.read(message.lines[infant.begin : infant.end])
    waves = None
    if found.has_waveforms:
        segments = message.segments[infant.begin : infant.end]
        waves = read_waveforms(segments, zone=reader.zone, known=reader.dialect.known)
    return VitalsReport(
        bed=read_bed(infant.pv1, 3, default_facility=default_facility) if infant.pv1 else None,
        patient=patients[0] if patients else None,
        others=patients[1:],
        readings=tuple(_reading(kind, one) for (kind, _), one in found.best.items()),
        skipped=(*found.skipped, *(waves.skipped if waves else ())),
        unmapped=tuple(dict.fromkeys((*found.unmapped, *(waves.unmapped if waves else ())))),
        waves=waves.pieces if waves else (),
        newest=max({place for _, place in found.best if isinstance(place, datetime)}, default=None),
    )


def _reading(kind: VitalKind, one: _Candidate) -> Reading:
    meaning, moment = one.meaning, one.moment
    return Reading(kind, one.value, one.validity, meaning.code, moment.utc, moment.text, meaning.rank, moment.minute)


@dataclass(slots=True)
class _Found:
    """What the OBX of one infant say; of several numbers of one kind for one time the most believable."""

    best: dict[tuple[VitalKind, datetime | str], _Candidate] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    unmapped: list[UnknownCode] = field(default_factory=list)
    has_waveforms: bool = False


@dataclass(slots=True)
class _Reader:
    """Goes through the OBR and OBX of a message; an OBX without a time of its own has that of the OBR above it."""

    zone: tzinfo
    dialect: Dialect
    observations: int = 0
    """OBX so far, for their places."""
    moments: dict[str, Instant] = field(default_factory=dict)

    def read(self, lines: list[str]) -> _Found:
        """What the lines of the next infant say."""
        found, of_the_order = _Found(), self._moment("")
        dialect, separator, best, moments = self.dialect, self.dialect.delimiters.field, found.best, self.moments
        untimed = dialect.kept_untimed
        obx_head, obr_heads = f"OBX{separator}", (f"OBR{separator}", "OBR")
        # The way of each number of each monitor: what is plain is read here, without a call, all else by ``_observe``.
        for line in lines:
            head = line[:4]
            if head == obx_head:
                self.observations += 1
                ends = line.split(separator, _UNIT)
                is_untimed = len(ends) > _UNIT and ends[_UNIT].count(separator) < _TIME - _UNIT
                meaning = untimed.get(_ENDS(ends)) if is_untimed else None
                time = ""
                if meaning is None:
                    fields = _padded(line.split(separator))
                    meaning, time = dialect.meaning_of(_REPEATED(fields)), fields[_TIME]
                    if is_untimed:
                        dialect.keep_untimed(_ENDS(ends), meaning)
                if meaning.is_idle:
                    continue
                value = ends[_VALUE] if len(ends) > _VALUE else ""
                if meaning.plain is None or not is_number(value) or (number := float(value)) in codes.SENTINELS:
                    self._observe(_padded(line.split(separator)), meaning, of_the_order, found)
                    continue
                moment = of_the_order
                if time:
                    own = moments.get(time) or self._moment(time)
                    moment = own if own.text else of_the_order
                kind, scale, worth = meaning.plain
                place = (kind, moment.utc or moment.text)
                known = best.get(place)
                if known is None or worth < known.worth:
                    best[place] = _Candidate(worth, number * scale, meaning, meaning.validity, moment)
            elif head in obr_heads:
                fields = line.split(separator)
                of_the_order = self._moment(fields[7] if len(fields) > 7 else "")
            elif line == "OBX":
                self.observations += 1
        return found

    def _observe(self, fields: list[str], meaning: Meaning, of_the_order: Instant, found: _Found) -> None:
        data_type, value = fields[2], fields[5]
        if data_type != "NM" and data_type.strip().upper() == "NA":
            found.has_waveforms = True
        elif meaning.unknown is not None:
            if value:
                found.unmapped.append(meaning.unknown)
        elif meaning.is_contradictory:
            reason = "the code and its name mean different things"
            found.skipped.append(self._skipped(3, meaning, reason, self._as_sent(fields)))
        elif meaning.kind is not None:
            number = read_number(data_type, value, self.dialect.delimiters)
            if number is None:
                found.skipped.append(self._skipped(5, meaning, "expected one number" if value else "no value"))
            elif number.value in codes.SENTINELS:
                found.skipped.append(self._skipped(5, meaning, "a sign for no value"))
            elif meaning.scale is None:
                found.skipped.append(self._skipped(6, meaning, "a unit that no table knows", self._as_sent(fields)))
            else:
                own = self._moment(fields[14])
                moment = own if own.text else of_the_order
                validity = _censored(meaning.validity) if number.is_censored else meaning.validity
                worth = worth_of(validity, meaning.rank)
                place, scaled = (meaning.kind, moment.utc or moment.text), number.value * meaning.scale
                if place not in found.best or worth < found.best[place].worth:
                    found.best[place] = _Candidate(worth, scaled, meaning, validity, moment)

    def _moment(self, raw: str) -> Instant:
        known = self.moments.get(raw)
        if known is None:
            known = self.moments[raw] = _moment_of(raw, self.zone, self.dialect.delimiters)
        return known

    def _as_sent(self, fields: list[str]) -> UnknownCode:
        return unknown_code(fields[3], fields[_UNIT], self.dialect.delimiters)

    def _skipped(self, position: int, meaning: Meaning, reason: str, sent: UnknownCode | None = None) -> Skipped:
        return Skipped(f"OBX[{self.observations}]-{position}", meaning.code, reason, sent)


def _moment_of(raw: str, zone: tzinfo, delimiters: Delimiters) -> Instant:
    text = text_of(raw, 1, 1, delimiters)
    if text in ("", NULL):
        return Instant(None, "")
    utc = to_the_second(text, zone=zone)
    return Instant(utc, text, None if utc is not None else to_the_minute(text, zone=zone))


def _padded(fields: list[str]) -> list[str]:
    return fields if len(fields) >= _LENGTH else [*fields, *[""] * (_LENGTH - len(fields))]


def _censored(validity: Validity) -> Validity:
    return Validity.QUESTIONABLE if validity is Validity.GOOD else validity
