"""The DICOM door on a real bus, in this process, on a free port; pynetdicom calls it as a camera would."""

from __future__ import annotations

import asyncio
import gc
import uuid
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.association import Association

from neopain.bus.bus import Bus
from neopain.bus.connection import BusAddress
from neopain.bus.consumer import Consumer
from neopain.bus.streams import AUDIO, FRAMES, SCORES, TICKS, VITALS
from neopain.domain.score import Estimate, ModelVersion, Outcome, Score, Weights
from neopain.domain.window import Tick
from neopain.embedded.loopback import free_port
from neopain.ingest.dicom.service import serve_dicom
from neopain.ingest.settings import IngestSettings
from neopain.runtime.service import Running
from neopain.runtime.settings import BusSettings
from neopain.wire.media import decode_audio, decode_frame
from neopain.wire.score import decode_tick, encode_score
from neopain.wire.vitals import decode_batch

MODEL = ModelVersion("counter", Weights.UNTRAINED)


@pytest.fixture
async def bus(bus_url: str, media_url: str) -> AsyncIterator[Bus]:
    """The bus in a namespace of the test's own."""
    bus = Bus(BusAddress(bus_url, (media_url,), namespace=f"dicom-{uuid.uuid4().hex}"))
    yield bus
    await bus.aclose()


class Scorer:
    """Takes ticks like a worker and publishes a score of 3.0 for each; keeps what it could have read, by stream."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.ticks: list[Tick] = []
        self.is_stopped = False
        self.seen: dict[str, list[object]] = {"frames": [], "audio": [], "vitals": []}

    async def run(self) -> None:
        consumer = Consumer(self.bus, TICKS, group="scoring", name="counting")
        await consumer.join()
        while not self.is_stopped:
            for delivery in await consumer.take(count=4, wait=timedelta(milliseconds=50)):
                tick = decode_tick(delivery.entry.payload)
                self.ticks.append(tick)
                for stream, decode in ((FRAMES, decode_frame), (AUDIO, decode_audio), (VITALS, decode_batch)):
                    entries = await self.bus.read_range(stream, bed=tick.bed, last=tick.last_ids.get(stream.name, "0"))
                    self.seen[stream.name] = [decode(entry.payload) for entry in entries]
                now, estimate = datetime.now(UTC), Estimate(3.0, 2.0, 4.5)
                score = Score(tick.bed, tick.window_end, Outcome.SCORED, MODEL, (), now, estimate)
                await self.bus.publish(SCORES, encode_score(score))
                await consumer.acknowledge(delivery.entry.id)


@pytest.fixture
async def scorer(bus: Bus) -> AsyncIterator[Scorer]:
    """A scorer at work."""
    scorer = Scorer(bus)
    task = asyncio.create_task(scorer.run())
    yield scorer
    # Not cancelled: a cancellation that meets a client's timeout can get lost.
    scorer.is_stopped = True
    await task


class Door:
    """The DICOM door of one test: its folders, its port, and what a sender does."""

    def __init__(self, bus: Bus, folder: Path, **settings: object) -> None:
        self.bus = bus
        self.spool = folder / "spool"
        self.reports = folder / "reports"
        told: dict[str, object] = {
            "dicom_port": free_port(),
            "dicom_spool": self.spool,
            "dicom_reports": self.reports,
            "dicom_reserve_bytes": 0,
            "dicom_drain_seconds": 2.0,
        }
        self.settings = IngestSettings.model_validate(told | settings)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Running]:
        """The service, listening."""
        running, address = Running(), self.bus.address
        urls = BusSettings(url=address.bus_url, media_urls=address.media_urls, namespace=address.namespace)
        task = asyncio.create_task(serve_dicom(running, settings=self.settings, bus_settings=urls))
        while not running.health.is_ready:
            await asyncio.wait((task,), timeout=0.02)
            if task.done():
                task.result()
        try:
            yield running
        finally:
            running.stop()
            await task

    @contextmanager
    def associated(
        self, objects: Sequence[Dataset], *, caller: str = "CAMERA1", **named: object
    ) -> Iterator[Association]:
        """An association for the objects' classes and syntaxes; whether it was accepted is for the caller to see."""
        entity = AE(caller)
        entity.acse_timeout = 3.0
        entity.add_requested_context("1.2.840.10008.1.1")
        for one in objects:
            entity.add_requested_context(one.SOPClassUID, one.file_meta.TransferSyntaxUID)
        association = entity.associate("127.0.0.1", self.settings.dicom_port, ae_title="NEOPAIN", **named)
        try:
            yield association
        finally:
            if association.is_established:
                association.release()

    def store(self, *objects: Dataset, caller: str = "CAMERA1") -> list[Dataset]:
        """The answers to objects that are sent one after the other."""
        with self.associated(objects, caller=caller) as association:
            return [association.send_c_store(one) for one in objects]

    def waiting(self) -> list[Path]:
        """What lies in the spool and waits."""
        return sorted((self.spool / "waiting").iterdir())

    def incoming(self) -> list[Path]:
        """What lies in the spool and was never answered."""
        return sorted((self.spool / "incoming").iterdir())

    async def emptied(self, *, seconds: float = 20.0) -> None:
        """Waits until nothing waits."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self.waiting() or self.incoming():
            assert asyncio.get_running_loop().time() < deadline, "the spool was not emptied"
            await asyncio.sleep(0.02)


@pytest.fixture
def abandoned_sockets() -> Iterator[None]:
    """pynetdicom leaves a socket whose peer has gone to the garbage collector, which warns."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


MakeDoor = Callable[..., Door]


@pytest.fixture
def make_door(bus: Bus, tmp_path: Path) -> MakeDoor:
    """A door with settings of its own."""
    return lambda **settings: Door(bus, tmp_path, **settings)


@pytest.fixture
def door(make_door: MakeDoor) -> Door:
    """A door with the usual settings."""
    return make_door()


async def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits until it holds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, "it did not come to that"
        await asyncio.sleep(0.02)


@pytest.fixture(scope="session")
def mp4(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two seconds of a grey H.264 video with a tone of 440 Hz."""
    path = tmp_path_factory.mktemp("video") / "cot.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=15)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        sound = container.add_stream("aac", rate=16_000)
        sound.layout = "mono"
        for _ in range(30):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((120, 160, 3), 90, np.uint8))))
        container.mux(stream.encode(None))
        samples = np.round(8_000 * np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path.read_bytes()
