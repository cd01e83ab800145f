"""HTTP of the dashboard: which address is answered by what, and what every answer carries."""

from __future__ import annotations

import re
import secrets
from http import HTTPStatus

from aiohttp import web
from multidict import CIMultiDict

from neopain.codecs.fhir.refusal import Issue, Refused
from neopain.dashboard.allowed import PREFIX, READ_METHODS, Asked, Kind, read_asked
from neopain.dashboard.answers import (
    NO_STORE,
    SECURITY,
    TLS_ONLY,
    told_file,
    told_json,
    told_outcome,
    told_person,
)
from neopain.dashboard.door import BACK, SIGN_IN, SIGN_OUT, Door
from neopain.dashboard.links import PATH as ONCE
from neopain.dashboard.page_files import PAGES, PageFiles
from neopain.dashboard.sessions import Session
from neopain.dashboard.streams import Streams
from neopain.dashboard.upstream import Passed, Sent, Upstream
from neopain.errors import SignInRefused, TransientError
from neopain.runtime.body import packed, read_at_most
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter, histogram

LOG = Log(__name__)

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
PAGE_HEADER = "X-Neopain-Page"
MOST_BODY_BYTES = 65_536
COME_AGAIN_SECONDS = "2"
NOT_BUILT = "The page is not built yet: run neopain dashboard build, or wait until the demo has done so."


class DashboardServer:
    """Answers requests; ``handle`` is what aiohttp calls."""

    def __init__(self, files: PageFiles, door: Door, upstream: Upstream, streams: Streams, own_url: str) -> None:
        self._files = files
        self._door = door
        self._upstream = upstream
        self._streams = streams
        self._own_url = own_url
        self._headers = {**SECURITY, **TLS_ONLY} if own_url.startswith("https://") else SECURITY

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request."""
        path, _, query = request.raw_path.partition("?")
        what = "fhir" if path.startswith(PREFIX) else "page"
        try:
            response = await (self._fhir(request, path, query) if what == "fhir" else self._page(request, path, query))
        except Exception:
            # A fault of ours: the browser is told that it is, a person reads the log.
            LOG.error("request_failed", what=what)
            issue = Issue("exception", "this request could not be answered; it is in the log")
            response = told_outcome(HTTPStatus.INTERNAL_SERVER_ERROR, issue)
        counter("dashboard_requests_total").labels(what, str(response.status)).inc()
        if not response.prepared:
            response.headers.update(self._headers)
        return response

    async def _page(self, request: web.BaseRequest, path: str, query: str) -> web.Response:
        if path == SIGN_OUT and request.method in ("GET", "POST"):
            return await self._sign_out(request)
        if request.method not in READ_METHODS:
            return web.Response(status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
        if path == "/session":
            return await self._session(request)
        return await self._signing_in(request, path, query) or self._file(request, path)

    async def _signing_in(self, request: web.BaseRequest, path: str, query: str) -> web.Response | None:
        if path == SIGN_IN:
            return await self._door.sign_in(query)
        if path == BACK:
            return await self._door.back(request, query)
        if path.startswith(ONCE) and request.method == "GET":
            return self._door.once(request, path.removeprefix(ONCE))
        return None

    def _file(self, request: web.BaseRequest, path: str) -> web.Response:
        if file := self._files.find(path):
            accepted = request.headers.get("Accept-Encoding", "")
            return told_file(file, accepted=accepted, known=request.headers.get("If-None-Match", ""))
        if PAGES.fullmatch(path):
            return told_person(NOT_BUILT, status=HTTPStatus.SERVICE_UNAVAILABLE, link="/", label="Try again")
        return told_person("There is no such page.", status=HTTPStatus.NOT_FOUND, link="/", label="To the ward")

    async def _session(self, request: web.BaseRequest) -> web.Response:
        session = self._door.session(request) if _is_own(request) else None
        if session is None:
            return told_json({"signIn": SIGN_IN}, HTTPStatus.UNAUTHORIZED)
        try:
            is_ours = (await self._upstream.server(session.tokens)).is_ours
        except (TransientError, SignInRefused) as error:
            # It passes for ours meanwhile: the page shows a lost connection, and asks again when it is back.
            LOG.warning("fhir_server_unknown", why=error)
            is_ours = True
        return told_json(self._door.told(session, is_ours=is_ours))

    async def _sign_out(self, request: web.BaseRequest) -> web.Response:
        is_allowed = _is_own(request) if request.method == "GET" else self._is_from_page(request)
        if not is_allowed:
            return told_person("Sign out on the dashboard.", status=HTTPStatus.FORBIDDEN, link="/", label="To the ward")
        return await self._door.sign_out(request, self._door.session(request))

    async def _fhir(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        own_id = request.headers.get("X-Request-Id", "")
        request_id = own_id if REQUEST_ID.fullmatch(own_id) else secrets.token_hex(16)
        session = self._door.session(request) if _is_own(request) else None
        try:
            response = await self._passed(request, _required(session), path.removeprefix(PREFIX), query, request_id)
        except Refused as refused:
            LOG.info("request_refused", status=int(refused.status), why=refused, request=request_id)
            response = told_outcome(refused.status, refused.issue, refused.headers)
        except SignInRefused as error:
            response = self._let_go(session, error, request_id)
        except TransientError as error:
            LOG.warning("request_waits", why=error, request=request_id)
            issue = Issue("transient", "the FHIR server does not answer: what is shown is as old as it says")
            response = told_outcome(HTTPStatus.SERVICE_UNAVAILABLE, issue, {"Retry-After": COME_AGAIN_SECONDS})
        if not response.prepared:
            response.headers["X-Request-Id"] = request_id
        return response

    def _let_go(self, session: Session | None, error: SignInRefused, request_id: str) -> web.Response:
        """There is no token for the session any more: it ends, and the page has her sign in again."""
        LOG.warning("session_ended", why=error, request=request_id)
        if session is not None:
            self._door.end(session)
        return told_outcome(HTTPStatus.UNAUTHORIZED, Issue("login", str(error)))

    async def _passed(
        self, request: web.BaseRequest, session: Session, path: str, query: str, request_id: str
    ) -> web.StreamResponse:
        server = await self._upstream.server(session.tokens)
        asked = read_asked(request.method, path, query, is_ours=server.is_ours)
        sent = await self._sent(request, asked, query, request_id)
        if asked.kind is Kind.EVENTS:
            headers = {**self._headers, "X-Request-Id": request_id}
            streamed = await self._streams.serve(request, session, sent, headers)
            return streamed if isinstance(streamed, web.StreamResponse) else await _response(request, streamed)
        with histogram("dashboard_fhir_seconds").time():
            passed = await self._upstream.pass_on(sent, session.tokens, server)
        return await _response(request, passed)

    async def _sent(self, request: web.BaseRequest, asked: Asked, query: str, request_id: str) -> Sent:
        if request.method not in READ_METHODS and not self._is_from_page(request):
            text = f"a write comes from the page itself: Origin {self._own_url} and {PAGE_HEADER}: 1"
            raise Refused(HTTPStatus.FORBIDDEN, "forbidden", text)
        body = b"" if request.method in READ_METHODS else await _body(request)
        headers = CIMultiDict(request.headers)
        headers["X-Request-Id"] = request_id
        return Sent(request.method, asked, query, headers, body)

    def _is_from_page(self, request: web.BaseRequest) -> bool:
        """Whether no other site's page can have sent it: the cookie is Strict, and these two are the browser's word."""
        return request.headers.get("Origin") == self._own_url and request.headers.get(PAGE_HEADER) == "1"


def refuse_unreadable(status: int) -> web.Response:
    """The answer to what is no HTTP."""
    counter("dashboard_requests_total").labels("unreadable", str(status)).inc()
    return web.Response(status=status, text="this is no request\n", headers={**SECURITY, **NO_STORE})


def _is_own(request: web.BaseRequest) -> bool:
    """Whether the browser does not say that another site's page asks (Fetch Metadata)."""
    return request.headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none")


def _required(session: Session | None) -> Session:
    if session is None:
        raise Refused(HTTPStatus.UNAUTHORIZED, "login", "nobody is signed in")
    return session


async def _response(request: web.BaseRequest, passed: Passed) -> web.Response:
    accepted = request.headers.get("Accept-Encoding", "")
    body, headers = await packed(passed.body, passed.headers, accepted=accepted)
    return web.Response(status=passed.status, body=body or None, headers={**headers, **NO_STORE})


async def _body(request: web.BaseRequest) -> bytes:
    body = await read_at_most(request.content, MOST_BODY_BYTES)
    if body is None:
        text = f"a resource has at most {MOST_BODY_BYTES} bytes"
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-long", text)
    return body
