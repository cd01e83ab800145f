"""A file of HL7 v2 messages: one or many, CR, LF or CRLF, with MLLP's frame or without."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from neopain.codecs.hl7v2.header import Header, read_header
from neopain.codecs.hl7v2.message import messages_in, parse
from neopain.codecs.hl7v2.pcd01 import Reading, VitalsReport, read_reports
from neopain.codecs.hl7v2.time import Precision, read_moment
from neopain.domain.identity import BedId, SourceId
from neopain.domain.time import may_be_of, recorded_timing
from neopain.domain.vitals import VitalSample, VitalsBatch
from neopain.errors import MalformedMessage, UnreadableRecording
from neopain.ingest.stream.container import check_file

SOURCE = SourceId("recording", "hl7")


@dataclass(slots=True)
class Hl7Values:
    """What HL7 files of one infant hold: batches by the time of their values, and what could not be used.

    ``begins`` is when the first message was complete: its newest value. A message may bring an older one along, such as
    a blood pressure of an hour ago.
    """

    begins: datetime | None = None
    batches: list[tuple[datetime, VitalsBatch]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Said:
    """What one message says of one infant; ``moment`` is the message's own time (MSH-7)."""

    header: Header
    moment: datetime | None
    report: VitalsReport

    @property
    def complete(self) -> datetime | None:
        return max((at for reading in self.report.readings if (at := self.time_of(reading))), default=None)

    def time_of(self, reading: Reading) -> datetime | None:
        if reading.source is not None or self.moment is None:
            return reading.source
        is_its = may_be_of(self.moment, source_text=reading.source_text, minute=reading.minute)
        return self.moment if is_its else None


@dataclass(slots=True)
class _File:
    path: Path
    said: list[_Said] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    others: int = 0


def read_hl7_files(paths: Sequence[Path], bed: BedId, *, site_zone: tzinfo = UTC) -> Hl7Values:
    """The vitals of the files on one time axis, as their own times say; ``bed`` is the recording's place.

    Unparsable messages beside good ones, and what no score needs, are told in the notes. Raises ``UnreadableRecording``
    for a file without any message, one none of whose messages can be read, and files of several infants.
    """
    values = Hl7Values()
    files = [_read_file(path, site_zone) for path in paths]
    said = [one for file in files for one in file.said if one.report.readings]
    _refuse_several_infants([one.report for one in said], paths)
    values.notes = [note for file in files for note in file.notes]
    values.batches = sorted((placed for one in said for placed in _batches(one, bed)), key=lambda placed: placed[0])
    values.begins = min((one.complete for one in said if one.complete), default=None)
    if paths and not values.batches:
        values.notes.insert(0, f"{_names(paths)}: no vital sign that is scored and has a time")
    return values


def _read_file(path: Path, site_zone: tzinfo) -> _File:
    check_file(path)
    raw_messages = messages_in(path.read_bytes())
    if not raw_messages:
        raise UnreadableRecording(f"{path}: holds no HL7 v2 message (no line begins with MSH)")
    file, failures = _File(path), []
    for number, raw in enumerate(raw_messages, start=1):
        try:
            _read_message(raw, number, file, site_zone)
        except MalformedMessage as error:
            failures.append(f"message {number}: {error}")
    if len(failures) == len(raw_messages):
        raise UnreadableRecording(f"{path}: none of its messages can be read ({failures[0]})")
    file.notes += [f"{path.name}: {failure}" for failure in failures]
    if file.others:
        file.notes.append(f"{path.name}: {file.others} messages other than ORU^R01 were passed over")
    return file


def _read_message(raw: bytes, number: int, file: _File, site_zone: tzinfo) -> None:
    message = parse(raw)
    header = read_header(message)
    if (header.message_type, header.trigger) != ("ORU", "R01"):
        file.others += 1
        return
    moment = _message_time(header, site_zone)
    for report in read_reports(message, header, site_zone=site_zone):
        said = _Said(header, moment, report)
        file.said.append(said)
        file.notes += [f"{file.path.name}: message {number}: {note}" for note in _notes(said)]


def _notes(said: _Said) -> list[str]:
    report = said.report
    notes = [f"{skipped.location}: {skipped.reason}" for skipped in report.skipped]
    if labels := [code.label for code in report.unmapped]:
        notes.append(f"{len(labels)} codes that are not scored: {_some(labels)}")
    untimed = sum(said.time_of(reading) is None for reading in report.readings)
    return [*notes, f"{untimed} values without a time to the second were left out"] if untimed else notes


def _batches(said: _Said, bed: BedId) -> list[tuple[datetime, VitalsBatch]]:
    by_time: dict[datetime, list[VitalSample]] = defaultdict(list)
    for reading in said.report.readings:
        moment = said.time_of(reading)
        if moment is not None:
            by_time[moment].append(_sample(reading, moment))
    header = said.header
    return [
        (moment, VitalsBatch(bed, SOURCE, tuple(samples), header.processing, control_id=header.control_id))
        for moment, samples in by_time.items()
    ]


def _sample(reading: Reading, moment: datetime) -> VitalSample:
    timing = recorded_timing(received=datetime.now(UTC), source=moment, source_text=reading.source_text)
    return VitalSample(reading.kind, reading.value, timing, reading.validity, reading.code)


def _message_time(header: Header, site_zone: tzinfo) -> datetime | None:
    try:
        moment = read_moment(header.time_text, zone=site_zone, location="MSH-7")
    except MalformedMessage:
        return None
    return moment.utc if moment.precision is Precision.SECOND else None


def _refuse_several_infants(reports: Sequence[VitalsReport], paths: Sequence[Path]) -> None:
    patients = {(report.patient.value, report.patient.assigning_authority) for report in reports if report.patient}
    beds = {report.bed for report in reports if report.bed}
    if len(patients) > 1 or (not patients and len(beds) > 1):
        found = f"{len(patients)} patients" if patients else f"{len(beds)} beds"
        raise UnreadableRecording(f"{_names(paths)}: vitals of {found}; give the files of one infant")


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths))


def _some(words: Sequence[str], most: int = 5) -> str:
    return ", ".join(words[:most]) + (", ..." if len(words) > most else "")
