"""The hospital's OpenID provider over HTTP: its discovery document, and what its token endpoint answers.

OpenID Connect Discovery 1.0, OpenID Connect Core 1.0 section 3.1, RFC 6749, RFC 7636.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp

from neopain.errors import ConfigurationError, ProviderUnavailable, SignInRefused
from neopain.runtime.address import is_safe_url
from neopain.runtime.body import read_at_most
from neopain.runtime.log import Log

LOG = Log(__name__)

DISCOVERY = "/.well-known/openid-configuration"
MOST_BYTES = 262_144
ASK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Client:
    """How the dashboard is known there; without a secret it is a public client."""

    id: str
    secret_file: Path | None = None

    def secret(self) -> str:
        """The secret, empty for none. ``ConfigurationError`` when its file cannot be read."""
        if self.secret_file is None:
            return ""
        try:
            return self.secret_file.read_text().strip()
        except OSError as error:
            raise ConfigurationError(
                f"NEOPAIN_DASHBOARD_OPENID_CLIENT_SECRET_FILE {self.secret_file} cannot be read ({error.strerror})"
            ) from error

    def authorization(self) -> dict[str, str]:
        """How it shows its secret: HTTP Basic, with both parts form-encoded first (RFC 6749 section 2.3.1)."""
        secret = self.secret()
        if not secret:
            return {}
        shown = f"{quote(self.id, safe='')}:{quote(secret, safe='')}"
        return {"Authorization": f"Basic {b64encode(shown.encode()).decode()}"}


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where it is asked for what; ``end_session`` is empty where people cannot be signed out there."""

    authorization: str
    token: str
    jwks: str
    end_session: str = ""


class Provider:
    """The provider, asked by this client. Its endpoints are read when they are first needed, and kept."""

    def __init__(self, issuer: str, client: Client) -> None:
        self.issuer = issuer
        self.client = client
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=ASK_SECONDS), cookie_jar=aiohttp.DummyCookieJar()
        )
        self._endpoints: Endpoints | None = None
        self._lock = asyncio.Lock()

    async def aclose(self) -> None:
        """Ends its connections."""
        await self._http.close()

    async def endpoints(self) -> Endpoints:
        """``ProviderUnavailable`` when they cannot be had."""
        async with self._lock:
            if self._endpoints is None:
                status, told = await self._asked("GET", self.issuer.rstrip("/") + DISCOVERY)
                if status != HTTPStatus.OK:
                    raise ProviderUnavailable(f"the discovery document of {self.issuer} answers HTTP {status}")
                self._endpoints = read_endpoints(told, self.issuer)
            return self._endpoints

    async def grant(self, **asked: str) -> Mapping[str, Any]:
        """What the token endpoint answers. ``SignInRefused`` when it refuses, ``ProviderUnavailable``."""
        endpoints = await self.endpoints()
        try:
            told_by = self.client.authorization()
        except ConfigurationError as error:
            raise ProviderUnavailable(str(error)) from error
        form = asked if told_by else {**asked, "client_id": self.client.id}
        status, told = await self._asked("POST", endpoints.token, data=form, headers=told_by)
        if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED):
            LOG.warning("grant_refused", grant=asked["grant_type"], why=_short(told.get("error")))
            raise SignInRefused("the OpenID provider refused it")
        if status != HTTPStatus.OK:
            raise ProviderUnavailable(f"the token endpoint answers HTTP {status}")
        return told

    async def _asked(self, method: str, url: str, **options: Any) -> tuple[int, Mapping[str, Any]]:
        try:
            async with self._http.request(method, url, allow_redirects=False, **options) as answer:
                body = await read_at_most(answer.content, MOST_BYTES)
                if body is None:
                    raise ProviderUnavailable(f"{url} gives more than {MOST_BYTES} bytes")
                return answer.status, _object(body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ProviderUnavailable(f"{url}: {type(error).__name__}") from error


def read_endpoints(told: Mapping[str, Any], issuer: str) -> Endpoints:
    """The endpoints of a discovery document. ``ProviderUnavailable`` when it is another's, or they are not safe."""
    if told.get("issuer") != issuer:
        raise ProviderUnavailable(f"the discovery document is not that of {issuer}: set the issuer as it names itself")
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    urls = [told.get(name) for name in names]
    if not all(isinstance(url, str) and is_safe_url(url) for url in urls):
        raise ProviderUnavailable(f"the discovery document of {issuer} lacks one of {', '.join(names)} by https")
    end = told.get("end_session_endpoint")
    authorization, token, jwks = map(str, urls)
    return Endpoints(authorization, token, jwks, end if isinstance(end, str) and is_safe_url(end) else "")


def with_query(url: str, **parameters: str) -> str:
    """A URL, which may have a query of its own, with further parameters."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _short(value: object) -> str:
    return value[:60] if isinstance(value, str) and value.isascii() and value.isprintable() else "unknown"
