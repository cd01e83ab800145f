"""The process of the device API: checks the servers, listens, drains."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Protocol

import cv2
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from neopain.bus.bus import Bus
from neopain.bus.series import SeriesPublisher
from neopain.domain.identity import BedId
from neopain.domain.media import FaceBox
from neopain.errors import BusUnavailable, ConfigurationError
from neopain.ingest.device.call import Calls
from neopain.ingest.device.gate import make_gate
from neopain.ingest.device.outlet import Outlet
from neopain.ingest.device.servicer import DeviceIngestServicer
from neopain.ingest.device.tls import DeviceTls, tls_of
from neopain.ingest.fitness import MediaServers, wait_until_fit
from neopain.ingest.settings import IngestSettings
from neopain.runtime.clock import Clock, SystemClock
from neopain.runtime.log import Log
from neopain.runtime.service import Running, run_service
from neopain.runtime.settings import BusSettings
from neopain.wire.v1 import device_pb2, device_pb2_grpc

LOG = Log(__name__)

WATCH_SECONDS = 1.0
SERVICE = device_pb2.DESCRIPTOR.services_by_name["DeviceIngest"].full_name


def run_device(settings: IngestSettings, bus_settings: BusSettings) -> None:
    """Serves the device API until asked to stop.

    Raises ``ConfigurationError`` when the address cannot be bound, when the bus could lose what it acknowledged, or
    when the media server would write frames to a disk.
    """
    cv2.setNumThreads(1)
    run_service("ingest", settings, partial(serve_device, settings=settings, bus_settings=bus_settings))


async def serve_device(running: Running, *, settings: IngestSettings, bus_settings: BusSettings) -> None:
    """The service's main: listens once the bus has been found fit."""
    bus = Bus(bus_settings.address_with_media())
    servers = MediaServers(bus)
    try:
        if await wait_until_fit(servers.check, running):
            await _serve(running, servers, settings)
    finally:
        await bus.aclose()


async def _serve(running: Running, servers: MediaServers, settings: IngestSettings) -> None:
    server, probe = make_server(servers.bus, settings, SystemClock())
    tls = tls_of(settings)
    address = listen(server, settings, tls)
    await server.start()
    await _say(probe, is_serving=True)
    running.health.ready()
    LOG.info("device_api_listening", address=address)
    await _watch(servers, running, probe, tls)
    await probe.enter_graceful_shutdown()
    await server.stop(settings.device_drain_seconds)


def listen(server: grpc.aio.Server, settings: IngestSettings, tls: DeviceTls | None) -> str:
    """Binds the settings' address; ``ConfigurationError`` when it cannot be had."""
    address = f"{settings.device_host}:{settings.device_port}"
    try:
        if tls is None:
            server.add_insecure_port(address)
        else:
            server.add_secure_port(address, tls.credentials())
    except RuntimeError as error:
        raise ConfigurationError(
            f"the device API cannot listen on {address} ({error}); set NEOPAIN_INGEST_DEVICE_HOST and _PORT"
        ) from error
    return address


async def _watch(servers: MediaServers, running: Running, probe: Probe, tls: DeviceTls | None) -> None:
    # While the bus, or every media server, is away nothing gets a receipt: both probes say so, and a balancer sends
    # devices elsewhere.
    while await running.pause(WATCH_SECONDS):
        if tls is not None:
            tls.refresh()
        try:
            await servers.check()
        except (BusUnavailable, ConfigurationError) as error:
            running.health.not_ready(str(error))
            await _say(probe, is_serving=False)
        else:
            if not running.stopping.is_set():
                running.health.ready()
                await _say(probe, is_serving=True)


async def _say(probe: Probe, *, is_serving: bool) -> None:
    statuses = health_pb2.HealthCheckResponse
    for service in ("", SERVICE):
        await probe.set(service, statuses.SERVING if is_serving else statuses.NOT_SERVING)


class Probe(Protocol):
    """The part of ``grpc_health``'s asyncio servicer that is used; its type stubs leave the class out."""

    async def set(self, service: str, status: health_pb2.HealthCheckResponse.ServingStatus.ValueType) -> None:
        """Says whether a service serves."""

    async def enter_graceful_shutdown(self) -> None:
        """Says that no service serves any more."""


def make_server(bus: Bus, settings: IngestSettings, clock: Clock) -> tuple[grpc.aio.Server, Probe]:
    """The server with the device API, the standard health service and reflection; it does not listen yet.

    Raises ``ConfigurationError`` for a door that would be open to a network, and for a wrong file of credentials.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", settings.device_largest_message_bytes),
            ("grpc.so_reuseport", 0),
            ("grpc.keepalive_time_ms", 20_000),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        ]
    )
    publisher = SeriesPublisher(bus)
    calls = Calls(make_gate(settings), publisher, settings)
    servicer = DeviceIngestServicer(calls, Outlet(publisher), clock, face_boxes(settings.device_face_boxes))
    device_pb2_grpc.add_DeviceIngestServicer_to_server(servicer, server)
    probe = health.aio.HealthServicer()  # type: ignore[attr-defined]
    health_pb2_grpc.add_HealthServicer_to_server(probe, server)
    reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    return server, probe


def face_boxes(told: Mapping[str, tuple[int, int, int, int]]) -> dict[BedId, FaceBox]:
    """The site's boxes as the settings tell them."""
    return {BedId(bed): FaceBox(*box) for bed, box in told.items()}
