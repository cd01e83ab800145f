"""HTTP to a FHIR server: requests out, JSON or one of our errors back. Errors carry codes, never patient data."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import httpx

from neopain import __version__
from neopain.codecs.fhir.answers import outcome_text
from neopain.codecs.fhir.terminology import Json
from neopain.errors import EhrUnavailable, RejectedByEhr

LATER = {401, 408, 409, 425, 429}
"""Client errors that another try may mend: credentials being renewed, time-outs, conflicts, too many requests."""

STALE = {409, 412}


class FhirHttp:
    """One FHIR base URL. Safe to share between threads."""

    def __init__(self, base_url: str, *, timeout_seconds: float) -> None:
        self._client = httpx.Client(
            base_url=base_url.rstrip("/") + "/",
            timeout=timeout_seconds,
            headers={"Accept": "application/fhir+json", "User-Agent": f"neopain/{__version__}"},
            verify=_trusted(),
        )

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()

    def get(self, path: str, **parameters: str) -> Json:
        """Reads or searches. ``EhrUnavailable`` or ``RejectedByEhr``."""
        return self._send("GET", path, params=parameters)

    def create(self, resource: Json, *, if_none_exist: str) -> None:
        """Creates the resource unless the search finds one (R4 http.html#ccreate); 200, 201 and 202 are all taken."""
        headers = {"Content-Type": "application/fhir+json", "If-None-Exist": if_none_exist}
        self._send("POST", resource["resourceType"], json=resource, headers=headers, needs_body=False)

    def update(self, path: str, resource: Json, *, version: str) -> bool:
        """Puts the resource in place of that version of it (R4 http.html#concurrency); False where it has another one.

        Some servers say 409 of that, where R4 has 412 (interop.md 4.5).
        """
        headers = {"Content-Type": "application/fhir+json", "If-Match": f'W/"{version}"'}
        answer = self._ask("PUT", path, json=resource, headers=headers)
        if answer.status_code in STALE:
            return False
        if not answer.is_success:
            raise _refusal(f"PUT {path}", answer)
        return True

    def _send(self, method: str, path: str, *, needs_body: bool = True, **options: Any) -> Json:
        action = f"{method} {path}"
        answer = self._ask(method, path, **options)
        if not answer.is_success:
            raise _refusal(action, answer)
        body = _json(answer)
        if body is None and needs_body:
            raise EhrUnavailable(f"{action}: HTTP {answer.status_code} whose body is no JSON object")
        return body or {}

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise EhrUnavailable(f"{method} {path}: {type(error).__name__}") from error


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities that httpx trusts, read once for all clients."""
    return httpx.create_ssl_context()


def _refusal(action: str, answer: httpx.Response) -> EhrUnavailable | RejectedByEhr:
    text = f"{action}: HTTP {answer.status_code}, {outcome_text(_json(answer))}"
    if answer.is_client_error and answer.status_code not in LATER:
        return RejectedByEhr(text)
    return EhrUnavailable(text, retry_after_seconds=_retry_after(answer))


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date (RFC 9110 section 10.2.3)."""
    value = answer.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((aware - datetime.now(UTC)).total_seconds(), 0.0)


def _json(answer: httpx.Response) -> Json | None:
    try:
        body = answer.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
