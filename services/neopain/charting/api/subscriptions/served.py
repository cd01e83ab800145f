"""A client's own subscriptions, as reads and searches find them."""

from __future__ import annotations

from sqlalchemy import Connection

from neopain.charting.api.access import Access
from neopain.charting.api.found import Found, Page
from neopain.charting.api.subscriptions import rows
from neopain.charting.api.subscriptions.rows import Subscription, owner_of
from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.cursor import Place
from neopain.codecs.fhir.search import Search, Tokens
from neopain.codecs.fhir.subscription import subscription_of


def read_own(connection: Connection, own_id: str, access: Access) -> Found | None:
    """One of the client's, as a resource; None when there is none."""
    found = rows.one(connection, own_id, owner_of(access))
    return Found(subscription_of(found.shown)) if found is not None else None


def search_own(connection: Connection, search: Search, access: Access) -> Page:
    """A page of the client's, by id: they are few."""
    found = [one for one in rows.read(connection, rows.is_of(owner_of(access))) if _is_asked_for(one, search)]
    if search.is_count:
        return Page(total=len(found))
    after = [one for one in found if search.after is None or one.id > search.after.id]
    shown = after[: search.count]
    is_more = len(after) > len(shown)
    return Page(
        tuple(Found(subscription_of(one.shown)) for one in shown), Place(shown[-1].id, None) if is_more else None
    )


def _is_asked_for(found: Subscription, search: Search) -> bool:
    for criterion in search.criteria:
        match criterion:
            case Tokens("_id", values):
                is_so = any(one.system is None and one.code == found.id for one in values)
            case Tokens("status"):
                is_so = criterion.mean(terms.SUBSCRIPTION_STATUS, found.status.value)
            case _:
                raise NotImplementedError(f"a criterion of the table that nobody looks at: {criterion.name}")
        if not is_so:
            return False
    return True
