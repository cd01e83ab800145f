"""A ward of simulated infants in real time: admits them, runs the devices at their beds, tells what is true."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime, timedelta, timezone

from neopain.client.channel import Target
from neopain.client.device import DeviceClient, DeviceLimits
from neopain.client.stream import Limits
from neopain.runtime.clock import Clock
from neopain.runtime.log import Log
from neopain.runtime.service import Running
from neopain.simulator.admission import AdmissionEvent, admission_message
from neopain.simulator.assignment import ward_infants
from neopain.simulator.bedside import Bedside, Pace, SimulatedBed, control_id_of
from neopain.simulator.course import PainCourse
from neopain.simulator.infant import ASSIGNING_AUTHORITY
from neopain.simulator.mllp_sender import MllpSender
from neopain.simulator.settings import SimulatorSettings
from neopain.simulator.status import BedStatus, WardStatus, write_status

LOG = Log(__name__)

ADMISSION_SECONDS = 10.0
DRAIN_SECONDS = 3.0
TRAINING = "T"
"""As MSH-11: without it what is simulated would count as a real infant's."""
_PAUSE_SECONDS = 3.0
DEVICE_LIMITS = DeviceLimits(
    frames=Limits(held=16, unanswered=4, longest_pause_seconds=_PAUSE_SECONDS),
    audio=Limits(held=20, unanswered=8, longest_pause_seconds=_PAUSE_SECONDS),
    vitals=Limits(held=100_000, longest_pause_seconds=_PAUSE_SECONDS),
)
"""Those of any device, but that a server which is back is soon found again."""


def ward_beds(settings: SimulatorSettings) -> list[SimulatedBed]:
    """The beds with their courses, each a little further into it than the one before is."""
    admitted = ward_infants(
        beds=settings.beds, seed=settings.seed, unit=settings.unit, room=settings.room, facility=settings.facility
    )
    return [
        SimulatedBed(
            infant,
            cot,
            PainCourse(shift_seconds=position * settings.bed_shift_seconds, time_scale=settings.time_scale),
        )
        for position, (infant, cot) in enumerate(admitted)
    ]


class Ward:
    """The running ward."""

    def __init__(self, settings: SimulatorSettings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.started = clock.now().astimezone(timezone(timedelta(minutes=settings.utc_offset_minutes)))
        self.admissions = MllpSender(settings.hl7_host, settings.hl7_port, name="adt")
        self.bedsides = [self._bedside(bed) for bed in ward_beds(settings)]

    async def run(self, running: Running) -> None:
        """Admits the infants, runs their beds until asked to stop, then lets the senders finish."""
        self._tell()
        async with AsyncExitStack() as devices, asyncio.TaskGroup() as tasks:
            for bedside in self.bedsides:
                await devices.enter_async_context(bedside.device)
            senders = [tasks.create_task(sender.run()) for sender in self._mllp_senders()]
            self._announce(AdmissionEvent.ADMIT, number=0)
            await self.admissions.settled(within_seconds=ADMISSION_SECONDS)
            beds = [tasks.create_task(bedside.run()) for bedside in self.bedsides]
            running.health.ready()
            LOG.info("ward_opened", beds=len(self.bedsides), admitted=len(self.admissions.ledger.acknowledged))
            while await running.pause(self.settings.status_seconds):
                self._tell()
            _cancel(beds)
            await self._drain()
            _cancel(senders)
        self._tell()

    def status(self) -> WardStatus:
        """Truth and counters now."""
        now = self.clock.now()
        ledgers = [sender.ledger for sender in self._mllp_senders()]
        frames = [bedside.device.frames.count for bedside in self.bedsides]
        return WardStatus(
            seed=self.settings.seed,
            started=self.started.isoformat(),
            written=now.isoformat(),
            elapsed_seconds=(now - self.started).total_seconds(),
            hl7_sent=sum(ledger.sent for ledger in ledgers),
            hl7_acknowledged=sum(len(ledger.acknowledged) for ledger in ledgers),
            hl7_refused=sum(len(ledger.refused) for ledger in ledgers),
            frames_sent=sum(count.taken for count in frames),
            frames_accepted=sum(count.accepted for count in frames),
            audio_seconds=sum(bedside.audio_seconds() for bedside in self.bedsides),
            beds=tuple(bed_status(bedside) for bedside in self.bedsides),
        )

    def _bedside(self, bed: SimulatedBed) -> Bedside:
        settings, name = self.settings, f"simulator {bed.cot.bed_id}"
        return Bedside(
            bed,
            monitor=MllpSender(settings.hl7_host, settings.hl7_port, name=bed.cot.bed_id),
            device=DeviceClient(Target(settings.device_target), device=name, processing=TRAINING, limits=DEVICE_LIMITS),
            started=self.started,
            clock=self.clock,
            pace=Pace(settings.frames_per_second, settings.pressure_seconds),
        )

    def _mllp_senders(self) -> list[MllpSender]:
        return [self.admissions, *(bedside.monitor for bedside in self.bedsides)]

    def _announce(self, event: AdmissionEvent, *, number: int) -> None:
        for bedside in self.bedsides:
            infant, cot = bedside.bed.infant, bedside.bed.cot
            control_id = f"A{control_id_of(infant, self.started, number)}"
            sent = self._local(self.clock.now())
            self.admissions.send(control_id, admission_message(event, infant, cot, control_id=control_id, sent=sent))

    async def _drain(self) -> None:
        if self.settings.discharges:
            self._announce(AdmissionEvent.DISCHARGE, number=1)
        settling = [sender.settled(within_seconds=DRAIN_SECONDS) for sender in self._mllp_senders()]
        settling += [bedside.device.settled(within_seconds=DRAIN_SECONDS) for bedside in self.bedsides]
        await asyncio.gather(*settling)

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(self.started.tzinfo)

    def _tell(self) -> None:
        if self.settings.status_path is not None:
            write_status(self.status(), self.settings.status_path)


def bed_status(bedside: Bedside) -> BedStatus:
    """The truth and the counters of one bed now."""
    bed, device, ledger = bedside.bed, bedside.device, bedside.monitor.ledger
    seconds = bedside.seconds()
    return BedStatus(
        bed=bed.cot.bed_id,
        mrn=bed.infant.mrn,
        assigning_authority=ASSIGNING_AUTHORITY,
        visit=bed.infant.visit,
        sex=bed.infant.sex.value,
        gestational_age_days=bed.infant.gestational_age_days,
        procedure=bed.course.procedure(seconds).value,
        latent_pain=round(float(bed.course.pain(seconds)), 2),
        hl7_sent=ledger.sent,
        hl7_acknowledged=len(ledger.acknowledged),
        hl7_refused=len(ledger.refused),
        hl7_waiting=bedside.monitor.waiting,
        frames_sent=device.frames.count.taken,
        frames_accepted=device.frames.count.accepted,
        audio_seconds=bedside.audio_seconds(),
        beat_batches_accepted=device.vitals.count.accepted,
    )


def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
