from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from neopain.bus.bus import Bus
from neopain.bus.streams import AUDIO, FRAMES, MOVEMENT
from neopain.domain.identity import BedId, SourceId
from neopain.domain.score import Modality
from neopain.domain.time import TimeQuality
from neopain.domain.window import Tick
from neopain.embedded.loopback import free_port
from neopain.features.window import Window, assemble
from neopain.ingest.camera.service import serve_cameras
from neopain.ingest.camera.settings import CameraSettings
from neopain.ingest.settings import IngestSettings
from neopain.runtime.metrics import counter
from neopain.runtime.service import Running
from neopain.runtime.settings import BusSettings
from neopain.scoring.reader import read_window
from neopain.wire.media import decode_audio, decode_frame, decode_movement

from .peers import LivePeer, Peer, black, camera_at, live, write_film

BED = BedId("NICU/1/1")


@asynccontextmanager
async def watched(bus_settings: BusSettings, *cameras: CameraSettings) -> AsyncIterator[Running]:
    running = Running()
    settings = IngestSettings(
        cameras=cameras, camera_silent_seconds=1.5, camera_frozen_seconds=1, camera_retry_first_seconds=0.1
    )
    task = asyncio.create_task(serve_cameras(running, settings=settings, bus_settings=bus_settings))
    yield running
    running.stop()
    await task


async def until(holds: Callable[[Window], bool], bus: Bus, *, seconds: float = 20) -> Window:
    """The first window of the bed for which that holds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        now = datetime.now(UTC)
        window = assemble(await read_window(bus, Tick(BED, now, now, await bus.last_ids(BED))))
        if holds(window):
            return window
    raise AssertionError(f"it did not come to that: {window.presences}")


def has(*modalities: Modality) -> Callable[[Window], bool]:
    return lambda window: {one.modality for one in window.presences if one.is_present} >= {*modalities}


async def test_a_camera_with_a_microphone_fills_face_movement_and_cry_of_a_window(
    peer: Peer, films: Path, bus: Bus, bus_settings: BusSettings
) -> None:
    write_film(films / "aac.mp4", seconds=8, sound="aac")
    camera = camera_at(peer.url("aac.mp4"), microphone=True)
    async with watched(bus_settings, camera):
        window = await until(has(Modality.FACE, Modality.MOVEMENT, Modality.CRY), bus)
    assert np.abs(window.tensors.clip[-1].mean(axis=(0, 1)) - (160, 30, 30)).max() < 12
    assert np.abs(window.tensors.cry).max() > 0.2
    frames = [decode_frame(entry.payload) for entry in await bus.read_range(FRAMES, bed=BED)]
    assert {frame.source for frame in frames} == {SourceId("camera", "cam")}
    assert {frame.timing.quality for frame in frames} == {TimeQuality.SOURCE}
    assert min(abs(frame.timing.received - frame.timing.aligned) for frame in frames) < timedelta(seconds=0.2)
    assert await bus.read_range(AUDIO, bed=BED)
    assert [decode_movement(entry.payload).energy for entry in await bus.read_range(MOVEMENT, bed=BED)]
    assert decode_audio((await bus.read_range(AUDIO, bed=BED))[0].payload).timing.source is not None


async def test_a_picture_that_freezes_or_turns_black_takes_face_and_movement_away_until_it_is_live(
    live_peer: LivePeer, bus: Bus, bus_settings: BusSettings
) -> None:
    async with watched(bus_settings, camera_at(live_peer.url, transport="udp")):
        await until(has(Modality.FACE, Modality.MOVEMENT), bus)
        live_peer.paint = lambda _: live(0)
        await until(lacks_face("picture-frozen"), bus)
        live_peer.paint = black
        await until(lacks_face("picture-black"), bus)
        still = len(await bus.read_range(MOVEMENT, bed=BED))
        live_peer.paint = live
        await until(has(Modality.FACE), bus)
        async with asyncio.timeout(30):
            # A face needs one picture, movement two: the face may be there first.
            while len(await bus.read_range(MOVEMENT, bed=BED)) <= still:  # noqa: ASYNC110 - it lies on a server
                await asyncio.sleep(0.1)


async def test_cameras_are_watched_while_one_of_several_media_servers_is_away(
    live_peer: LivePeer, bus: Bus, bus_settings: BusSettings
) -> None:
    # CRC-32 of BED is odd.
    urls = (f"redis://127.0.0.1:{free_port()}/0", *bus_settings.media_urls)
    async with watched(bus_settings.model_copy(update={"media_urls": urls}), camera_at(live_peer.url, transport="udp")):
        await until(has(Modality.FACE), bus)


def lacks_face(why: str) -> Callable[[Window], bool]:
    return lambda window: window.presences[0].reason == why


async def test_a_camera_that_falls_silent_is_connected_again_when_it_is_back(
    films: Path, bus: Bus, bus_settings: BusSettings
) -> None:
    write_film(films / "aac.mp4", seconds=8, sound="aac")
    with Peer(films) as one:
        async with watched(bus_settings, camera_at(one.url("aac.mp4"))):
            await until(has(Modality.FACE), bus)
            before = failures("cam", "silent")
            one.freeze()
            await until(lacks_face("stale"), bus)
            await until(lambda _: failures("cam", "silent") > before, bus)
            one.thaw()
            await until(has(Modality.FACE), bus)


def failures(name: str, why: str) -> float:
    return float(counter("ingest_camera_failures_total").labels(name, why)._value.get())
