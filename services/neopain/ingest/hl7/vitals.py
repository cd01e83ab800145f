"""ORU^R01 -> vitals of a bed on the bus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from neopain.bus.bus import Bus, Published
from neopain.bus.streams import VITALS
from neopain.codecs.hl7v2.codes import BUILT_IN, VitalCodes
from neopain.codecs.hl7v2.message import FIELD_MISSING
from neopain.codecs.hl7v2.pcd01 import VitalsReport, read_reports
from neopain.codecs.hl7v2.site_codes import read_site_codes
from neopain.domain.identity import BedId
from neopain.domain.receipt import Stored
from neopain.domain.time import SkewEstimate, Timing
from neopain.domain.vitals import VitalSample, VitalsBatch
from neopain.errors import ConfigurationError, MalformedMessage
from neopain.ingest.hl7.association import Association
from neopain.ingest.hl7.received import Received
from neopain.ingest.hl7.sender import Clocks
from neopain.ingest.hl7.unknown_codes import UnknownCodes
from neopain.ingest.hl7.waveforms import WaveformIntake
from neopain.runtime.metrics import counter
from neopain.wire.vitals import encode_batch

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
        zone, facility = one.facts.zone, one.facts.default_facility
        reports = read_reports(one.message, one.header, site_zone=zone, default_facility=facility, known=self.known)
        # The bed that the site gives a sender is that of one monitor: a message of several infants must name theirs.
        given = one.facts.bed or one.sender.bed(one.header, self.bed_by_sender)
        default = given if len(reports) == 1 else None
        placed = [Placed(report, report.bed or default) for report in reports]
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
            if each.report.readings:
                stored.append(await self._publish(each.report, each.bed, one))
            if each.report.waves:
                stored += await self.waveforms.store(each.report.waves, each.bed, each.report.patient, one)
            if each.report.patient is not None:
                await self.association.compare(each.bed, each.report.patient, one)
        return tuple(stored)

    async def _publish(self, report: VitalsReport, bed: BedId, one: Received) -> Stored:
        batch = VitalsBatch(
            bed=bed,
            source=one.source,
            samples=_samples(report, one.received, self.clocks.of(one.source, bed)),
            processing=one.header.processing,
            patient=report.patient,
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
        if published.is_new:
            counter("ingest_samples_total").inc(len(batch.samples))
        else:
            counter("ingest_duplicates_total").inc()
        aligned = [sample.timing.aligned for sample in batch.samples]
        return Stored(bed, published.id, published.is_new, min(aligned), max(aligned))

    def _tell(self, report: VitalsReport, one: Received) -> None:
        for skipped in report.skipped:
            counter("ingest_skipped_total").labels(skipped.reason).inc()
        if report.unmapped:
            counter("ingest_unmapped_total").inc(len(report.unmapped))
        for code in report.unmapped:
            self.unknown.count(one.source, code)


def _samples(report: VitalsReport, received: datetime, skew: SkewEstimate) -> tuple[VitalSample, ...]:
    if report.newest is not None:
        skew.observe(received=received, source=report.newest)
    timings: dict[str, Timing] = {}
    for reading in report.readings:
        if reading.source_text not in timings:
            timings[reading.source_text] = skew.timing_of(
                received=received, source=reading.source, source_text=reading.source_text
            )
    return tuple(
        VitalSample(one.kind, one.value, timings[one.source_text], one.validity, one.code) for one in report.readings
    )
