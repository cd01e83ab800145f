"""One bed in real time: its monitor, camera and microphone see the infant and hand what they see to the senders."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import cv2
import numpy as np

from neopain.client.device import DeviceClient
from neopain.client.stream import DeviceStream
from neopain.domain.media import SAMPLE_RATE_HZ
from neopain.errors import BufferFull
from neopain.runtime.clock import Clock
from neopain.simulator.behaviour import Behaviour
from neopain.simulator.circumstances import Circumstances, Support, circumstances
from neopain.simulator.condition import Condition, Sedation
from neopain.simulator.course import PainCourse
from neopain.simulator.infant import SimulatedInfant
from neopain.simulator.mllp_sender import MllpSender
from neopain.simulator.monitor import measurements, observation_message, pressure_measurements
from neopain.simulator.scene import SceneFrame
from neopain.simulator.segments import Cot
from neopain.simulator.sound import Room
from neopain.simulator.view import View
from neopain.simulator.vitals import Vitals
from neopain.wire.common import to_us
from neopain.wire.v1 import device_pb2 as pb
from neopain.wire.v1 import vitals_pb2

AUDIO_CHUNK_SAMPLES = SAMPLE_RATE_HZ // 2
BEATS_EVERY_SECONDS = 0.5
JPEG_QUALITY = 85
MOST_FRAMES_LATE = 1
WHITE = (1.0, 1.0, 1.0)


class SimulatedBed:
    """One infant in one cot along one course: everything that can be seen and heard of it, as pure functions of time.

    Camera and room are those of a cohort's infant of that number, with no tube and no mask on its face: what it feels
    is shown by face, voice and limbs.
    """

    def __init__(self, infant: SimulatedInfant, cot: Cot, course: PainCourse) -> None:
        condition = Condition(course)
        behaviour, around = Behaviour(infant, condition), plain(circumstances(infant))
        self.infant = infant
        self.cot = cot
        self.course = course
        self.vitals = Vitals(infant, condition)
        self.view = View(infant, behaviour, around.camera)
        self.room = Room(infant, behaviour, around)


def plain(around: Circumstances) -> Circumstances:
    """The same without support of breath, drugs and phototherapy."""
    return replace(
        around,
        support=Support.NONE,
        sedation=Sedation.NONE,
        ventilated_bpm=None,
        camera=replace(around.camera, tube=False, eye_mask=False, tint=WHITE),
        microphone=replace(around.microphone, ventilator=0.0),
    )


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the devices of a bed speak."""

    frames_per_second: float = 7.5
    pressure_seconds: float = 60.0


class Bedside:
    """The devices at one bed. Time 0 of the course is ``started``, in the monitors' own time zone."""

    def __init__(
        self,
        bed: SimulatedBed,
        *,
        monitor: MllpSender,
        device: DeviceClient,
        started: datetime,
        clock: Clock,
        pace: Pace,
    ) -> None:
        self.bed = bed
        self.monitor = monitor
        self.device = device
        self.started = started
        self.clock = clock
        self.pace = pace
        self._beats: Iterator[pb.DeviceVital] = self._beat_values()
        self._next_beat = next(self._beats)

    async def run(self) -> None:
        """Switches the devices on and runs them until cancelled."""
        async with asyncio.TaskGroup() as devices:
            devices.create_task(self._monitor())
            devices.create_task(self._recorder())
            devices.create_task(self._camera())
            devices.create_task(self._microphone())

    def seconds(self) -> float:
        """The time of the course now."""
        return (self.clock.now() - self.started).total_seconds()

    def audio_seconds(self) -> float:
        """How much sound has its receipts."""
        return self.device.audio.count.accepted * AUDIO_CHUNK_SAMPLES / SAMPLE_RATE_HZ

    async def _monitor(self) -> None:
        second = first = math.ceil(self.seconds())
        while True:
            await self._until(float(second))
            self._say(second, with_pressure=(second - first) % self.pace.pressure_seconds < 1.0)
            second += 1

    async def _recorder(self) -> None:
        step = math.ceil(self.seconds() / BEATS_EVERY_SECONDS)
        self._skip_beats(step * BEATS_EVERY_SECONDS)
        while True:
            await self._until(step * BEATS_EVERY_SECONDS)
            self._send_beats(step * BEATS_EVERY_SECONDS)
            step += 1

    async def _camera(self) -> None:
        number = math.ceil(self.seconds() * self.pace.frames_per_second)
        while True:
            await self._until(number / self.pace.frames_per_second)
            self.device.frames.send(self._frame(number))
            # A camera that is late leaves frames out; it does not hurry.
            due = int(self.seconds() * self.pace.frames_per_second)
            number = max(number + 1, due - MOST_FRAMES_LATE)

    async def _microphone(self) -> None:
        first = math.ceil(self.seconds() * SAMPLE_RATE_HZ / AUDIO_CHUNK_SAMPLES) * AUDIO_CHUNK_SAMPLES
        while True:
            # A chunk is there when its last sample is.
            await self._until((first + AUDIO_CHUNK_SAMPLES) / SAMPLE_RATE_HZ)
            self.device.audio.send(self._sound(first))
            first += AUDIO_CHUNK_SAMPLES

    def _say(self, second: int, *, with_pressure: bool) -> None:
        at = self._moment(float(second))
        values = measurements(self.bed.vitals.numerics(second), at)
        if with_pressure:
            values += pressure_measurements(self.bed.vitals.blood_pressure(second), at)
        control_id = control_id_of(self.bed.infant, self.started, second + 1)
        message = observation_message(self.bed.infant, self.bed.cot, values, control_id=control_id, sent=at)
        self.monitor.send(control_id, message)

    def _skip_beats(self, seconds: float) -> None:
        while self._next_beat.source_us < to_us(self._moment(seconds)):
            self._next_beat = next(self._beats)

    def _send_beats(self, seconds: float) -> None:
        until_us = to_us(self._moment(seconds))
        values = []
        while self._next_beat.source_us <= until_us:
            values.append(self._next_beat)
            self._next_beat = next(self._beats)
        if values:
            send_in_any_case(self.device.vitals, pb.DeviceVitals(bed=self.bed.cot.bed_id, values=values))

    def _beat_values(self) -> Iterator[pb.DeviceVital]:
        for beat in self.bed.vitals.beats():
            yield pb.DeviceVital(
                kind=vitals_pb2.VITAL_KIND_RR_INTERVAL,
                value=beat.rr_ms,
                source_us=to_us(self._moment(beat.seconds)),
                validity=vitals_pb2.VALIDITY_GOOD,
            )

    def _frame(self, number: int) -> pb.DeviceFrame:
        seconds = number / self.pace.frames_per_second
        frame = self.bed.view.frame(number, seconds)
        height, width, _ = frame.rgb.shape
        return pb.DeviceFrame(
            bed=self.bed.cot.bed_id,
            source_us=to_us(self._moment(seconds)),
            format=pb.PIXEL_FORMAT_JPEG,
            width=width,
            height=height,
            data=jpeg(frame),
            face=pb.FaceBox(x=frame.face.x, y=frame.face.y, width=frame.face.width, height=frame.face.height),
        )

    def _sound(self, first: int) -> pb.DeviceAudio:
        return pb.DeviceAudio(
            bed=self.bed.cot.bed_id,
            source_us=to_us(self._moment(first / SAMPLE_RATE_HZ)),
            sample_rate_hz=SAMPLE_RATE_HZ,
            pcm=self.bed.room.pcm(first, AUDIO_CHUNK_SAMPLES).astype("<i2").tobytes(),
        )

    def _moment(self, seconds: float) -> datetime:
        return self.started + timedelta(seconds=seconds)

    async def _until(self, seconds: float) -> None:
        await self.clock.sleep(seconds - self.seconds())


def control_id_of(infant: SimulatedInfant, started: datetime, number: int) -> str:
    """MSH-10: the stay, the ward's start and a count, so that no two runs share one; at most 20 characters in use."""
    return f"{infant.number:02d}{int(started.timestamp()):08x}{infant.seed % 100:02d}{number:07d}"


def jpeg(frame: SceneFrame) -> bytes:
    """The frame as a JPEG file."""
    bgr = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return np.asarray(data).tobytes()


def send_in_any_case(stream: DeviceStream[pb.DeviceVitals], beats: pb.DeviceVitals) -> None:
    """Hands beats to a stream; of one that is full the oldest make room."""
    try:
        stream.send(beats)
    except BufferFull:
        stream.give_up_oldest(1)
        stream.send(beats)
