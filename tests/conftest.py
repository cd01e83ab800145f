"""Real servers for the tests, each started at most once per run and only when a test asks for it.

The embedded servers keep their packages and data in a folder of this run. What a test writes it must not mind sharing:
use keys, databases and identifiers of your own.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from neopain.bus.bus import Bus
from neopain.bus.streams import AUDIO, FRAMES, MOVEMENT, TICKS, VITALS
from neopain.domain.identity import BedId, PatientId, SourceId
from neopain.domain.media import AudioChunk, FaceFrame, MovementSample
from neopain.domain.time import TimeQuality, Timing
from neopain.domain.vitals import Processing, VitalKind, VitalSample, VitalsBatch
from neopain.domain.window import Tick
from neopain.embedded.ehr import Ehr
from neopain.embedded.postgres import SETTINGS, Postgres
from neopain.embedded.state import StateFolder
from neopain.embedded.triton import Triton
from neopain.embedded.valkey import Valkey
from neopain.features.signature import INPUTS, OUTPUTS, PRESENT, SCORE_QUANTILES
from neopain.models.repository import committed_repository
from neopain.runtime.settings import BusSettings
from neopain.wire.media import encode_audio, encode_frame, encode_movement
from neopain.wire.score import encode_tick
from neopain.wire.vitals import encode_batch

from .ehr_packages import share_ehr_packages
from .in_memory import keep_files_in_memory
from .scheduling import KeptTogether, place

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import Scheduling

# Set before torch is loaded by whoever comes first: threads that wait for work take no processor from the servers.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop("GLIBC_TUNABLES", None)  # it has been read; what a test starts has its memory as everywhere
    # Side by side, threads of one run would only wait for those of the other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # A server that a test has killed is to find its port again.
    _SPAN = 12_000 // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    _FIRST = 20_000 + _SPAN * int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    os.environ["NEOPAIN_LOOPBACK_PORTS"] = f"{_FIRST}-{_FIRST + _SPAN - 1}"

# How fast examples are drawn and run says how busy the machine is, not whether a claim holds.
# A run now and then with many more: pytest --hypothesis-profile thorough
settings.register_profile("thorough", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=1000)
settings.register_profile("any machine", settings.get_profile("thorough"), max_examples=50)
settings.load_profile("any machine")


def pytest_configure() -> None:
    """Of what is collected nothing is garbage. No test has a folder yet."""
    gc.disable()
    keep_files_in_memory()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Processes with tests keep their memory, in large pages: to touch small ones is an eighth of training."""
    tuned = {"hugetlb": 1, "mmap_threshold": 1 << 32, "trim_threshold": 1 << 34}
    os.environ.setdefault("GLIBC_TUNABLES", ":".join(f"glibc.malloc.{name}={value}" for name, value in tuned.items()))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """Where files stay whole, those with the real nets come one after another, and those with the browser."""
    if config.getoption("dist") != "loadfile":
        return None
    return KeptTogether(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Side by side, all processors are busy from the first test to the last; one process keeps the order asked for."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: place(item.nodeid))


def pytest_collection_finish() -> None:
    """What was collected stays to the end: the garbage collector need not look through it again and again."""
    gc.freeze()
    gc.set_threshold(20_000)
    gc.enable()


@pytest.fixture(scope="session")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of the servers that this test run shares."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="session")
def bus_url(state_dir: Path) -> Iterator[str]:
    """A durable bus: append-only, synced before each answer."""
    with Valkey.bus(StateFolder(state_dir)) as bus:
        yield bus.url


@pytest.fixture(scope="session")
def media_url(state_dir: Path) -> Iterator[str]:
    """A volatile media server of 256 MB."""
    with Valkey.media(StateFolder(state_dir), maxmemory_mb=256) as media:
        yield media.url


@pytest.fixture(scope="session")
def postgres(state_dir: Path) -> Iterator[Postgres]:
    """PostgreSQL with the roles that a hospital has; what it has committed outlives its kill, not the machine's."""
    with Postgres(StateFolder(state_dir), settings={**SETTINGS, "fsync": "off", "full_page_writes": "off"}) as server:
        yield server


@pytest.fixture(scope="session")
def database_url(postgres: Postgres) -> str:
    """An empty PostgreSQL database as an SQLAlchemy URL; the role may create further databases."""
    return postgres.url


@pytest.fixture(scope="session")
def ehr_url(state_dir: Path) -> Iterator[str]:
    """The FHIR base URL of an empty demo EHR."""
    share_ehr_packages(state_dir, StateFolder(state_dir))
    with Ehr(StateFolder(state_dir)) as ehr:
        yield ehr.url


@pytest.fixture
def bus_settings(bus_url: str, media_url: str) -> BusSettings:
    """The shared servers under a namespace that no other test uses."""
    return BusSettings(url=bus_url, media_urls=(media_url,), namespace=f"test-{secrets.token_hex(6)}")


@pytest.fixture
async def bus(bus_settings: BusSettings) -> AsyncIterator[Bus]:
    """A bus of the test's own namespace."""
    bus = Bus(bus_settings.address())
    yield bus
    await bus.aclose()


@pytest.fixture(scope="session")
def stand_in_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository for Triton with one small model in place of the nets: score = face 1 + cry 2 + vitals 4."""
    repository = tmp_path_factory.mktemp("stand-in") / "models"
    shutil.copytree(Path(__file__).parent / "stand_ins" / "triton_models", repository)
    write_model_files(repository)
    return repository


@pytest.fixture(scope="session")
def stand_in_triton(state_dir: Path, stand_in_repository: Path) -> Iterator[Triton]:
    """A Triton that serves the stand-in; a test that stops it uses one of its own."""
    with Triton(StateFolder(state_dir), stand_in_repository, name="triton-stand-in") as triton:
        yield triton


@pytest.fixture(scope="session")
def nets() -> Path:
    """The nets of this tree, as a model repository."""
    return committed_repository()


@pytest.fixture(scope="session")
def nets_triton(state_dir: Path, nets: Path) -> Iterator[Triton]:
    """A Triton that serves the nets of this tree, for those of ``scheduling.REAL_NETS`` that only ask it."""
    with Triton(StateFolder(state_dir), nets, name="triton-nets") as triton:
        yield triton


STAND_IN_OFFSETS = np.array([-2, -1, -0.75, -0.5, 0, 0.5, 0.75, 1, 2], np.float32)
"""Of the stand-in's quantiles from its score."""


def write_model_files(repository: Path) -> None:
    """Writes model.json and golden.npz of the stand-in: three windows, and what it says of them."""
    tolerance = {"mean": 0.05, "p99": 0.15}
    model = {"name": "stand-in-1", "weights": "untrained", "tolerance": tolerance}
    (repository / "model.json").write_text(json.dumps(model))
    present = np.array([[True, False, False], [False, True, True], [True, True, True]])
    score = np.array([[1.0], [6.0], [7.0]], np.float32)
    arrays = {spec.name: np.zeros((3, *spec.shape), spec.dtype) for spec in (*INPUTS, *OUTPUTS)}
    arrays |= {PRESENT.name: present, SCORE_QUANTILES.name: score + STAND_IN_OFFSETS}
    np.savez_compressed(repository / "golden.npz", **arrays)


class Bedside:
    """Puts on the bus what ingest would have put there for one bed, all of it arriving now."""

    def __init__(self, bus: Bus, bed: BedId) -> None:
        self.bus = bus
        self.bed = bed

    async def measure_vitals(
        self, end: datetime, *, seconds: int = 40, processing: Processing = Processing.PRODUCTION
    ) -> None:
        """Heart rate 140 and SpO2 97 once a second up to the end."""
        for age in range(seconds - 1, -1, -1):
            timing = _timing(end - timedelta(seconds=age))
            heart = VitalSample(VitalKind.HEART_RATE, 140.0, timing)
            batch = VitalsBatch(
                bed=self.bed,
                source=SourceId("hl7", "monitor"),
                samples=(heart, VitalSample(VitalKind.SPO2, 97.0, timing)),
                processing=processing,
                patient=PatientId("4711", "HOSPITAL"),
            )
            await self.bus.publish(VITALS, encode_batch(batch), bed=self.bed)

    async def film(self, end: datetime, *, frames: int = 18) -> None:
        """A face crop for each place of the clip's grid."""
        for index in range(frames - 1, -1, -1):
            timing = _timing(end - timedelta(seconds=index * 4 / 30))
            frame = FaceFrame(self.bed, SourceId("device", "camera"), timing, bytes([100]) * (224 * 224 * 3))
            await self.bus.publish(FRAMES, encode_frame(frame), bed=self.bed)

    async def listen(self, end: datetime, *, seconds: int = 10, half_second: bytes = bytes([0, 16]) * 8000) -> None:
        """Chunks of half a second that end at the end."""
        for index in range(2 * seconds, 0, -1):
            timing = _timing(end - timedelta(seconds=index / 2))
            chunk = AudioChunk(self.bed, SourceId("device", "microphone"), timing, half_second)
            await self.bus.publish(AUDIO, encode_audio(chunk), bed=self.bed)

    async def watch_movement(self, end: datetime) -> None:
        """Motion energy of 0.5 four times a second."""
        for index in range(124, -1, -1):
            timing = _timing(end - timedelta(seconds=index / 4))
            sample = MovementSample(self.bed, SourceId("device", "camera"), timing, 0.5)
            await self.bus.publish(MOVEMENT, encode_movement(sample), bed=self.bed)

    async def observe(self, end: datetime) -> None:
        """Everything that a window can hold."""
        await asyncio.gather(self.measure_vitals(end), self.film(end), self.listen(end), self.watch_movement(end))

    async def tick(self, end: datetime) -> str:
        """Says that the window is complete; returns the tick's id."""
        tick = Tick(self.bed, end, datetime.now(UTC), await self.bus.last_ids(self.bed))
        return await self.bus.publish(TICKS, encode_tick(tick))


@pytest.fixture
def bedside(bus: Bus) -> Bedside:
    """A bed with a monitor, a camera and a microphone."""
    return Bedside(bus, BedId("NICU/1/1@TEST"))


def _timing(aligned: datetime) -> Timing:
    return Timing(received=aligned, aligned=aligned, quality=TimeQuality.SOURCE, source=aligned)
