"""The process of the HL7 door: checks the bus, listens, publishes baselines, drains."""

from __future__ import annotations

import asyncio
from functools import partial

from neopain.bus.bus import Bus
from neopain.errors import BusUnavailable, ConfigurationError
from neopain.ingest.fitness import wait_until_fit
from neopain.ingest.hl7.baseline import publish_baselines
from neopain.ingest.hl7.intake import Intake
from neopain.ingest.hl7.listener import Listener
from neopain.ingest.settings import IngestSettings
from neopain.runtime.clock import SystemClock
from neopain.runtime.log import Log
from neopain.runtime.service import Running, run_service
from neopain.runtime.settings import BusSettings

LOG = Log(__name__)

WATCH_SECONDS = 2.0


def run_hl7(settings: IngestSettings, bus_settings: BusSettings) -> None:
    """Listens for HL7 v2 until asked to stop.

    Raises ``ConfigurationError`` when the address cannot be bound, or when the bus could lose what is acknowledged.
    """
    run_service("ingest", settings, partial(serve_hl7, settings=settings, bus_settings=bus_settings))


async def serve_hl7(running: Running, *, settings: IngestSettings, bus_settings: BusSettings) -> None:
    """The service's main: listens once the bus has been found fit."""
    bus = Bus(bus_settings.address())
    try:
        if await wait_until_fit(bus, running):
            await _serve(running, bus, settings)
    finally:
        await bus.aclose()


async def _serve(running: Running, bus: Bus, settings: IngestSettings) -> None:
    clock = SystemClock()
    listener = Listener(Intake(bus, settings, clock), settings)
    await listener.start()
    running.health.ready()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(publish_baselines(bus, running, clock))
            group.create_task(_watch(bus, running))
            group.create_task(listener.intake.receipts.write_until_stopped(running))
            await running.stopping.wait()
            await listener.drain()
    finally:
        await listener.drain()
        await listener.intake.receipts.write()


async def _watch(bus: Bus, running: Running) -> None:
    # While the bus is away, messages go unanswered: /ready says so, and a balancer sends its connections elsewhere.
    while await running.pause(WATCH_SECONDS):
        try:
            await bus.check()
        except (BusUnavailable, ConfigurationError) as error:
            running.health.not_ready(str(error))
        else:
            if not running.stopping.is_set():
                running.health.ready()
