"""Database, FHIR API and dashboard as on one machine, each on a thread of its own, so that one can be killed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from neopain.charting.api.local_issuer import TokenWish, issue
from neopain.charting.api.service import serving as serving_api
from neopain.charting.api.settings import ApiSettings
from neopain.dashboard.links import Links
from neopain.dashboard.service import Place
from neopain.dashboard.service import serving as serving_dashboard
from neopain.dashboard.settings import DashboardSettings
from neopain.dashboard.tokens import Issue
from neopain.embedded.loopback import free_port
from neopain.runtime.clock import SystemClock


class InThread:
    """A service on a loop and thread of its own."""

    def __init__(self, service: AbstractAsyncContextManager[None]) -> None:
        self._service = service
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._service.__aenter__(), self._loop).result(30)

    def stop(self) -> None:
        try:
            asyncio.run_coroutine_threadsafe(self._service.__aexit__(None, None, None), self._loop).result(30)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


@dataclass(slots=True)
class Hospital:
    """What runs; ``engine`` is where charting writes."""

    engine: Engine
    api_settings: ApiSettings
    settings: DashboardSettings
    page: Path
    folder: Path
    _running: dict[str, InThread] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The dashboard's address."""
        return self.settings.own_url

    @property
    def database_url(self) -> str:
        """The database that charting writes to."""
        return self.api_settings.database_url

    def runs(self, name: str) -> bool:
        """Whether ``api`` or ``dashboard`` does."""
        return name in self._running

    def start_api(self) -> None:
        """The API, as after a crash: on the same port."""
        self._start("api", serving_api(self.api_settings, self.engine, SystemClock()))

    def stop_api(self) -> None:
        """The API is gone."""
        self._running.pop("api").stop()

    def start_dashboard(self) -> None:
        """Its server; sessions of an earlier start are over."""
        place = Place(page=self.page, links=self.folder / "links", user="nurse", issue=self._issuer())
        self._start("dashboard", serving_dashboard(self.settings, place, SystemClock()))

    def stop_dashboard(self) -> None:
        """Its server is gone, and with it every session."""
        self._running.pop("dashboard").stop()

    def stop(self) -> None:
        """Everything."""
        for name in list(self._running):
            self._running.pop(name).stop()

    def link(self) -> str:
        """A one-time address that signs in."""
        links = Links(self.folder / "links", timedelta(minutes=5))
        return links.make(self.url, now=datetime.now(UTC))

    def _start(self, name: str, service: AbstractAsyncContextManager[None]) -> None:
        self._running[name] = InThread(service)
        self._running[name].start()

    def _issuer(self) -> Issue | None:
        return self._issue if self.settings.local_issuer is not None else None

    def _issue(self, scopes: tuple[str, ...], lifetime: timedelta) -> str:
        wish = TokenWish(lifetime, " ".join(scopes), client="neopain dashboard")
        folder = self.folder / "issuer"
        return issue(folder, wish, audience=self.settings.fhir_base, units_claim="", now=datetime.now(UTC))


@contextmanager
def hospital(engine: Engine, database_url: str, *, page: Path, folder: Path, **changes: object) -> Iterator[Hospital]:
    """One that runs; ``changes`` are settings of the dashboard."""
    port = free_port()
    policy = folder / "policy.toml"
    policy.write_text('name = "test"\n[[unit]]\nname = "STUDY"\nstudy.enabled = true\n')
    api = ApiSettings(database_url=database_url, api_port=port, api_local_issuer=folder / "issuer", policy_file=policy)
    settings = DashboardSettings(
        **{"port": free_port(), "fhir_url": api.base_url, "local_issuer": folder / "issuer", **changes}
    )
    running = Hospital(engine, api, settings, page, folder)
    try:
        running.start_api()
        running.start_dashboard()
        yield running
    finally:
        running.stop()
