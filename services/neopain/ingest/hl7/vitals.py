"""ORU^R01 -> vitals of a bed on the bus."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from neopain.bus.bus import Bus, Published
from neopain.bus.streams import VITALS
from neopain.codecs.hl7v2.codes import BUILT_IN, VitalCodes
from neopain.codecs.hl7v2.message import FIELD_MISSING
from neopain.codecs.hl7v2.observation import UnknownCode
from neopain.codecs.hl7v2.pcd01 import VitalsReport, read_reports
from neopain.codecs.hl7v2.site_codes import read_site_codes
from neopain.domain.identity import BedId, PatientId, SourceId, is_unit_alone
from neopain.domain.receipt import Stored
from neopain.domain.time import SkewEstimate, Timing
from neopain.domain.vitals import VitalSample, VitalsBatch
from neopain.errors import ConfigurationError, MalformedMessage
from neopain.ingest.hl7.association import Association, Said
from neopain.ingest.hl7.familiar import FamiliarReceived, parts_of
from neopain.ingest.hl7.received import Received, mark_of
from neopain.ingest.hl7.sender import Clocks
from neopain.ingest.hl7.unknown_codes import UnknownCodes
from neopain.ingest.hl7.waveforms import WaveformIntake
from neopain.runtime.metrics import counter
from neopain.wire.vitals import encode_batch, encode_repeated

MARK_LIFE = timedelta(minutes=10)
"""How long a message is recognised as sent again: a sender without an answer tries within seconds to minutes."""


def read_codes(path: Path | None) -> VitalCodes:
    """Our registry with the rows of the site's file before them; ``ConfigurationError`` when it cannot be read."""
    if path is None:
        return BUILT_IN
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"NEOPAIN_INGEST_VITAL_CODES {path} cannot be read as UTF-8: {error}") from error
    return BUILT_IN.with_rows(read_site_codes(text, table=str(path)))


@dataclass(frozen=True, slots=True)
class Placed:
    """What a message says of the infant in one bed; ``bed`` is None only where there is nothing to place."""

    report: VitalsReport
    bed: BedId | None


class Begun(NamedTuple):
    """A familiar message on its way to the bus, and the one aligned time of its samples."""

    published: asyncio.Future[Published]
    aligned: datetime


@dataclass(slots=True)
class VitalsIntake:
    """Reads ORU^R01 messages and puts their vitals on the bus."""

    bus: Bus
    bed_by_sender: Mapping[str, str] = field(default_factory=dict)
    known: VitalCodes = BUILT_IN
    clocks: Clocks = field(default_factory=Clocks)
    unknown: UnknownCodes = field(default_factory=UnknownCodes)
    association: Association = field(init=False)
    waveforms: WaveformIntake = field(init=False)

    def __post_init__(self) -> None:
        self.association = Association(self.bus)
        self.waveforms = WaveformIntake(self.bus)

    def read(self, one: Received) -> list[Placed]:
        """The vitals and their beds. Raises ``MalformedMessage`` (PV1-3, 101) for vitals without a bed."""
        zone, facility = one.zone, one.facts.default_facility
        reports = read_reports(one.message, one.header, site_zone=zone, default_facility=facility, known=self.known)
        # The bed that the site gives a sender is that of one monitor: a message of several infants must name theirs.
        given = one.facts.bed or one.sender.bed(one.header, self.bed_by_sender)
        default = given if len(reports) == 1 else None
        placed = [Placed(report, _bed_of(report.bed, default)) for report in reports]
        if any(each.bed is None and (each.report.readings or each.report.waves) for each in placed):
            rule = "the bed is required; a sender that cannot name it needs one in NEOPAIN_INGEST_HL7_SOURCES"
            raise MalformedMessage("PV1-3", rule, code=FIELD_MISSING)
        for each in placed:
            self._tell(each.report, one)
        return placed

    async def store(self, placed: list[Placed], one: Received) -> tuple[Stored, ...]:
        """The vitals are on disk when this returns, where it says; may be called again, nothing is stored twice.

        Raises ``BusUnavailable``.
        """
        stored = []
        for each in placed:
            if each.bed is None:
                continue
            numbers = each.report.numbers
            named = await self.association.number_of(each.bed, numbers, one.received) if numbers else None
            if each.report.readings:
                stored.append(await self._publish(each.report, each.bed, named, one))
            if each.report.waves:
                stored += await self.waveforms.store(each.report.waves, each.bed, named, one)
            if numbers:
                await self.association.compare(each.bed, numbers, one)
        return tuple(stored)

    async def _publish(self, report: VitalsReport, bed: BedId, named: PatientId | None, one: Received) -> Stored:
        batch = VitalsBatch(
            bed=bed,
            source=one.source,
            samples=_samples(report, one.received, self.clocks.of(one.source, bed)),
            processing=one.header.processing,
            patient=named,
            control_id=one.header.control_id,
            unmapped=tuple(code.label for code in report.unmapped),
        )
        payload = encode_batch(batch)
        if one.header.time_text or report.newest or one.letter:
            published = await self.bus.publish_once(VITALS, payload, mark=one.mark(bed), bed=bed, life=MARK_LIFE)
        else:
            # Without any time in it a message cannot be told from its repetition: a monitor whose control id never
            # changes would seem to repeat itself whenever its values do not change either.
            published = Published(await self.bus.publish(VITALS, payload, bed=bed), is_new=True)
        _count(published, len(batch.samples))
        aligned = [sample.timing.aligned for sample in batch.samples]
        return Stored(bed, published.id, published.is_new, min(aligned), max(aligned))

    def is_settled(self, one: FamiliarReceived) -> bool:
        """Whether it is known, without reading, that the message changes nothing in the census."""
        said = _said_by(one)
        return said is None or self.association.is_settled(said)

    def begin_familiar(self, one: FamiliarReceived) -> Begun:
        """Puts a familiar message on its way to the bus; may be called again, nothing is stored twice."""
        found, received = one.found, one.received
        familiar, filled, moment = found.familiar, found.filled, found.moment
        source, bed = familiar.source, familiar.bed
        skew = self.clocks.named(familiar.clock)
        if moment.utc is not None:
            skew.observe(received=received, source=moment.utc)
        timing = skew.timing_of(received=received, source=moment.utc, source_text=moment.text, minute=moment.minute)
        parts, numbers = parts_of(filled.form), filled.numbers
        values = [numbers[number] * scale for number, _, _, scale, _ in filled.form.winners]
        payload = encode_repeated(familiar.before + parts.unmapped, found.control_id, parts.kinds, values, timing)
        mark = mark_of(source, found.control_id, one.raw, bed)
        published = self.bus.begin_once(VITALS, payload, mark=mark, bed=bed, life=MARK_LIFE)
        return Begun(published, timing.aligned)

    def finish_familiar(self, one: FamiliarReceived, begun: Begun) -> tuple[Stored, ...]:
        """What became of a familiar message that is on disk; raises what its publication raised."""
        published, familiar, form = begun.published.result(), one.found.familiar, one.found.filled.form
        _count(published, len(form.winners))
        self.tell_unknown(form.unmapped, familiar.source)
        return (Stored(familiar.bed, published.id, published.is_new, begun.aligned, begun.aligned),)

    async def store_familiar(self, one: FamiliarReceived) -> tuple[Stored, ...]:
        """What ``store`` does, of a familiar message."""
        begun = self.begin_familiar(one)
        await begun.published
        if (said := _said_by(one)) is not None and (kind := await self.association.judge(said)) is not None:
            await self.association.tell(kind, said.bed, said.numbers, one.read_whole())
        return self.finish_familiar(one, begun)

    def tell_unknown(self, unmapped: Sequence[UnknownCode], source: SourceId) -> None:
        """Counts the codes of a message that no table knows."""
        if unmapped:
            counter("ingest_unmapped_total").inc(len(unmapped))
        for code in unmapped:
            self.unknown.count(source, code)

    def _tell(self, report: VitalsReport, one: Received) -> None:
        for skipped in report.skipped:
            counter("ingest_skipped_total").labels(skipped.reason).inc()
            if skipped.unknown is not None:
                self.unknown.count(one.source, skipped.unknown)
        self.tell_unknown(report.unmapped, one.source)


def _said_by(one: FamiliarReceived) -> Said | None:
    """Whom the message names, None if nobody."""
    known = one.found.familiar
    if known.patient is None:
        return None
    return Said(known.bed, (known.patient,), known.source, known.header.processing, one.received)


def _bed_of(named: BedId | None, given: BedId | None) -> BedId | None:
    """The bed that a message names, else the one that the site gives its sender; that goes before a unit alone too."""
    return given if named is None or (given is not None and is_unit_alone(named)) else named


def _count(published: Published, samples: int) -> None:
    if published.is_new:
        counter("ingest_samples_total").inc(samples)
    else:
        counter("ingest_duplicates_total").inc()


def _samples(report: VitalsReport, received: datetime, skew: SkewEstimate) -> tuple[VitalSample, ...]:
    if report.newest is not None:
        skew.observe(received=received, source=report.newest)
    timings: dict[str, Timing] = {}
    for reading in report.readings:
        if reading.source_text not in timings:
            timings[reading.source_text] = skew.timing_of(
                received=received, source=reading.source, source_text=reading.source_text, minute=reading.minute
            )
    return tuple(
        VitalSample(one.kind, one.value, timings[one.source_text], one.validity, one.code) for one in report.readings
    )
