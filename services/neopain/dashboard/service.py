"""The dashboard's process: settings to a listening server, until it is asked to stop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from neopain.dashboard.cookies import Cookies
from neopain.dashboard.door import BACK, OnePerson
from neopain.dashboard.door import Door as SignInDoor
from neopain.dashboard.links import Links
from neopain.dashboard.openid import OpenId, Wanted
from neopain.dashboard.page_files import PageFiles
from neopain.dashboard.provider import Client, Provider
from neopain.dashboard.server import DashboardServer, refuse_unreadable
from neopain.dashboard.sessions import Limits, Sessions
from neopain.dashboard.settings import DashboardSettings
from neopain.dashboard.streams import Streams
from neopain.dashboard.tokens import FileToken, Issue, LocalTokens, Tokens
from neopain.dashboard.upstream import Upstream
from neopain.runtime.clock import Clock, SystemClock
from neopain.runtime.log import Log
from neopain.runtime.service import Running, run_service
from neopain.runtime.web import Door, listening

LOG = Log(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """What this machine gives: the page's folder, that of one-time links, its user, and how local tokens are made."""

    page: Path
    links: Path
    user: str
    issue: Issue | None = None


def run_dashboard(settings: DashboardSettings, place: Place) -> None:
    """Serves until asked to stop, then ends streams and finishes what is in hand.

    ``ConfigurationError`` when it would not be clear who is signed in, when cookies or tokens would go over the network
    in the clear, when the address cannot be had, or when a file of TLS cannot be used.
    """
    settings.require_consistent()

    async def main(running: Running) -> None:
        async with serving(settings, place, SystemClock()):
            running.health.ready()
            await running.stopping.wait()

    run_service("dashboard", settings, main)


@asynccontextmanager
async def serving(settings: DashboardSettings, place: Place, clock: Clock) -> AsyncIterator[None]:
    """Listens while the block runs; ``ConfigurationError`` when it cannot."""
    async with AsyncExitStack() as stack:
        upstream = Upstream(
            settings.fhir_base, connect_seconds=settings.fhir_connect_seconds, answer_seconds=settings.fhir_seconds
        )
        stack.push_async_callback(upstream.aclose)
        way = _way(settings, place, clock)
        if isinstance(way, OpenId):
            stack.push_async_callback(way.aclose)
        sessions = Sessions(clock, _limits(settings))
        streams = Streams(upstream, sessions)
        cookies = Cookies(is_tls=settings.is_tls, port=urlsplit(settings.own_url).port or settings.port)
        door = SignInDoor(way, sessions, cookies, clock, settings.own_url)
        server = DashboardServer(PageFiles(place.page), door, upstream, streams, settings.own_url)
        async with listening(server.handle, refuse_unreadable, _door(settings), stop=streams.stop):
            LOG.info("dashboard_listening", url=settings.own_url)
            yield


def _way(settings: DashboardSettings, place: Place, clock: Clock) -> OnePerson | OpenId:
    if settings.openid_issuer:
        client = Client(settings.openid_client_id, settings.openid_client_secret_file)
        client.secret()
        wanted = Wanted(
            redirect=settings.own_url + BACK,
            scopes=settings.openid_scopes,
            fhir_url=settings.fhir_base,
            parameters=settings.openid_parameters,
            leeway_seconds=settings.openid_leeway_seconds,
        )
        return OpenId(Provider(settings.openid_issuer, client), wanted, clock)
    links = Links(place.links, timedelta(seconds=settings.link_seconds))
    return OnePerson(place.user, links, _tokens(settings, place, clock))


def _tokens(settings: DashboardSettings, place: Place, clock: Clock) -> Callable[[], Tokens]:
    scopes = tuple(settings.openid_scopes.split())
    if (issue := place.issue) is not None:
        return lambda: LocalTokens(issue, clock, scopes)
    return lambda: FileToken(settings.fhir_token_file, scopes)


def _limits(settings: DashboardSettings) -> Limits:
    return Limits(
        idle=timedelta(seconds=settings.idle_seconds),
        longest=timedelta(seconds=settings.session_seconds),
        most=settings.sessions,
    )


def _door(settings: DashboardSettings) -> Door:
    return Door(
        "dashboard",
        "dashboard",
        settings.host,
        settings.port,
        settings.tls_certificate,
        settings.tls_key,
        settings="NEOPAIN_DASHBOARD",
    )
