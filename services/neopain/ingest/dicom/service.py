"""The process of the DICOM door: checks the servers, opens the spool, listens, scores, drains."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Protocol

import cv2

from neopain.bus.bus import Bus
from neopain.errors import ConfigurationError
from neopain.ingest.dicom.intake import Intake
from neopain.ingest.dicom.processing import Processor
from neopain.ingest.dicom.scp import StorageScp
from neopain.ingest.dicom.spool import Spool
from neopain.ingest.dicom.web.door import WebDoor
from neopain.ingest.dicom.web.store import StoreTransaction
from neopain.ingest.fitness import MediaServers, wait_until_fit
from neopain.ingest.settings import IngestSettings
from neopain.runtime.address import is_loopback
from neopain.runtime.clock import SystemClock
from neopain.runtime.log import Log
from neopain.runtime.service import Running, run_service
from neopain.runtime.settings import BusSettings

LOG = Log(__name__)

WATCH_SECONDS = 1.0


def run_dicom(settings: IngestSettings, bus_settings: BusSettings) -> None:
    """Receives DICOM objects and scores them until asked to stop.

    Raises ``ConfigurationError`` when there is no spool, the address cannot be bound or would let anybody in, a file of
    TLS cannot be used, or a server breaks its promise.
    """
    cv2.setNumThreads(1)
    run_service("ingest", settings, partial(serve_dicom, settings=settings, bus_settings=bus_settings))


async def serve_dicom(running: Running, *, settings: IngestSettings, bus_settings: BusSettings) -> None:
    """The service's main: listens once the servers have been found fit."""
    refuse_open_door(settings)
    bus = Bus(bus_settings.address_with_media())
    servers = MediaServers(bus)
    try:
        if await wait_until_fit(servers.check, running):
            await _serve(running, servers, settings)
    finally:
        await bus.aclose()


def refuse_open_door(settings: IngestSettings) -> None:
    """``ConfigurationError`` when anybody on the network could send."""
    if not settings.dicom_callers and not is_loopback(settings.dicom_host):
        raise ConfigurationError(
            f"the DICOM SCP would let anybody in on {settings.dicom_host}: name who may send in "
            'NEOPAIN_INGEST_DICOM_CALLERS, e.g. ["CAMERA1"]'
        )


async def _serve(running: Running, servers: MediaServers, settings: IngestSettings) -> None:
    if settings.dicom_spool is None:
        raise ConfigurationError("the DICOM door needs a folder: set NEOPAIN_INGEST_DICOM_SPOOL")
    with Spool(settings.dicom_spool, reserve_bytes=settings.dicom_reserve_bytes) as spool:
        await _receive_and_score(running, servers, spool, settings)


async def _receive_and_score(running: Running, servers: MediaServers, spool: Spool, settings: IngestSettings) -> None:
    left = spool.waiting()
    LOG.info("spool_opened", waiting=len(left), aside=len(spool.aside()))
    processor, loop = Processor(servers.bus, spool, settings), asyncio.get_running_loop()
    wake = partial(loop.call_soon_threadsafe, processor.woken.set)
    doors = _doors(Intake(spool, settings, SystemClock(), wake), spool, settings)
    try:
        for door in doors:
            door.start()
        running.health.ready()
        async with asyncio.TaskGroup() as group:
            scoring = group.create_task(processor.run(running))
            group.create_task(_watch(doors, running))
            watching = group.create_task(servers.watch(running))
            await running.stopping.wait()
            processor.woken.set()
            await asyncio.to_thread(_stop, doors)
            await asyncio.wait((scoring,), timeout=settings.dicom_drain_seconds)
            scoring.cancel()
            watching.cancel()
    finally:
        await asyncio.to_thread(_stop, doors)


class Door(Protocol):
    """A way for objects to come in."""

    def start(self) -> None:
        """Opens it; ``ConfigurationError`` when its address cannot be had."""

    def watch(self) -> None:
        """To be called once a second."""

    def stop(self) -> None:
        """Closes it once what is in hand is answered, or after a while; harmless to repeat."""


def _doors(intake: Intake, spool: Spool, settings: IngestSettings) -> list[Door]:
    doors: list[Door] = [StorageScp(intake, spool, settings)]
    if settings.dicom_web_port:
        doors.append(WebDoor(StoreTransaction(intake, spool, settings), settings))
    return doors


def _stop(doors: list[Door]) -> None:
    # The SCP goes last: it empties the folder that both receive into.
    for door in reversed(doors):
        door.stop()


async def _watch(doors: list[Door], running: Running) -> None:
    while await running.pause(WATCH_SECONDS):
        for door in doors:
            await asyncio.to_thread(door.watch)
