"""Streams of events, passed on as they come: until the server ends them, the session ends, or the browser leaves."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from aiohttp import ClientResponse, web

from neopain.dashboard.sessions import Session, Sessions
from neopain.dashboard.upstream import Passed, Sent, Upstream, chunks_of
from neopain.errors import FhirUnavailable
from neopain.runtime.log import Log
from neopain.runtime.metrics import gauge

LOG = Log(__name__)

SEND_SECONDS = 10.0
"""How long a browser may take for what was written to it."""
HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Streams:
    """All that are open."""

    def __init__(self, upstream: Upstream, sessions: Sessions) -> None:
        self._upstream = upstream
        self._sessions = sessions
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ends them all."""
        self._stopping.set()

    async def serve(
        self, request: web.BaseRequest, session: Session, sent: Sent, headers: dict[str, str]
    ) -> web.StreamResponse | Passed:
        """One stream, or the server's answer that there is none. The errors of ``Upstream.stream``."""
        async with self._upstream.stream(sent, session.tokens) as answer:
            if answer.status != HTTPStatus.OK:
                kind = answer.headers.get("Content-Type", "application/fhir+json")
                return Passed(HTTPStatus(answer.status), {"Content-Type": kind}, await answer.read())
            response = web.StreamResponse(headers={**headers, **HEADERS})
            await response.prepare(request)
            with gauge("dashboard_streams").track_inprogress():
                await self._copy(request, response, answer, session)
            return response

    async def _copy(
        self, request: web.BaseRequest, response: web.StreamResponse, answer: ClientResponse, session: Session
    ) -> None:
        try:
            async for chunk in chunks_of(answer, self._stopping, session.ended):
                if self._sessions.is_over(session):
                    self._sessions.end(session)
                    return
                self._sessions.touch(session)
                await asyncio.wait_for(response.write(chunk), SEND_SECONDS)
        except FhirUnavailable as error:
            LOG.warning("stream_broke", why=error)
        except (ConnectionError, TimeoutError) as error:
            LOG.info("stream_left", why=type(error).__name__)
            if request.transport is not None:
                # What the browser has not read would keep the connection open.
                request.transport.abort()
