"""The dashboard in a real browser, before the real API and database; rows are written as charting writes them."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import Engine, create_engine, text

from neopain.charting.database import connect
from neopain.charting.migrate import migrate
from neopain.domain.identity import BedId
from neopain.embedded.npm import run_npm_ci
from neopain.embedded.page import LINK, build

from ...once_per_run import once_per_run
from .bedside import Bedside, prepare_days
from .browser import browser as running_browser
from .hospital import Hospital, hospital

ROOT = Path(__file__).parents[3]
SOURCES = ROOT / "services/neopain/dashboard/page"
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 780}
# A browser out of a package takes its language from the machine, which may have none.
PERSON = {"viewport": DESKTOP, "reduced_motion": "reduce", "locale": "en-GB"}
NewBed = Callable[..., Bedside]
Open = Callable[..., Page]


@pytest.fixture(scope="session")
def built_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the page was built in."""
    return once_per_run(tmp_path_factory.getbasetemp(), "dashboard", partial(build, SOURCES))


@pytest.fixture(scope="session")
def page_tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's sources with all that checks them."""

    def make(folder: Path) -> None:
        shutil.copytree(SOURCES, folder, ignore=shutil.ignore_patterns("node_modules"))
        run_npm_ci(folder)

    return once_per_run(tmp_path_factory.getbasetemp(), "page-tools", make)


@pytest.fixture(scope="package")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests here: while it is there, a loop of its own runs, and nobody else's can."""
    with running_browser(tmp_path_factory.getbasetemp()) as running:
        yield running


@contextmanager
def new_database(server_url: str) -> Iterator[str]:
    name = f"dashboard_{uuid.uuid4().hex[:12]}"
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = server_url.rpartition("/")[0] + f"/{name}"
    migrate(url)
    yield url
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture(scope="package")
def running(database_url: str, built_page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    """Database, API and dashboard for all tests here; each test has beds of its own."""
    with new_database(database_url) as url:
        engine = connect(url, connections=10)
        prepare_days(engine)
        folder = tmp_path_factory.mktemp("hospital")
        with hospital(engine, url, page=built_page / LINK, folder=folder) as started:
            yield started
        engine.dispose()


@pytest.fixture
def engine(running: Hospital) -> Engine:
    """Where charting writes."""
    return running.engine


@pytest.fixture
def new_bed(engine: Engine) -> Iterator[NewBed]:
    """Makes beds that nobody else has; they are empty again afterwards, so that no test sees another's."""
    made: list[Bedside] = []

    def make(name: str = "") -> Bedside:
        bed = Bedside(engine, BedId(f"NICU/{name or uuid.uuid4().hex[:6]}@EAST"))
        made.append(bed)
        return bed

    yield make
    for bed in made:
        bed.discharge()


@pytest.fixture
def open_page(chromium: Browser, running: Hospital) -> Iterator[Open]:
    """Opens a page of somebody who is signed in; nothing may be wrong in it."""
    contexts: list[Any] = []
    faults: list[str] = []

    def start(path: str = "/", **context: Any) -> Page:
        made = chromium.new_context(**{**PERSON, **context})
        contexts.append(made)
        page = made.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(running.link())
        if path != "/":
            page.goto(running.url + path)
        return page

    yield start
    for one in contexts:
        one.close()
    assert faults == []
