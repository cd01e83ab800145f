"""The API's process: settings to a listening server, until it is asked to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine

from neopain.charting.api.access import Site, TokenVerifier
from neopain.charting.api.client_keys import read_client_keys
from neopain.charting.api.held_beds import ResolveBed
from neopain.charting.api.local_issuer import ISSUER, make_key
from neopain.charting.api.reader import Reader
from neopain.charting.api.server import FhirServer, refuse_unreadable
from neopain.charting.api.settings import ApiSettings
from neopain.charting.api.subscriptions.desk import Desk
from neopain.charting.api.subscriptions.dispatcher import CONNECTIONS, Dispatcher
from neopain.charting.api.subscriptions.endpoint import EndpointRules, Endpoints
from neopain.charting.api.subscriptions.fan_out import FanOut
from neopain.charting.api.subscriptions.notifier import Notifier
from neopain.charting.api.subscriptions.notifier import Site as ToldSite
from neopain.charting.api.watching import Watching
from neopain.charting.database import connect
from neopain.charting.ehr.client_tls import ClientTls
from neopain.charting.retry import RetryPolicy
from neopain.charting.schema import wait_for_schema
from neopain.errors import ConfigurationError, KeysUnavailable
from neopain.runtime.clock import Clock, SystemClock
from neopain.runtime.jwks import KeyCache, from_file, from_url, read_keys
from neopain.runtime.log import Log
from neopain.runtime.service import Running, run_service
from neopain.runtime.signed_token import KeySource
from neopain.runtime.web import Door, listening

LOG = Log(__name__)


def run_api(settings: ApiSettings, *, resolve_bed: ResolveBed | None = None) -> None:
    """Serves FHIR until asked to stop, then finishes what is in hand. ``resolve_bed`` None: it resolves no held bed.

    ``ConfigurationError`` when nobody says who may read, when tokens would go over the network in the clear, when the
    address cannot be had, when the database lacks a revision, or when a file of TLS cannot be used.
    """
    settings.require_consistent()

    async def main(running: Running) -> None:
        engine = connect(settings.database_url, connections=settings.api_connections)
        try:
            if await wait_for_schema(engine, running):
                async with serving(settings, engine, SystemClock(), resolve_bed=resolve_bed):
                    running.health.ready()
                    await running.stopping.wait()
        finally:
            engine.dispose()

    run_service("charting", settings, main)


@asynccontextmanager
async def serving(
    settings: ApiSettings, engine: Engine, clock: Clock, *, resolve_bed: ResolveBed | None = None
) -> AsyncIterator[None]:
    """Listens while the block runs; ``ConfigurationError`` when it cannot."""
    if settings.api_client_keys is not None:
        _require_client_keys(settings.api_client_keys)
    dispatcher = _dispatcher(settings, clock) if settings.api_subscriptions else None
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
        desk=_desk(settings, engine, clock),
        threads=settings.api_connections,
        waiting=settings.api_waiting,
        started=clock.now(),
        streams=settings.api_streams,
        resolve_bed=resolve_bed,
        client_keys=settings.api_client_keys,
    )
    try:
        async with listening(server.handle, refuse_unreadable, _door(settings), stop=server.stop_streams):
            LOG.info(
                "fhir_api_listening",
                host=settings.api_host,
                port=settings.api_port,
                tls=settings.api_tls_key is not None,
            )
            if dispatcher is not None:
                dispatcher.start()
            yield
    finally:
        if dispatcher is not None:
            await asyncio.to_thread(dispatcher.close)
        await asyncio.to_thread(server.close)


def _desk(settings: ApiSettings, engine: Engine, clock: Clock) -> Desk:
    return Desk(
        engine,
        clock,
        _told_site(settings),
        EndpointRules(frozenset(settings.api_subscription_hosts)),
        settings.api_subscriptions,
        timedelta(days=settings.api_subscription_days),
        settings.api_host,
    )


def _dispatcher(settings: ApiSettings, clock: Clock) -> Dispatcher:
    """Not begun. With connections of its own: who reads does not wait for who is told."""
    engine = connect(settings.database_url, connections=CONNECTIONS)
    kept = timedelta(days=settings.api_subscription_kept_days)
    files = settings.subscription_tls
    rules = EndpointRules(frozenset(settings.api_subscription_hosts))
    notifier = Notifier(
        engine,
        clock,
        _told_site(settings),
        Endpoints(rules, ClientTls(files, door="subscriptions") if files.are_given else None),
        retries=RetryPolicy(
            timedelta(seconds=settings.retry_first_seconds), timedelta(seconds=settings.retry_longest_seconds)
        ),
        failures=settings.api_subscription_failures,
    )
    fan_out = FanOut(engine, clock, settings.units, kept)
    return Dispatcher(engine, clock, fan_out, notifier, seconds=settings.api_subscription_look_seconds)


def _told_site(settings: ApiSettings) -> ToldSite:
    return ToldSite(settings.base_url, settings.naming, settings.charting_policies(), settings.units)


def _door(settings: ApiSettings) -> Door:
    return Door(
        "api",
        "charting",
        settings.api_host,
        settings.api_port,
        settings.api_tls_certificate,
        settings.api_tls_key,
        settings="NEOPAIN_CHARTING_API",
    )


def _keys(settings: ApiSettings) -> KeySource:
    if settings.api_local_issuer is not None:
        return make_key(settings.api_local_issuer)
    if settings.api_jwks_file is not None:
        _require_keys(settings.api_jwks_file)
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
        policies=settings.charting_policies(),
    )


def _require_client_keys(path: Path) -> None:
    try:
        read_client_keys(path)
    except ConfigurationError as error:
        raise ConfigurationError(f"NEOPAIN_CHARTING_API_CLIENT_KEYS: {error}") from error


def _require_keys(path: Path) -> None:
    """``ConfigurationError`` for a file without a usable key: it is ours to put right, unlike an address."""
    try:
        found = read_keys(path.read_bytes())
    except (OSError, KeysUnavailable) as error:
        raise ConfigurationError(f"NEOPAIN_CHARTING_API_JWKS_FILE {path}: {error}") from error
    if not found:
        raise ConfigurationError(
            f"NEOPAIN_CHARTING_API_JWKS_FILE {path} has no key with a kid that can be used: "
            "RSA from 2048 bits, P-256, P-384"
        )
