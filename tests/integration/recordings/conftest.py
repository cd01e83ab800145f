"""A bus in a namespace of the test's own, and a scorer on it that says what it could have read."""

from __future__ import annotations

import asyncio
import uuid
import wave
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pytest

from neopain.bus.bus import Bus
from neopain.bus.connection import BusAddress
from neopain.bus.consumer import Consumer
from neopain.bus.streams import AUDIO, BASELINE, FRAMES, SCORES, TICKS, VITALS, WINDOW_STREAMS
from neopain.domain.score import Estimate, Modality, ModelVersion, Outcome, Presence, Score, Weights
from neopain.domain.vitals import Baseline
from neopain.domain.window import Tick
from neopain.wire.media import decode_audio, decode_frame
from neopain.wire.score import decode_tick, encode_score
from neopain.wire.vitals import decode_baseline, decode_batch

MODEL = ModelVersion("counter", Weights.UNTRAINED)


@pytest.fixture
async def bus(bus_url: str, media_url: str) -> AsyncIterator[Bus]:
    """The bus in a namespace of the test's own."""
    bus = Bus(BusAddress(bus_url, (media_url,), namespace=f"recording-{uuid.uuid4().hex}"))
    yield bus
    await bus.aclose()


@dataclass(slots=True)
class Window:
    """What a worker could have read for one tick: times in seconds relative to the window's end."""

    tick: Tick
    frames: list[float] = field(default_factory=list)
    sound: list[tuple[float, int]] = field(default_factory=list)
    vitals: list[float] = field(default_factory=list)
    baselines: list[Baseline] = field(default_factory=list)
    entries: int = 0


class CountingScorer:
    """Takes ticks like a worker and publishes a score of 3.0 for each; keeps what it saw. ``fault`` changes a score."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.windows: list[Window] = []
        self.is_stopped = False
        self.fault: Callable[[Score], Score | None] = lambda score: score

    async def run(self) -> None:
        consumer = Consumer(self.bus, TICKS, group="scoring", name="counting")
        await consumer.join()
        while not self.is_stopped:
            for delivery in await consumer.take(count=4, wait=timedelta(milliseconds=50)):
                window = await self._read(decode_tick(delivery.entry.payload))
                self.windows.append(window)
                score = self.fault(scored(window))
                if score is not None:
                    await self.bus.publish(SCORES, encode_score(score))
                await consumer.acknowledge(delivery.entry.id)

    async def _read(self, tick: Tick) -> Window:
        window = Window(tick)
        for stream in WINDOW_STREAMS:
            last = tick.last_ids.get(stream.name)
            entries = await self.bus.read_range(stream, bed=tick.bed, last=last) if last else []
            window.entries += len(entries)
            for entry in entries:
                if stream is FRAMES:
                    window.frames.append(_before(tick, decode_frame(entry.payload).timing.aligned))
                elif stream is AUDIO:
                    chunk = decode_audio(entry.payload)
                    window.sound.append((_before(tick, chunk.timing.aligned), len(chunk.pcm) // 2))
                elif stream is BASELINE:
                    window.baselines.append(decode_baseline(entry.payload))
                elif stream is VITALS:
                    samples = decode_batch(entry.payload).samples
                    window.vitals += [_before(tick, sample.timing.aligned) for sample in samples]
        return window


def scored(window: Window) -> Score:
    presences = (
        Presence(Modality.FACE, bool(window.frames), reason="" if window.frames else "no-camera"),
        Presence(Modality.CRY, bool(window.sound), reason="" if window.sound else "no-microphone"),
    )
    end, now = window.tick.window_end, datetime.now(UTC)
    return Score(window.tick.bed, end, Outcome.SCORED, MODEL, presences, now, Estimate(3.0, 2.0, 4.5))


def _before(tick: Tick, moment: datetime) -> float:
    return round((moment - tick.window_end).total_seconds(), 3)


@pytest.fixture
async def scorer(bus: Bus) -> AsyncIterator[CountingScorer]:
    """A scorer at work."""
    scorer = CountingScorer(bus)
    task = asyncio.create_task(scorer.run())
    yield scorer
    # Not cancelled: a cancellation that meets a client's timeout can get lost.
    scorer.is_stopped = True
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def write_wav(tmp_path: Path) -> Callable[[float], Path]:
    """Writes a tone of 440 Hz at 8 kHz that lasts so many seconds."""

    def write(seconds: float) -> Path:
        samples = np.round(8_000 * np.sin(2 * np.pi * 440 * np.arange(int(8_000 * seconds)) / 8_000))
        path = tmp_path / "cry.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8_000)
            file.writeframes(samples.astype("<i2").tobytes())
        return path

    return write


@pytest.fixture
def write_mp4(tmp_path: Path) -> Callable[[float], Path]:
    """Writes a grey video of 64x48 at 15 frames a second that lasts so many seconds."""

    def write(seconds: float) -> Path:
        path = tmp_path / "cot.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=15)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for _ in range(round(15 * seconds)):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8))))
            container.mux(stream.encode(None))
        return path

    return write


@pytest.fixture
def write_hl7(tmp_path: Path) -> Callable[..., Path]:
    """Writes an ORU^R01 with a heart rate for each of the given seconds after 08:00 of 2 March 2026."""

    def write(*seconds: int) -> Path:
        path = tmp_path / "feed.hl7"
        path.write_text("".join(oru(second) for second in seconds))
        return path

    return write


def oru(second: int) -> str:
    sent = f"{datetime(2026, 3, 2, 8, tzinfo=UTC) + timedelta(seconds=second):%Y%m%d%H%M%S}+0000"
    return (
        f"MSH|^~\\&|MON|WARD|||{sent}||ORU^R01^ORU_R01|C{second}|T|2.6\n"
        "PID|||4711^^^HOSP^MR\n"
        f"OBR|1|||182777000^monitoring of patient^SCT|||{sent}\n"
        f"OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1|150|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R|||{sent}\n"
    )
