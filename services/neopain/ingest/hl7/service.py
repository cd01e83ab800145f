"""The process of the HL7 door: checks the bus, listens, publishes baselines, drains."""

from __future__ import annotations

import asyncio
import gc
from functools import partial

from neopain.bus.bus import Bus
from neopain.errors import BusUnavailable, ConfigurationError
from neopain.ingest.fitness import wait_until_fit
from neopain.ingest.hl7.baseline import publish_baselines
from neopain.ingest.hl7.gate import gate_of
from neopain.ingest.hl7.intake import Intake
from neopain.ingest.hl7.listener import Listener
from neopain.ingest.hl7.sources import read_sources
from neopain.ingest.hl7.unknown_codes import write_unknown_codes
from neopain.ingest.settings import IngestSettings
from neopain.runtime.clock import SystemClock
from neopain.runtime.log import Log
from neopain.runtime.service import Running, run_service
from neopain.runtime.settings import BusSettings
from neopain.runtime.tls import CERTIFICATE_SECONDS, Tls, files_of

LOG = Log(__name__)

WATCH_SECONDS = 2.0
YOUNG_OBJECTS = 20_000
"""New objects after which cycles among them are looked for, which took a tenth of a message's time. They have none."""


def run_hl7(settings: IngestSettings, bus_settings: BusSettings) -> None:
    """Listens for HL7 v2 until asked to stop.

    Raises ``ConfigurationError`` when the address cannot be bound, a file of the settings cannot be used, or the bus
    could lose what is acknowledged.
    """
    gc.set_threshold(YOUNG_OBJECTS)
    run_service("ingest", settings, partial(serve_hl7, settings=settings, bus_settings=bus_settings))


async def serve_hl7(running: Running, *, settings: IngestSettings, bus_settings: BusSettings) -> None:
    """The service's main: listens once its files and the bus have been found fit."""
    bus = Bus(bus_settings.address())
    try:
        listener = listener_of(settings, bus)
        if await wait_until_fit(bus.check_durable, running):
            await _serve(running, bus, listener)
    finally:
        await bus.aclose()


def listener_of(settings: IngestSettings, bus: Bus) -> Listener:
    """The listener that the settings ask for, not started; ``ConfigurationError`` when one of their files is wrong."""
    intake = Intake(bus, settings, SystemClock(), read_sources(settings))
    return Listener(intake, settings, gate_of(settings), tls_of(settings))


def tls_of(settings: IngestSettings) -> Tls | None:
    """TLS with the settings' files, None for plain TCP. Raises ``ConfigurationError``."""
    files = files_of(
        "NEOPAIN_INGEST_HL7_TLS",
        settings.hl7_tls_certificate,
        settings.hl7_tls_key,
        settings.hl7_tls_client_ca,
        is_client_required=settings.hl7_tls_client_required,
    )
    return Tls("hl7", files, service="ingest") if files is not None else None


async def _serve(running: Running, bus: Bus, listener: Listener) -> None:
    await listener.start()
    running.health.ready()
    try:
        async with asyncio.TaskGroup() as group:
            clock = listener.intake.clock
            group.create_task(publish_baselines(bus, running, clock))
            group.create_task(write_unknown_codes(listener.intake.vitals.unknown, bus, running, clock))
            group.create_task(_watch(bus, running))
            group.create_task(listener.intake.receipts.write_until_stopped(running))
            if listener.tls is not None:
                group.create_task(_watch_certificates(listener.tls, running))
            await running.stopping.wait()
            await listener.drain()
    finally:
        await listener.drain()
        await listener.intake.receipts.write()


async def _watch_certificates(tls: Tls, running: Running) -> None:
    while await running.pause(CERTIFICATE_SECONDS):
        tls.refresh()


async def _watch(bus: Bus, running: Running) -> None:
    # While the bus is away, messages go unanswered: /ready says so, and a balancer sends its connections elsewhere.
    while await running.pause(WATCH_SECONDS):
        try:
            await bus.check_durable()
        except (BusUnavailable, ConfigurationError) as error:
            running.health.not_ready(str(error))
        else:
            if not running.stopping.is_set():
                running.health.ready()
