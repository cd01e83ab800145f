"""``neopain dashboard``: its server, its one-time links, and the build of its page."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from neopain.bootstrap.places import root_folder, state_folder
from neopain.charting.api.local_issuer import TokenWish, issue
from neopain.dashboard.links import Links
from neopain.dashboard.service import Place, run_dashboard
from neopain.dashboard.settings import OPENID, DashboardSettings
from neopain.dashboard.tokens import Issue
from neopain.embedded.page import build, is_built
from neopain.errors import ConfigurationError
from neopain.runtime.clock import SystemClock
from neopain.runtime.settings import read_settings
from neopain.runtime.user import user


def serve_dashboard() -> None:
    """Serves until asked to stop; ``ConfigurationError`` when it refuses to start."""
    settings = read_settings(DashboardSettings)
    place = Place(
        page=settings.page or page_folder(),
        links=links_folder(settings),
        user=user(),
        issue=_issue(settings, settings.local_issuer) if settings.local_issuer is not None else None,
    )
    run_dashboard(settings, place)


def print_link() -> int:
    """Prints a one-time link and nothing else. ``ConfigurationError`` where people sign in otherwise."""
    settings = read_settings(DashboardSettings)
    if settings.openid_issuer:
        raise ConfigurationError(f"{OPENID} is set: people sign in there, at {settings.own_url}")
    print(make_link(settings))
    return 0


def run_build() -> int:
    """Builds the page, and says where it is."""
    print(f"neopain: the page {'was built' if build_page() else 'is built already'}: {page_folder()}")
    return 0


def build_page() -> bool:
    """Builds the page unless it is built from these sources already; returns whether it did. ``ConfigurationError``."""
    return build(page_sources(), page_folder().parent)


def is_page_built() -> bool:
    """Whether the page is built from these sources."""
    return is_built(page_sources(), page_folder().parent)


def make_link(settings: DashboardSettings) -> str:
    """A new one-time link to the dashboard of these settings."""
    links = Links(links_folder(settings), timedelta(seconds=settings.link_seconds))
    return links.make(settings.own_url, now=SystemClock().now())


def page_folder() -> Path:
    """Where the built page is."""
    return state_folder(None, "dashboard") / "page"


def page_sources() -> Path:
    """Where the page's sources are."""
    return root_folder() / "services/neopain/dashboard/page"


def links_folder(settings: DashboardSettings) -> Path:
    """Where the one-time links of the dashboard on this port are."""
    return settings.links or state_folder(None, "dashboard") / "links" / str(settings.port)


def _issue(settings: DashboardSettings, folder: Path) -> Issue:
    def make(scopes: tuple[str, ...], lifetime: timedelta) -> str:
        wish = TokenWish(lifetime, " ".join(scopes), client="neopain dashboard")
        return issue(folder, wish, audience=settings.fhir_base, units_claim="", now=SystemClock().now())

    return make
