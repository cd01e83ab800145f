"""The dashboard's server on a port of this machine, before the real FHIR API where a test asks for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from neopain.dashboard.links import Links
from neopain.dashboard.service import Place, serving
from neopain.dashboard.settings import DashboardSettings
from neopain.embedded.loopback import free_port
from neopain.runtime.clock import SystemClock

from ...servers import trusted
from ..charting.api.conftest import api, api_with, issuer, signing_keys  # noqa: F401 - the real API
from ..charting.conftest import (  # noqa: F401 - and its ward
    TestClock,
    as_role,
    clock,
    database,
    engine,
    engines,
    new_database,
    newest_schema,
    rows,
    shared_database,
    superuser_database,
    ward,
)
from ..in_thread import in_thread
from .provider import Provider

FROM_PAGE = {"X-Neopain-Page": "1", "Content-Type": "application/fhir+json"}


class LaterClock(TestClock):
    """A clock that runs from the real time, since tokens do; the test puts it on."""

    __test__ = False

    def __init__(self) -> None:
        self.moment = SystemClock().now()


@dataclass(slots=True)
class Dashboard:
    """The dashboard as a browser sees it: ``http`` keeps its cookies."""

    settings: DashboardSettings
    clock: LaterClock
    place: Place
    http: httpx.Client

    @property
    def url(self) -> str:
        """Where it listens, whatever it says browsers see."""
        return f"http://{self.settings.host}:{self.settings.port}"

    def get(self, path: str, **options: Any) -> httpx.Response:
        """The answer at a path of it, or at a whole address."""
        return self.http.get(path if path.startswith("http") else f"{self.url}{path}", **options)

    def write(self, method: str, path: str, body: Any, **headers: str) -> httpx.Response:
        """What the page writes; a header that is given empty is left out."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        told = {"Origin": self.settings.own_url, **FROM_PAGE, **named}
        kept = {name: value for name, value in told.items() if value}
        return self.http.request(method, f"{self.url}{path}", headers=kept, json=body)

    def link(self) -> str:
        """A one-time link."""
        links = Links(self.place.links, timedelta(seconds=self.settings.link_seconds))
        return links.make(self.url, now=self.clock.now())

    def sign_in(self) -> None:
        """Signs in by a link."""
        assert self.get(self.link()).status_code == 303


@pytest.fixture
def dashboard_with(tmp_path: Path) -> Iterator[Callable[..., Dashboard]]:
    """Starts one with settings of the test's own; ``issue`` makes the tokens of those who came by a link."""
    with ExitStack() as started:

        def start(*, issue: Callable[..., str] | None = None, **changes: Any) -> Dashboard:
            told = {"port": free_port(), "fhir_url": f"http://127.0.0.1:{free_port()}/fhir/R4", **changes}
            settings = DashboardSettings(**told)
            settings.require_consistent()
            place = Place(tmp_path / "page", tmp_path / "links", "nurse-1", issue)
            clock = LaterClock()
            started.enter_context(in_thread(serving(settings, place, clock)))
            http = started.enter_context(httpx.Client(timeout=30, follow_redirects=False, verify=trusted()))
            return Dashboard(settings, clock, place, http)

        yield start


@pytest.fixture
def dashboard(dashboard_with: Callable[..., Dashboard], api: Any) -> Dashboard:  # noqa: F811 - the fixture
    """One before the real API, whose tokens the API's issuer makes; somebody is signed in."""

    def issue(scopes: tuple[str, ...], lifetime: timedelta) -> str:
        end = datetime.now().astimezone() + lifetime
        return str(api.token(scope=" ".join(scopes), exp=end, sub="nurse-1", name="N. Nurse"))

    made = dashboard_with(fhir_url=api.url, issue=issue)
    made.sign_in()
    return made


@pytest.fixture
def provider(signing_keys: Any) -> Iterator[Provider]:  # noqa: F811 - the fixture
    """A small OpenID provider."""
    with Provider(*signing_keys["es384"]) as provider:
        yield provider


@pytest.fixture
def hospital(dashboard_with: Callable[..., Dashboard], provider: Provider) -> Dashboard:
    """One whose people sign in at the provider; no FHIR server answers."""
    return dashboard_with(openid_issuer=provider.issuer, openid_client_id="dashboard")
