"""The few FHIR calls of the demo itself: put the simulated infants into its EHR, and count what is charted there."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from neopain.errors import EhrUnavailable

TIMEOUT_SECONDS = 10.0


def put_resource(base_url: str, resource: dict[str, Any]) -> None:
    """Creates or replaces a resource under its own id (FHIR R4 http.html#update). ``EhrUnavailable`` when it fails."""
    url = f"{base_url}/{resource['resourceType']}/{resource['id']}"
    _call(urllib.request.Request(url, data=json.dumps(resource).encode(), method="PUT", headers=_HEADERS))  # noqa: S310


def search(base_url: str, resource_type: str, **parameters: str) -> list[dict[str, Any]]:
    """The resources that match. ``EhrUnavailable`` when the server does not answer."""
    query = urllib.parse.urlencode({"_count": "1000", **parameters})
    bundle = _call(urllib.request.Request(f"{base_url}/{resource_type}?{query}", headers=_HEADERS))  # noqa: S310
    return [entry["resource"] for entry in bundle.get("entry", [])]


_HEADERS = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}


def _call(request: urllib.request.Request) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - an EHR on loopback
            body: dict[str, Any] = json.loads(answer.read() or b"{}")
            return body
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise EhrUnavailable(f"{request.get_method()} {request.full_url.split('?')[0]}: {error}") from error
