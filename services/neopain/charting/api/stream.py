"""``GET $events``: server-sent events (WHATWG HTML, section 9.2) that say which resources a page should read again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from neopain.charting.api.access import Access
from neopain.charting.api.feed import Feed, Numbered, Subscription
from neopain.charting.api.settings import BASE_PATH
from neopain.codecs.fhir.ids import patient_id
from neopain.codecs.fhir.refusal import Refused
from neopain.codecs.fhir.scopes import SEARCH
from neopain.codecs.fhir.terminology import Json
from neopain.errors import TransientError
from neopain.runtime.clock import Clock
from neopain.runtime.log import Log

LOG = Log(__name__)

PATH = f"{BASE_PATH}/$events"
TYPES = ("Observation", "Flag")
HEARTBEAT_SECONDS = 2.0
"""A page takes a longer silence than 5 s for a lost connection."""
SEND_SECONDS = 10.0
"""How long a client may take for what was written to it."""
COME_AGAIN_MS = 2_000

Record = Callable[[frozenset[str], int], Awaitable[None]]
"""Writes down that so many events tell of these infants; ``DatabaseUnavailable``: they may not be told."""


@dataclass(frozen=True, slots=True)
class EventStreams:
    """Serves streams of one feed; ``most`` may be open at the same time."""

    feed: Feed
    clock: Clock
    most: int

    async def serve(
        self, request: web.BaseRequest, access: Access, record: Record, headers: dict[str, str]
    ) -> web.StreamResponse:
        """One stream, until the client leaves, its token ends, or changes can no longer be told.

        ``Refused``: 403 without a scope on Observation, 503 when too many are open.
        """
        access.limits("Observation", SEARCH)
        if self.feed.open >= self.most:
            text = f"at most {self.most} streams may be open"
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "throttled", text, headers={"Retry-After": "5"})
        subscription = Subscription({one: access.may(one, SEARCH) for one in TYPES})
        response = web.StreamResponse(headers={**headers, "Content-Type": "text/event-stream; charset=utf-8"})
        with self.feed.subscribed(subscription):
            await response.prepare(request)
            try:
                await self._tell(response, subscription, request.headers.get("Last-Event-ID", ""), access, record)
            except (ConnectionError, TimeoutError) as error:
                LOG.info("stream_left", why=type(error).__name__)
                if request.transport is not None:
                    # What the client has not read would keep the connection open.
                    request.transport.abort()
        return response

    async def _tell(
        self,
        response: web.StreamResponse,
        subscription: Subscription,
        last_id: str,
        access: Access,
        record: Record,
    ) -> None:
        missed = self.feed.since(last_id) if last_id else []
        greeting = f"retry: {COME_AGAIN_MS}\n" + _event(
            "ready" if missed is not None else "reset", self.feed.last_id, {}
        )
        if missed:
            greeting = f"retry: {COME_AGAIN_MS}\n\n"
            for one in missed:
                subscription.offer(one)
        await _send(response, greeting)
        while not subscription.ended:
            if access.expires is not None and self.clock.now() >= access.expires:
                subscription.end("the token has ended")
                break
            if not await _is_news(subscription):
                await _send(response, ": heartbeat\n\n")
                continue
            found = subscription.taken()
            if not found:
                continue
            try:
                await record(frozenset(one.change.infant for one in found), len(found))
            except TransientError as error:
                LOG.warning("events_not_written_down", why=error)
                subscription.end("what is told cannot be written down")
                break
            await _send(response, "".join(_told(found)))
        await _send(response, _event("end", "", {"reason": subscription.ended}))


async def _is_news(subscription: Subscription) -> bool:
    try:
        await asyncio.wait_for(subscription.news.wait(), HEARTBEAT_SECONDS)
    except TimeoutError:
        return False
    return bool(subscription.waiting) or bool(subscription.ended)


async def _send(response: web.StreamResponse, text: str) -> None:
    await asyncio.wait_for(response.write(text.encode()), SEND_SECONDS)


def _told(found: Iterable[Numbered]) -> Iterable[str]:
    for one in found:
        change = one.change
        data = {
            "focus": {"reference": change.reference},
            "subject": {"reference": f"Patient/{patient_id(change.patient)}"},
            "version": change.version,
        }
        yield _event(change.kind, one.id, data)


def _event(kind: str, own_id: str, data: Json) -> str:
    numbered = f"id: {own_id}\n" if own_id else ""
    return f"event: {kind}\n{numbered}data: {json.dumps(data, separators=(',', ':'))}\n\n"
