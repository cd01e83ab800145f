"""Observations of every sort in one search: charted entries, and newest scores and aggregates where asked for by name.

Whoever asks for an infant's Observations means its record: what is charted nowhere comes only where ``code``,
``category`` or ``_id`` names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from neopain.charting.api.access import Limits
from neopain.charting.api.aggregates import CODES, moment_of, read_aggregate, search_aggregates
from neopain.charting.api.entries import read_entry, search_entries
from neopain.charting.api.found import Found, Page
from neopain.charting.api.live import read_live, search_live
from neopain.charting.api.scene import Scene
from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.cursor import Place
from neopain.codecs.fhir.search import Search, Tokens

LIVE_PREFIX = "live-"


def search_observations(
    connection: Connection, search: Search, limits: Limits, scene: Scene, *, stale_after: timedelta
) -> Page:
    """A page of Observations."""
    pages = [search_entries(connection, search, limits, scene)]
    if _names(search, terms.LIVE, [terms.LIVE_SCORE], is_own_id=is_live):
        pages.append(search_live(connection, search, limits, scene, stale_after=stale_after))
    if _names(search, terms.AGGREGATE, CODES.values(), is_own_id=is_aggregate):
        pages.append(search_aggregates(connection, search, limits, scene))
    return pages[0] if len(pages) == 1 else _merged(pages, search)


def read_observation(
    connection: Connection, own_id: str, limits: Limits, scene: Scene, *, stale_after: timedelta
) -> Found | None:
    """One Observation; None when there is none to be told."""
    if is_live(own_id):
        return read_live(connection, own_id, limits, scene, stale_after=stale_after)
    if is_aggregate(own_id):
        return read_aggregate(connection, own_id, limits)
    return read_entry(connection, "Observation", own_id, limits)


def is_live(own_id: str) -> bool:
    """Whether an id can be one of a newest score."""
    return own_id.startswith(LIVE_PREFIX)


def is_aggregate(own_id: str) -> bool:
    """Whether an id can be one of an aggregate."""
    return own_id.count(".") == 3


def is_uncharted(found: Found) -> bool:
    """Whether it is a newest score or an aggregate."""
    return found.resource["resourceType"] == "Observation" and found.served is None


def _names(search: Search, category: str, codes: Iterable[str], *, is_own_id: Callable[[str], bool]) -> bool:
    """Whether a criterion names what is charted nowhere; a system alone, or a code of another, does not."""
    listed = list(codes)
    for criterion in search.criteria:
        match criterion:
            case Tokens("code", values):
                named = [one for one in values if one.code]
                if any(one.means(terms.SCORES, code) for one in named for code in listed):
                    return True
            case Tokens("category", values):
                if any(one.code and one.means(terms.CATEGORIES, category) for one in values):
                    return True
            case Tokens("_id", values):
                if any(is_own_id(one.code) for one in values):
                    return True
    return False


def _merged(pages: list[Page], search: Search) -> Page:
    """The pages of each sort, each in the order of the search, as one."""
    if search.is_count:
        return Page(total=sum(page.total or 0 for page in pages))

    def here(found: Found) -> tuple[datetime, str]:
        return _moment(found, search), found.id

    everything = sorted((one for page in pages for one in page.matches), key=here, reverse=search.is_descending)
    shown = tuple(everything[: search.count])
    is_more = len(everything) > len(shown) or any(page.next_place is not None for page in pages)
    if not is_more or not shown:
        return Page(shown)
    return Page(shown, Place(shown[-1].id, _moment(shown[-1], search)))


def _moment(found: Found, search: Search) -> datetime:
    served = found.served
    if served is None:
        return moment_of(found, search)
    return served.ends if search.sorts_by == "date" else served.updated
