"""The API's process: settings to a listening server, until it is asked to stop."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from aiohttp import web
from sqlalchemy import Engine

from neopain.charting.api.access import KeySource, Site, TokenVerifier
from neopain.charting.api.keys import KeyCache, from_file, from_url, require_file
from neopain.charting.api.local_issuer import ISSUER, make_key
from neopain.charting.api.reader import Reader
from neopain.charting.api.server import FhirServer, FhirWebServer
from neopain.charting.api.settings import ApiSettings
from neopain.charting.api.watching import Watching
from neopain.charting.database import connect
from neopain.charting.schema import wait_for_schema
from neopain.errors import ConfigurationError
from neopain.runtime.clock import Clock, SystemClock
from neopain.runtime.log import Log
from neopain.runtime.service import Running, run_service

LOG = Log(__name__)

DRAIN_SECONDS = 10.0
"""How long requests in hand may go on after the service was asked to stop."""


def run_api(settings: ApiSettings) -> None:
    """Serves FHIR until asked to stop, then finishes what is in hand.

    ``ConfigurationError`` when nobody says who may read, when tokens would go over the network in the clear, when the
    address cannot be had, or when the database lacks a revision.
    """
    settings.require_consistent()

    async def main(running: Running) -> None:
        engine = connect(settings.database_url, connections=settings.api_connections)
        try:
            if await wait_for_schema(engine, running):
                async with serving(settings, engine, SystemClock()):
                    running.health.ready()
                    await running.stopping.wait()
        finally:
            engine.dispose()

    run_service("charting", settings, main)


@asynccontextmanager
async def serving(settings: ApiSettings, engine: Engine, clock: Clock) -> AsyncIterator[None]:
    """Listens while the block runs; ``ConfigurationError`` when it cannot."""
    server = FhirServer(
        Reader(
            engine,
            clock,
            settings.naming,
            settings.base_url,
            settings.api_host,
            settings.charting_policies(),
            timedelta(seconds=settings.api_live_seconds),
            Watching(timedelta(seconds=settings.api_watch_seconds)),
        ),
        TokenVerifier(_keys(settings), _site(settings)),
        threads=settings.api_connections,
        waiting=settings.api_waiting,
        started=clock.now(),
        streams=settings.api_streams,
    )
    runner = web.ServerRunner(FhirWebServer(server), shutdown_timeout=DRAIN_SECONDS)
    await runner.setup()
    try:
        await _listen(runner, settings)
        yield
    finally:
        server.stop_streams()
        await runner.cleanup()
        await asyncio.to_thread(server.close)


async def _listen(runner: web.ServerRunner, settings: ApiSettings) -> None:
    host, port = settings.api_host, settings.api_port
    try:
        await web.TCPSite(runner, host.strip("[]"), port, ssl_context=_tls(settings)).start()
    except OSError as error:
        raise ConfigurationError(
            f"the FHIR API cannot listen on {host}:{port} ({error.strerror}): "
            "set NEOPAIN_CHARTING_API_HOST and NEOPAIN_CHARTING_API_PORT"
        ) from error
    LOG.info("fhir_api_listening", host=host, port=port, tls=settings.api_tls_certificate is not None)


def _tls(settings: ApiSettings) -> ssl.SSLContext | None:
    if settings.api_tls_certificate is None or settings.api_tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.api_tls_certificate, settings.api_tls_key, password="")
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"NEOPAIN_CHARTING_API_TLS_CERTIFICATE and _KEY cannot be used ({error.strerror or error})"
        ) from error
    return context


def _keys(settings: ApiSettings) -> KeySource:
    if settings.api_local_issuer is not None:
        return make_key(settings.api_local_issuer)
    if settings.api_jwks_file is not None:
        require_file(settings.api_jwks_file)
    fetch = from_file(settings.api_jwks_file) if settings.api_jwks_file is not None else from_url(settings.api_jwks_url)
    return KeyCache(
        fetch,
        lifetime_seconds=settings.api_jwks_lifetime_seconds,
        refetch_seconds=settings.api_jwks_refetch_seconds,
    )


def _site(settings: ApiSettings) -> Site:
    return Site(
        issuer=ISSUER if settings.api_local_issuer is not None else settings.api_issuer,
        audience=settings.audience,
        leeway_seconds=settings.api_leeway_seconds,
        systems=settings.authority_systems,
        served_units=settings.units,
        units_claim=settings.api_units_claim,
    )
