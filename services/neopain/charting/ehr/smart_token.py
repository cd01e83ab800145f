"""Access tokens of SMART Backend Services (SMART App Launch 2, backend-services): asked for with a signed assertion.

A token is kept until shortly before its end. Neither a token nor an assertion is ever in a message or a log.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt

from neopain.charting.ehr.http_answer import described, json_object, retry_after
from neopain.charting.ehr.smart_keys import SmartKey, read_keys
from neopain.errors import ConfigurationError, EhrUnavailable, NotLetIn
from neopain.runtime.clock import Clock
from neopain.runtime.log import Log

LOG = Log(__name__)

ASSERTION_LIFETIME = timedelta(minutes=2)
"""At most five minutes from the server's now: clocks may differ by some."""
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CONFIGURATION = ".well-known/smart-configuration"
FOR_A_PERSON = frozenset(
    {
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
    }
)
"""Errors of a token endpoint (RFC 6749 section 5.2) that asking again does not mend."""
USUAL_SECONDS = 300.0
"""How long a token is good whose answer does not say so."""
LONGEST_SECONDS = 86_400.0
"""No longer than this is a token kept, whatever its answer says."""
MARGIN_SECONDS = 30.0
"""A token is not used so shortly before its end, nor in the second half of a shorter life."""
REFUSED_FOR = timedelta(seconds=60)
"""After a refusal the server is not asked again for this long: many entries may be waiting."""


@dataclass(frozen=True, slots=True)
class SmartClient:
    """This client as the EHR has registered it. Without ``token_url`` the EHR says where its token endpoint is."""

    client_id: str
    keys: Path
    scopes: str
    token_url: str = ""


@dataclass(frozen=True, slots=True)
class _Held:
    token: str
    until: datetime


class TokenSource:
    """Tokens for one FHIR base URL. Safe to share between threads: one asks, the others wait for it."""

    def __init__(self, client: SmartClient, http: httpx.Client, *, clock: Clock) -> None:
        self._client = client
        self._http = http
        self._clock = clock
        self._lock = threading.Lock()
        self._held: _Held | None = None
        self._refused: tuple[datetime, str] | None = None
        self._lacking: frozenset[str] = frozenset()

    def token(self) -> str:
        """A token that is good for now. ``EhrUnavailable`` (nothing was sent) or ``NotLetIn``."""
        with self._lock:
            now = self._clock.now()
            if self._held is None or now >= self._held.until:
                self._held = self._asked(now)
            return self._held.token

    def drop(self, token: str) -> None:
        """Has a new one asked for next time: the EHR does not take this one any more."""
        with self._lock:
            if self._held is not None and self._held.token == token:
                self._held = None

    def _asked(self, now: datetime) -> _Held:
        if self._refused is not None and now < self._refused[0] + REFUSED_FOR:
            raise NotLetIn(self._refused[1])
        try:
            self._refused = None
            return self._ask(now)
        except NotLetIn as error:
            self._refused = now, str(error)
            LOG.warning("ehr_lets_nobody_in", why=error)
            raise

    def _ask(self, now: datetime) -> _Held:
        key = self._signing_key()
        url = self._client.token_url or self._discovered(key)
        form = {
            "grant_type": "client_credentials",
            "scope": self._client.scopes,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion(self._client.client_id, url, key, now=now),
        }
        answer = self._send("POST", url, data=form)
        body = json_object(answer) or {}
        if not answer.is_success:
            raise _refusal(url, answer, body, key)
        return self._read(url, body, now)

    def _signing_key(self) -> SmartKey:
        try:
            return read_keys(self._client.keys)[0]
        except ConfigurationError as error:
            raise NotLetIn(str(error)) from error

    def _discovered(self, key: SmartKey) -> str:
        answer = self._send("GET", CONFIGURATION)
        if answer.status_code in (404, 410):
            raise NotLetIn(f"the EHR has no {CONFIGURATION}: set NEOPAIN_CHARTING_EHR_SMART_TOKEN_URL")
        body = json_object(answer)
        if not answer.is_success or body is None:
            raise EhrUnavailable(f"GET {CONFIGURATION}: HTTP {answer.status_code}", was_sent=False)
        url = body.get("token_endpoint")
        if not isinstance(url, str) or not is_protected(url):
            raise NotLetIn(f"the EHR's {CONFIGURATION} names no token_endpoint by https://")
        algorithms = body.get("token_endpoint_auth_signing_alg_values_supported")
        if isinstance(algorithms, list) and key.algorithm not in algorithms:
            raise NotLetIn(f"the EHR takes no assertion signed by {key.algorithm}: make a key of another algorithm")
        return url

    def _send(self, method: str, url: str, **options: Any) -> httpx.Response:
        try:
            return self._http.request(method, url, headers={"Accept": "application/json"}, **options)
        except httpx.HTTPError as error:
            raise EhrUnavailable(f"{method} {url}: {described(error)}", was_sent=False) from error

    def _read(self, url: str, body: Mapping[str, Any], now: datetime) -> _Held:
        token, kind = body.get("access_token"), str(body.get("token_type", ""))
        if not isinstance(token, str) or not token or kind.lower() != "bearer":
            raise EhrUnavailable(f"POST {url}: an answer without a bearer token", was_sent=False)
        self._compare_scopes(body.get("scope"))
        told = body.get("expires_in")
        seconds = float(min(told, LONGEST_SECONDS)) if isinstance(told, int | float) and told > 0 else USUAL_SECONDS
        return _Held(token, now + timedelta(seconds=max(seconds - MARGIN_SECONDS, seconds / 2)))

    def _compare_scopes(self, granted: object) -> None:
        """Says once what was asked for and not granted; the server need not tell (RFC 6749 section 5.1)."""
        told = granted.split() if isinstance(granted, str) else self._client.scopes.split()
        lacking = frozenset(self._client.scopes.split()) - frozenset(told)
        if lacking != self._lacking and lacking:
            LOG.warning("ehr_grants_less", lacking=" ".join(sorted(lacking)))
        self._lacking = lacking


def assertion(client_id: str, url: str, key: SmartKey, *, now: datetime) -> str:
    """The signed assertion of who asks for a token at this URL, good once (RFC 7523 section 3)."""
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": url,
        "exp": int((now + ASSERTION_LIFETIME).timestamp()),
        "jti": secrets.token_hex(16),
    }
    return jwt.encode(claims, key.private, algorithm=key.algorithm, headers={"kid": key.kid})


def is_protected(url: str) -> bool:
    """Whether a secret may go there: by TLS, or within this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refusal(url: str, answer: httpx.Response, body: Mapping[str, Any], key: SmartKey) -> EhrUnavailable | NotLetIn:
    text = f"POST {url}: HTTP {answer.status_code}"
    code = body.get("error")
    if answer.is_client_error and isinstance(code, str) and code in FOR_A_PERSON:
        return NotLetIn(f"{text}, {code} (signed by key {key.kid}): look at the client's registration, keys and scopes")
    return EhrUnavailable(text, retry_after_seconds=retry_after(answer), was_sent=False)
