"""Links of what a FHIR server answers, made such that the page reaches them: by the dashboard, not by the server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import urljoin

from neopain.codecs.fhir.terminology import Json
from neopain.dashboard.allowed import PREFIX


def relinked(body: bytes, bases: Sequence[str]) -> bytes:
    """A Bundle with its links as paths of the dashboard; anything else as it is.

    A link to elsewhere stays: the browser refuses to follow it, and the page shows that it could not read on.
    """
    if b'"link"' not in body:
        return body
    try:
        resource = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if not isinstance(resource, dict) or resource.get("resourceType") != "Bundle":
        return body
    _relink(resource, bases)
    return json.dumps(resource, separators=(",", ":"), ensure_ascii=False).encode()


def _relink(bundle: Json, bases: Sequence[str]) -> None:
    for link in bundle.get("link") or ():
        if isinstance(link, dict) and isinstance(link.get("url"), str):
            link["url"] = own_path(link["url"], bases)


def own_path(url: str, bases: Sequence[str]) -> str:
    """The path by which the dashboard passes on a URL of the server; the URL itself when it is none of it.

    ``bases`` are the base URLs that the server has: the one that is set first, then the one that it says itself.
    """
    absolute = urljoin(f"{bases[0]}/", url)
    for base in bases:
        if absolute == base or absolute.startswith((f"{base}/", f"{base}?")):
            return PREFIX + absolute[len(base) :].lstrip("/")
    return url
