"""The FHIR server that the pages are about: requests passed to it with the session's token, its answers passed back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from neopain.codecs.fhir.refusal import Refused
from neopain.dashboard.allowed import Asked
from neopain.dashboard.bundles import own_path, relinked
from neopain.dashboard.tokens import Tokens
from neopain.errors import FhirUnavailable, SignInRefused
from neopain.runtime.body import read_at_most
from neopain.runtime.log import Log

LOG = Log(__name__)

PASSED_ON = ("Accept", "Content-Type", "If-Match", "If-None-Match", "Last-Event-ID", "Prefer", "X-Request-Id")
PASSED_BACK = ("Content-Type", "ETag", "Last-Modified", "Retry-After", "X-Request-Id", "Allow")
MOST_BYTES = 32 * 1024 * 1024
SILENCE_SECONDS = 8.0
"""Our API sends something every 2 s: a stream that is silent for longer is broken."""
TRIES = 2


@dataclass(frozen=True, slots=True)
class FhirServer:
    """Where it is. ``own_url`` is what it says of itself, where that is another address."""

    base: str
    is_ours: bool
    own_url: str = ""

    @property
    def bases(self) -> tuple[str, ...]:
        """The base URLs that its links may have."""
        return (self.base, self.own_url) if self.own_url not in ("", self.base) else (self.base,)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request of the page: query and headers as they came; names of headers are found in any case."""

    method: str
    asked: Asked
    query: str
    headers: CIMultiDict[str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Passed:
    """What the server answered, for the page."""

    status: HTTPStatus
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Upstream:
    """The connections to it."""

    def __init__(self, base: str, *, connect_seconds: float, answer_seconds: float) -> None:
        self._base = base
        self._answer = aiohttp.ClientTimeout(total=answer_seconds, sock_connect=connect_seconds)
        self._stream = aiohttp.ClientTimeout(
            total=None, connect=connect_seconds, sock_connect=connect_seconds, sock_read=SILENCE_SECONDS
        )
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar(), raise_for_status=False
        )
        self._known: FhirServer | None = None

    async def aclose(self) -> None:
        """Ends its connections."""
        await self._http.close()

    async def server(self, tokens: Tokens) -> FhirServer:
        """What it says of itself, asked until it was told once. ``FhirUnavailable`` and what ``tokens`` raise."""
        if self._known is None:
            self._known = await self._ask_capability(tokens)
            LOG.info("fhir_server_known", is_ours=self._known.is_ours)
        return self._known

    async def pass_on(self, sent: Sent, tokens: Tokens, server: FhirServer) -> Passed:
        """The server's answer. ``FhirUnavailable``, ``ProviderUnavailable``, ``SignInRefused``; ``Refused`` (502)."""
        async with self._open(sent, tokens, self._answer) as answer:
            body = await _read(answer)
            status = HTTPStatus(answer.status)
            headers = {name: answer.headers[name] for name in PASSED_BACK if name in answer.headers}
            if location := answer.headers.get("Location"):
                headers["Location"] = own_path(location, server.bases)
        if 300 <= status < 400 and status != HTTPStatus.NOT_MODIFIED:
            raise Refused(HTTPStatus.BAD_GATEWAY, "exception", "the FHIR server answers at another address")
        return Passed(status, headers, relinked(body, server.bases) if status == HTTPStatus.OK else body)

    @asynccontextmanager
    async def stream(self, sent: Sent, tokens: Tokens) -> AsyncIterator[aiohttp.ClientResponse]:
        """A stream of events, or the answer that there is none. The same errors; also while it is read."""
        async with self._open(sent, tokens, self._stream) as answer:
            yield answer

    @asynccontextmanager
    async def _open(
        self, sent: Sent, tokens: Tokens, times: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with await self._ask(sent, tokens, times) as answer:
                yield answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise FhirUnavailable(f"the FHIR server did not answer ({type(error).__name__})") from error

    async def _ask(self, sent: Sent, tokens: Tokens, times: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        """The answer; asked once more with another token when it was not let in: then nothing was done."""
        refused: str | None = None
        for _ in range(TRIES):
            token = await tokens.token(refused)
            answer = await self._http.request(
                sent.method,
                self._url(sent),
                headers=_headers(sent, token),
                data=sent.body or None,
                timeout=times,
                allow_redirects=False,
            )
            if answer.status != HTTPStatus.UNAUTHORIZED:
                return answer
            answer.release()
            refused = token
        raise SignInRefused("the FHIR server does not take the token of this session")

    def _url(self, sent: Sent) -> URL:
        path = f"/{sent.asked.path}" if sent.asked.path else ""
        query = f"?{sent.query}" if sent.query else ""
        return URL(f"{self._base}{path}{query}", encoded=True)

    async def _ask_capability(self, tokens: Tokens) -> FhirServer:
        headers = {"Accept": "application/fhir+json"}
        if token := await tokens.token():
            headers["Authorization"] = f"Bearer {token}"
        url = URL(f"{self._base}/metadata", encoded=True)
        try:
            async with self._http.get(url, headers=headers, timeout=self._answer, allow_redirects=False) as answer:
                body = await _read(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise FhirUnavailable(f"the FHIR server did not answer ({type(error).__name__})") from error
        if answer.status != HTTPStatus.OK:
            raise FhirUnavailable(f"the FHIR server answers HTTP {answer.status} for its CapabilityStatement")
        return read_capability(body, self._base)


def read_capability(body: bytes, base: str) -> FhirServer:
    """What a CapabilityStatement says. ``FhirUnavailable`` when it is none."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FhirUnavailable("what the FHIR server gives is no CapabilityStatement") from error
    if not isinstance(told, dict) or told.get("resourceType") != "CapabilityStatement":
        raise FhirUnavailable("what the FHIR server gives is no CapabilityStatement")
    own_url = _object(told, "implementation").get("url")
    is_ours = _object(told, "software").get("name") == "neopain"
    return FhirServer(base, is_ours, own_url.rstrip("/") if isinstance(own_url, str) else "")


def _object(told: dict[str, Any], name: str) -> dict[str, Any]:
    found = told.get(name)
    return found if isinstance(found, dict) else {}


def _headers(sent: Sent, token: str) -> dict[str, str]:
    headers = {name: sent.headers[name] for name in PASSED_ON if name in sent.headers}
    return {**headers, "Authorization": f"Bearer {token}"} if token else headers


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    body = await read_at_most(answer.content, MOST_BYTES)
    if body is None:
        answer.close()
        raise Refused(HTTPStatus.BAD_GATEWAY, "too-long", f"the FHIR server answers more than {MOST_BYTES} bytes")
    return body


async def chunks_of(answer: aiohttp.ClientResponse, *until: asyncio.Event) -> AsyncIterator[bytes]:
    """What comes of a stream, as it comes, until it ends or one of ``until`` is set. ``FhirUnavailable``: it broke."""
    stops = [asyncio.ensure_future(one.wait()) for one in until]
    more = asyncio.ensure_future(answer.content.readany())
    try:
        while True:
            await asyncio.wait((more, *stops), return_when=asyncio.FIRST_COMPLETED)
            if any(one.done() for one in stops) or not (chunk := _taken(more)):
                return
            yield chunk
            more = asyncio.ensure_future(answer.content.readany())
    finally:
        for task in (more, *stops):
            task.cancel()


def _taken(more: asyncio.Future[bytes]) -> bytes:
    try:
        return more.result()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise FhirUnavailable(f"the stream of events broke ({type(error).__name__})") from error
