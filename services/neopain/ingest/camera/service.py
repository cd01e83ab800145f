"""The process of one group of cameras: checks the servers, reads each camera in a thread, publishes.

One process per group, so that a stream that brings FFmpeg down takes only its own group with it.
"""

from __future__ import annotations

import asyncio
import resource
import threading
import time
from collections.abc import Sequence
from functools import partial

import av
import cv2

from neopain.bus.bus import Bus
from neopain.errors import ConfigurationError
from neopain.ingest.camera.intake import CameraIntake, FaceLocator
from neopain.ingest.camera.outlet import Outlet
from neopain.ingest.camera.reader import CameraReader
from neopain.ingest.camera.settings import CameraSettings
from neopain.ingest.camera.source import RtspConnection
from neopain.ingest.face.cascade import CascadeFinder
from neopain.ingest.face.tracker import FaceTracker
from neopain.ingest.face.yunet import YuNetFinder
from neopain.ingest.fitness import MediaServers, wait_until_fit
from neopain.ingest.settings import IngestSettings
from neopain.runtime.backoff import Backoff
from neopain.runtime.log import Log
from neopain.runtime.service import Running, run_service
from neopain.runtime.settings import BusSettings

LOG = Log(__name__)


def run_cameras(settings: IngestSettings, bus_settings: BusSettings) -> None:
    """Reads the cameras of one group until asked to stop.

    Raises ``ConfigurationError`` when no camera is set, when several groups are and none is chosen, or when a media
    server would write frames to a disk.
    """
    keep_media_in_memory()
    cv2.setNumThreads(1)
    run_service("ingest", settings, partial(serve_cameras, settings=settings, bus_settings=bus_settings))


async def serve_cameras(running: Running, *, settings: IngestSettings, bus_settings: BusSettings) -> None:
    """The service's main: connects once the bus has been found fit."""
    cameras = cameras_of_group(settings)
    bus = Bus(bus_settings.address_with_media())
    servers = MediaServers(bus)
    try:
        if await wait_until_fit(servers.check, running):
            await _serve(running, servers, settings, cameras)
    finally:
        await bus.aclose()


def cameras_of_group(settings: IngestSettings) -> tuple[CameraSettings, ...]:
    """The cameras that this process reads; ``ConfigurationError`` when that is not clear."""
    if not settings.cameras:
        raise ConfigurationError("no camera to read: set NEOPAIN_INGEST_CAMERAS")
    groups = sorted({camera.group for camera in settings.cameras})
    chosen = settings.camera_group
    if not chosen and len(groups) > 1:
        listed = ", ".join(group or "(none)" for group in groups)
        raise ConfigurationError(
            f"the cameras are in several groups ({listed}), each of which needs a process of its own: "
            "give each camera a group and set NEOPAIN_INGEST_CAMERA_GROUP"
        )
    found = tuple(camera for camera in settings.cameras if not chosen or camera.group == chosen)
    if not found:
        raise ConfigurationError(
            f"NEOPAIN_INGEST_CAMERA_GROUP is {chosen}, and no camera is in it: {', '.join(groups)}"
        )
    return found


def keep_media_in_memory() -> None:
    """A process that reads live media leaves no picture of its memory behind when it is killed by a bad stream."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # FFmpeg's own log quotes addresses, with the passwords in them.
    av.logging.set_level(None)


async def _serve(
    running: Running, servers: MediaServers, settings: IngestSettings, cameras: Sequence[CameraSettings]
) -> None:
    stopping = threading.Event()
    outlets = [Outlet(camera.name, servers.bus) for camera in cameras]
    readers = [make_reader(camera, settings, outlet, stopping) for camera, outlet in zip(cameras, outlets, strict=True)]
    tasks = [asyncio.create_task(outlet.publish()) for outlet in outlets]
    threads = [start_reading(reader) for reader in readers]
    running.health.ready()
    LOG.info("cameras_watched", cameras=len(cameras), group=settings.camera_group)
    stop_asked = asyncio.create_task(running.stopping.wait())
    tasks.append(asyncio.create_task(servers.watch(running)))
    # A publisher does not end by itself: one that does has failed, and the process with it.
    await asyncio.wait((stop_asked, *tasks), return_when=asyncio.FIRST_COMPLETED)
    stop_asked.cancel()
    stopping.set()
    for outlet in outlets:
        outlet.close()
    ended, _ = await asyncio.wait(tasks, timeout=settings.camera_drain_seconds)
    await asyncio.to_thread(_await_end, threads, settings.camera_drain_seconds)
    for task in ended:
        task.result()


def make_reader(
    camera: CameraSettings, settings: IngestSettings, outlet: Outlet, stopping: threading.Event
) -> CameraReader:
    """The reader of one camera."""
    silent = settings.camera_silent_seconds
    return CameraReader(
        intake=CameraIntake(camera, face_locator(camera, settings), frozen_seconds=settings.camera_frozen_seconds),
        connect=partial(RtspConnection, camera, silent_seconds=silent),
        give=outlet.give,
        stopping=stopping,
        silent_seconds=silent,
        backoff=Backoff(first=settings.camera_retry_first_seconds, longest=settings.camera_retry_longest_seconds),
    )


def face_locator(camera: CameraSettings, settings: IngestSettings) -> FaceLocator | None:
    """What says where the face is before this camera: the site's box, else a finder; None when there is neither.

    ``ConfigurationError`` when the finder is not there.
    """
    if camera.site_box is not None:
        return camera.site_box
    match settings.camera_finder:
        case "none":
            return None
        case "cascade":
            return FaceTracker(CascadeFinder())
        case "yunet":
            if settings.camera_finder_model is None:
                raise ConfigurationError("the face finder yunet needs its file: set NEOPAIN_INGEST_CAMERA_FINDER_MODEL")
            return FaceTracker(YuNetFinder(settings.camera_finder_model))


def start_reading(reader: CameraReader) -> threading.Thread:
    """Starts the reader's thread. It does not keep the process alive: a read that nothing ends is left behind."""
    thread = threading.Thread(target=reader.run, name=f"camera-{reader.name}", daemon=True)
    thread.start()
    return thread


def _await_end(threads: Sequence[threading.Thread], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0.0))
