"""HTTP of the FHIR API: requests in, JSON or an OperationOutcome out. What is asked and told is decided elsewhere."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

from aiohttp import web

from neopain.charting.api.access import TokenVerifier
from neopain.charting.api.changes import Watcher
from neopain.charting.api.client_keys import KEPT_SECONDS, read_client_keys
from neopain.charting.api.client_keys import PATH as CLIENT_KEYS_PATH
from neopain.charting.api.feed import Feed
from neopain.charting.api.held_beds import ResolveBed
from neopain.charting.api.question import (
    FORM,
    SUBSCRIPTION,
    AskCapability,
    AskCreate,
    AskDelete,
    AskOperation,
    AskRead,
    AskSearch,
    AskUpdate,
    AskView,
    Question,
    Write,
    read_question,
    takes_form,
)
from neopain.charting.api.reader import Caller, Reader, Told
from neopain.charting.api.stream import PATH, EventStreams
from neopain.charting.api.subscriptions.desk import Desk
from neopain.charting.api.writer import Writer, Wrote
from neopain.codecs.fhir.capability import capability_statement
from neopain.codecs.fhir.digest import entity_tag, is_known
from neopain.codecs.fhir.refusal import Issue, Refused, bad_request, outcome_of
from neopain.codecs.fhir.review import wrong
from neopain.codecs.fhir.search import handling_of, require_json
from neopain.codecs.fhir.terminology import Json
from neopain.errors import ConfigurationError, TransientError
from neopain.runtime.body import packed, read_at_most
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter, histogram

LOG = Log(__name__)

FHIR_JSON = "application/fhir+json; charset=utf-8"
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
MOST_FORM_BYTES = 65_536
COME_AGAIN_SECONDS = "5"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a resource where there is one, and headers of its own."""

    status: HTTPStatus
    resource: Json | None = None
    headers: dict[str, str] = field(default_factory=dict)


Answering = Callable[[web.BaseRequest, str], Awaitable[Answer]]


class Busy(TransientError):
    """More requests wait than may: come again."""


class FhirServer:
    """Answers requests; ``handle`` is what aiohttp calls. ``threads`` ask the database, ``waiting`` more may wait."""

    def __init__(
        self,
        reader: Reader,
        verifier: TokenVerifier,
        *,
        desk: Desk,
        threads: int,
        waiting: int,
        started: datetime,
        streams: int = 32,
        resolve_bed: ResolveBed | None = None,
        client_keys: Path | None = None,
    ) -> None:
        self._reader = reader
        self._desk = desk
        self._writer = Writer(reader.engine, reader.clock, reader.naming, reader.policies, resolve_bed)
        self._verifier = verifier
        self._client_keys = client_keys
        self._most = threads + waiting
        self._in_hand = 0
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="fhir")
        self._capability = capability_statement(
            url=reader.base_url, started=started, resolves_beds=resolve_bed is not None
        )
        watcher = Watcher(reader.engine, reader.clock, reader.naming, reader.stale_after)
        self._streams = EventStreams(Feed(watcher.look), reader.clock, streams)

    def stop_streams(self) -> None:
        """Ends the streams of events, which would go on otherwise; on the loop that serves them."""
        self._streams.feed.stop()

    def close(self) -> None:
        """Ends its threads."""
        self._pool.shutdown()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request. Every error is an OperationOutcome."""
        own_id = request.headers.get("X-Request-Id", "")
        request_id = own_id if REQUEST_ID.fullmatch(own_id) else secrets.token_hex(16)
        if request.raw_path.partition("?")[0] == PATH and request.method == "GET":
            return await self._stream(request, request_id)
        with histogram("charting_api_seconds").time():
            answer = await self._answer(request, request_id)
        counter("charting_api_requests_total").labels(str(int(answer.status))).inc()
        return await _response(request, answer, request_id)

    async def _stream(self, request: web.BaseRequest, request_id: str) -> web.StreamResponse:
        streamed: list[web.StreamResponse] = []

        async def serve(request: web.BaseRequest, request_id: str) -> Answer:
            access = await self._verifier.admit(request.headers.get("Authorization"))
            caller = Caller(access, request_id, request.remote or "unknown")
            loop = asyncio.get_running_loop()

            async def record(infants: frozenset[str], events: int) -> None:
                await loop.run_in_executor(self._pool, self._reader.record_events, caller, infants, events)

            headers = {"X-Request-Id": request_id, "Cache-Control": "private, no-cache"}
            async with self._writing_refusals(None, caller):
                streamed.append(await self._streams.serve(request, access, record, headers))
            return Answer(HTTPStatus.OK)

        answer = await self._answer(request, request_id, serve)
        counter("charting_api_requests_total").labels(str(int(answer.status))).inc()
        return streamed[0] if streamed else await _response(request, answer, request_id)

    async def _answer(self, request: web.BaseRequest, request_id: str, answered: Answering | None = None) -> Answer:
        try:
            return await (answered or self._answered)(request, request_id)
        except Refused as refused:
            LOG.info("request_refused", status=int(refused.status), why=refused, request=request_id)
            return Answer(refused.status, outcome_of(refused.issues), dict(refused.headers))
        except web.HTTPException as error:
            return _failure(HTTPStatus(error.status), "invalid", "the request cannot be read")
        except TransientError as error:
            LOG.warning("request_waits", why=error, request=request_id)
            again = {"Retry-After": COME_AGAIN_SECONDS}
            text = "this cannot be answered now, or not be written down: nothing was told; try again"
            return _failure(HTTPStatus.SERVICE_UNAVAILABLE, "transient", text, again)
        except Exception:
            # A fault of ours: the client is told that it is, a person reads the log.
            LOG.error("request_failed", request=request_id)
            text = f"this request could not be answered; it is in the log as {request_id}"
            return _failure(HTTPStatus.INTERNAL_SERVER_ERROR, "exception", text)

    async def _answered(self, request: web.BaseRequest, request_id: str) -> Answer:
        target = request.raw_path
        if self._client_keys is not None and request.method == "GET" and target.partition("?")[0] == CLIENT_KEYS_PATH:
            return await _told_client_keys(self._client_keys)
        form = await _form(request) if takes_form(request.method, target) else ""
        question = read_question(request.method, target, form=form)
        wanted = dict(question.pairs).get("_format", "")
        require_json(request.headers.get("Accept", ""), wanted)
        if isinstance(question, AskCapability):
            return self._told_capability(request)
        access = await self._verifier.admit(request.headers.get("Authorization"))
        caller = Caller(
            access=access,
            request_id=request_id,
            address=request.remote or "unknown",
            is_strict=handling_of(request.headers.getall("Prefer", [])),
            if_none_match=", ".join(request.headers.getall("If-None-Match", [])),
        )
        if isinstance(question, AskDelete):
            async with self._writing_refusals(question, caller):
                await self._on_thread(lambda: self._desk.delete(question, caller))
            return Answer(HTTPStatus.NO_CONTENT)
        if isinstance(question, Write):
            told: Told | Wrote = await self._wrote(question, caller, request)
        else:
            async with self._writing_refusals(question, caller):
                told = await self._told(question, caller)
        headers = {"ETag": told.tag}
        if isinstance(told, Wrote) and told.is_new:
            headers["Location"] = _location(self._reader.base_url, told.resource)
        if told.last_updated:
            headers["Last-Modified"] = format_datetime(datetime.fromisoformat(told.last_updated), usegmt=True)
        return Answer(told.status, told.resource, headers)

    async def _wrote(
        self, question: AskUpdate | AskCreate | AskOperation, caller: Caller, request: web.BaseRequest
    ) -> Wrote:
        resource_type = "Parameters" if isinstance(question, AskOperation) else question.resource_type
        body = await _resource(request, resource_type)
        if_match = ", ".join(request.headers.getall("If-Match", []))
        async with self._writing_refusals(question, caller, body):
            return await self._on_thread(lambda: self._write(question, caller, body, if_match))

    def _write(
        self, question: AskUpdate | AskCreate | AskOperation, caller: Caller, body: Json, if_match: str
    ) -> Wrote:
        if isinstance(question, AskOperation):
            return self._writer.operate(question, caller, body)
        if question.resource_type == SUBSCRIPTION:
            if isinstance(question, AskUpdate):
                return self._desk.update(question, caller, body, if_match)
            return self._desk.create(caller, body)
        if isinstance(question, AskUpdate):
            return self._writer.update(question, caller, body, if_match)
        return self._writer.create(question, caller, body)

    def _told_capability(self, request: web.BaseRequest) -> Answer:
        tag = entity_tag(self._capability)
        if (known := request.headers.get("If-None-Match")) and is_known(known, tag):
            return Answer(HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
        return Answer(HTTPStatus.OK, self._capability, {"ETag": tag})

    @asynccontextmanager
    async def _writing_refusals(
        self, question: Question | None, caller: Caller, body: Json | None = None
    ) -> AsyncIterator[None]:
        """A client that is known and may not read or write is in the audit trail before it is told so. None: events."""
        try:
            yield
        except Refused as refused:
            why = refused
            if isinstance(question, Write) and refused.status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
                await self._on_thread(lambda: self._reader.record_refused_write(question, body or {}, caller, why))
            elif isinstance(question, AskRead | AskSearch | AskView | None) and refused.status is HTTPStatus.FORBIDDEN:
                await self._on_thread(lambda: self._reader.record_refused(question, caller, why))
            raise

    async def _told(self, question: Question, caller: Caller) -> Told:
        match question:
            case AskRead():
                return await self._on_thread(lambda: self._reader.read(question, caller))
            case AskSearch():
                return await self._on_thread(lambda: self._reader.search(question, caller))
            case AskView():
                return await self._on_thread(lambda: self._desk.view(question, caller))
            case _:
                raise TypeError(question)

    async def _on_thread(self, do: Callable[[], T]) -> T:
        if self._in_hand >= self._most:
            raise Busy(f"{self._in_hand} requests are in hand")
        self._in_hand += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, do)
        finally:
            self._in_hand -= 1


async def _told_client_keys(file: Path) -> Answer:
    """Read anew each time: a key that comes or goes is told at once."""
    try:
        keys = await asyncio.to_thread(read_client_keys, file)
    except ConfigurationError as error:
        raise TransientError(f"the client's keys cannot be told: {error}") from error
    headers = {"Content-Type": "application/json", "Cache-Control": f"public, max-age={KEPT_SECONDS}"}
    return Answer(HTTPStatus.OK, keys, headers)


async def _form(request: web.BaseRequest) -> str:
    if request.content_type != FORM:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not-supported", f"the body of _search is {FORM}")
    return await _text(request, what="a query")


async def _resource(request: web.BaseRequest, resource_type: str) -> Json:
    """The body as a resource of the type; ``Refused`` (400, 413, 415, 422)."""
    if request.content_type not in ("application/fhir+json", "application/json"):
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not-supported", "the body is application/fhir+json")
    try:
        body = json.loads(await _text(request, what="a resource"))
    except (ValueError, RecursionError) as error:
        raise bad_request("the body is no JSON", code="structure") from error
    if not isinstance(body, dict) or body.get("resourceType") != resource_type:
        raise wrong("resourceType", f"the body is one {resource_type}")
    return body


async def _text(request: web.BaseRequest, *, what: str) -> str:
    body = await read_at_most(request.content, MOST_FORM_BYTES)
    if body is None:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-long", f"{what} has at most {MOST_FORM_BYTES} bytes")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise bad_request("the body is no UTF-8") from error


def _location(base_url: str, resource: Json) -> str:
    return f"{base_url}/{resource['resourceType']}/{resource['id']}/_history/{resource['meta']['versionId']}"


async def _response(request: web.BaseRequest, answer: Answer, request_id: str) -> web.Response:
    headers = {
        "X-Request-Id": request_id,
        # Whoever keeps a copy asks each time whether it still holds: each time it is written down.
        "Cache-Control": "private, no-cache",
        "Vary": "Accept, Accept-Encoding, Authorization",
        "X-Content-Type-Options": "nosniff",
        **answer.headers,
    }
    if answer.resource is None:
        return web.Response(status=answer.status, headers=headers)
    body = json.dumps(answer.resource, separators=(",", ":"), ensure_ascii=False).encode()
    headers.setdefault("Content-Type", FHIR_JSON)
    body, headers = await packed(body, headers, accepted=request.headers.get("Accept-Encoding", ""))
    return web.Response(status=answer.status, headers=headers, body=body)


def _failure(status: HTTPStatus, code: str, text: str, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, outcome_of([Issue(code, text)]), headers or {})


def refuse_unreadable(status: int) -> web.Response:
    """The answer to what is no HTTP: an OperationOutcome."""
    counter("charting_api_requests_total").labels(str(status)).inc()
    refused = Issue("invalid" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "exception", "this is no request")
    body = json.dumps(outcome_of([refused])).encode()
    return web.Response(status=status, body=body, headers={"Content-Type": FHIR_JSON})
