"""What an HTTP answer, or the lack of one, says: its JSON, how long to wait, and why there was none."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from neopain.codecs.fhir.terminology import Json


def json_object(answer: httpx.Response) -> Json | None:
    """The JSON object in the body, if it is one."""
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def retry_after(answer: httpx.Response) -> float | None:
    """Seconds from a Retry-After header; None where there is none that says how long."""
    return seconds_of(answer.headers.get("Retry-After", ""))


def seconds_of(value: str) -> float | None:
    """Seconds from what a Retry-After header holds: seconds, or a date (RFC 9110 section 10.2.3)."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((aware - datetime.now(UTC)).total_seconds(), 0.0)


def request_id(answer: httpx.Response) -> str:
    """By which the EHR's operators find the request, to be put behind a sentence; empty where it gives none."""
    told = answer.headers.get("X-Request-Id", "")
    return f" (X-Request-Id {told})" if told.isascii() and told.isprintable() and 0 < len(told) <= 80 else ""


def described(error: httpx.HTTPError) -> str:
    """The kind of failure, with what TLS or a proxy said where no connection came about."""
    is_before_sending = isinstance(error, httpx.ConnectError | httpx.ProxyError)
    return f"{type(error).__name__} ({error})" if is_before_sending and str(error) else type(error).__name__
