"""The HL7 door on a real bus, and a sender that speaks MLLP to it."""

from __future__ import annotations

import asyncio
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from neopain.bus.bus import Bus
from neopain.bus.census import read_bed
from neopain.bus.connection import BusAddress
from neopain.bus.streams import VITALS
from neopain.domain.census import BedState
from neopain.domain.identity import BedId
from neopain.domain.vitals import VitalsBatch
from neopain.embedded.loopback import free_port
from neopain.ingest.hl7.service import serve_hl7
from neopain.ingest.settings import IngestSettings
from neopain.runtime.service import Running
from neopain.runtime.settings import BusSettings
from neopain.wire.vitals import decode_batch

ADT = r"MSH|^~\&|ADT|GH|||20260704115959+0000||ADT^{trigger}|{control}|P|2.5"
ORU = r"MSH|^~\&|MON|NICU|||20260704120005+0000||ORU^R01^ORU_R01|{control}|P|2.6"


@dataclass
class Hl7Text:
    """Messages for the tests."""

    def vitals(self, *, control: str = "1", bed: str = "NICU^1^3", mrn: str = "", value: str = "142") -> bytes:
        """An ORU^R01 with one heart rate."""
        lines = [
            ORU.format(control=control),
            *([f"PID|||{mrn}^^^HOSP^MR"] if mrn else []),
            *([f"PV1||I|{bed}"] if bed else []),
            "OBR|1||||||20260704120000+0000",
            f"OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC||{value}|/min|||||R",
        ]
        return "".join(f"{line}\r" for line in lines).encode()

    def adt(self, trigger: str, *, control: str = "1", bed: str = "NICU^1^3", mrn: str = "77") -> bytes:
        """An ADT message."""
        lines = [
            ADT.format(trigger=trigger, control=control),
            "EVN||20260704115900+0000",
            f"PID|||{mrn}^^^HOSP^MR||X^Y||20260702081500+0000|F",
            f"PV1||I|{bed}",
        ]
        return "".join(f"{line}\r" for line in lines).encode()

    def association(
        self, mrn: str, *, value: str = "198332", control: str = "7", device: str = "PUMP7", bed: str = "NICU^1^3"
    ) -> bytes:
        """A validated IHE DEV-51; with 198334 the end of one."""
        profile = "IHE_DEV_051^IHE PCD^1.3.6.1.4.1.19376.1.6.1.51.1^ISO"
        lines = [
            rf"MSH|^~\&|DPAR|GH|||20260704120000+0000||ORU^R01^ORU_R01|{control}|P|2.6|||AL|NE|||||{profile}",
            f"PID|||{mrn}^^^HOSP^MR",
            f"PV1||I|{bed}",
            "OBR|1||A1^DPAR|69136^MDC_OBS_ASSOCIATION_PATIENT_DEVICE^MDC|||20260704120000+0000",
            f"OBX|1|CWE|68487^MDC_ATTR_EVT_COND^MDC|0.0.0.0|{value}^X^MDC||||||F",
            f"PRT|1|UC||EQUIP^EQUIP^HL70912||||||{device}^^1234^EUI-64",
        ]
        return "".join(f"{line}\r" for line in lines).encode()


@dataclass
class Connection:
    """One open connection of a sender."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def write(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> list[str]:
        """The next answer's segments."""
        frame = await asyncio.wait_for(self.reader.readuntil(b"\x1c\x0d"), 15)
        return frame[1:-2].decode().rstrip("\r").split("\r")

    async def ask(self, message: bytes) -> list[str]:
        """Sends a message in its frame and returns the answer's segments."""
        await self.write(b"\x0b" + message + b"\x1c\x0d")
        return await self.answer()

    async def is_closed(self) -> bool:
        """Waits for the other side to close; anything else that comes fails."""
        return await asyncio.wait_for(self.reader.read(1), 15) == b""


@dataclass
class Door:
    """A running HL7 door."""

    port: int
    bus: Bus
    running: Running
    connections: list[Connection] = field(default_factory=list)

    async def connect(self, context: ssl.SSLContext | None = None) -> Connection:
        """A new sender; with a context it speaks TLS."""
        name = "localhost" if context is not None else None
        connection = Connection(
            *await asyncio.open_connection("127.0.0.1", self.port, ssl=context, server_hostname=name)
        )
        self.connections.append(connection)
        return connection

    async def ask(self, message: bytes) -> list[str]:
        """The answer's segments to one message over a connection of its own."""
        return await (await self.connect()).ask(message)

    async def batches(self, bed: str = "NICU/1/3") -> list[VitalsBatch]:
        """The vitals of a bed on the bus."""
        entries = await self.bus.read_range(VITALS, bed=BedId(bed))
        return [decode_batch(entry.payload) for entry in entries]

    async def bed(self, bed: str) -> BedState | None:
        """What the census says of a bed."""
        return await read_bed(self.bus, BedId(bed))


async def until(claim: Callable[[], Awaitable[bool]], *, seconds: float = 15.0) -> bool:
    """Whether the claim becomes true in time."""
    deadline = time.monotonic() + seconds
    while not await claim():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


@asynccontextmanager
async def open_door(address: BusAddress, **settings: object) -> AsyncIterator[Door]:
    """A door with these settings on that bus, closed at the end."""
    chosen = IngestSettings(hl7_port=free_port(), **settings)  # type: ignore[arg-type]
    bus_settings = BusSettings(url=address.bus_url, media_urls=address.media_urls, namespace=address.namespace)
    running = Running()
    serving = asyncio.create_task(serve_hl7(running, settings=chosen, bus_settings=bus_settings))
    bus = Bus(address)
    door = Door(chosen.hl7_port, bus, running)
    try:

        async def is_ready() -> bool:
            return running.health.is_ready or serving.done()

        assert await until(is_ready)
        yield door
    finally:
        running.stop()
        for connection in door.connections:
            connection.writer.close()
        await serving
        await bus.aclose()


@pytest.fixture
def text() -> Hl7Text:
    """Messages for the tests."""
    return Hl7Text()


@pytest.fixture
def address(bus_url: str, media_url: str) -> BusAddress:
    """The run's servers, with a namespace of this test's own."""
    return BusAddress(bus_url, (media_url,), f"hl7-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def opening() -> Callable[..., object]:
    """Opens a door with settings of the test's own: ``async with opening(address, ...) as door``."""
    return open_door


@pytest.fixture
def eventually() -> Callable[..., Awaitable[bool]]:
    """Waits for a claim to become true."""
    return until


@pytest.fixture
async def door(address: BusAddress) -> AsyncIterator[Door]:
    """A door with default settings."""
    async with open_door(address) as one:
        yield one
