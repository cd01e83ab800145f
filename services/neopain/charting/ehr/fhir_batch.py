"""Several requests to a FHIR server as one: a batch, out of whose answer each takes its own (R4 http.html#transaction).

Requests that threads make within a moment of each other go together. Whoever makes one notices nothing: it gets the
answer to it, a 429 within a 200 too, as if it had gone alone. A batch has no order; its requests are those of different
infants, since one thread at a time delivers for an infant.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import sleep

import httpx

from neopain.charting.ehr.http_answer import json_object, request_id
from neopain.codecs.fhir.terminology import Json
from neopain.errors import EhrUnavailable
from neopain.runtime.log import Log

LOG = Log(__name__)

BEARER = "Authorization"
OF_THE_WHOLE = ("X-Request-Id", "Retry-After")
"""Headers of the batch's answer that hold for each of its parts."""
OF_EACH_PART = {401, 408, 409, 425, 429}
"""Client errors that are no word against batches: each request is told of them."""
CONDITIONS = {"If-None-Exist": "ifNoneExist", "If-Match": "ifMatch"}
STATUS = re.compile(r"([2-5][0-9]{2})(?![0-9])")


@dataclass(frozen=True, slots=True)
class Request:
    """One request below the base URL. ``parameters`` are those of a search, ``headers`` conditions and the token."""

    method: str
    path: str
    parameters: httpx.QueryParams = field(default_factory=httpx.QueryParams)
    resource: Json | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Path and search."""
        return f"{self.path}?{self.parameters}" if self.parameters else self.path

    def as_entry(self) -> Json:
        """The same as an entry of a batch."""
        asked: Json = {"method": self.method, "url": self.url}
        asked |= {name: self.headers[header] for header, name in CONDITIONS.items() if header in self.headers}
        return {"request": asked} if self.resource is None else {"resource": self.resource, "request": asked}


Send = Callable[[Request], httpx.Response]


@dataclass(slots=True)
class _Batch:
    requests: list[Request] = field(default_factory=list)
    answers: list[httpx.Response | None] = field(default_factory=list)
    """Of each request in turn; None for one without."""
    fault: EhrUnavailable = field(default_factory=lambda: EhrUnavailable("the batch was given up"))
    """Why a request has no answer."""
    goes_singly: bool = False
    is_over: threading.Event = field(default_factory=threading.Event)


class Batches:
    """Puts together what threads ask within so short a time, and sends it with ``send``. Safe to share between them."""

    def __init__(self, send: Send, gathering_seconds: float) -> None:
        self._send = send
        self._gathering_seconds = gathering_seconds
        self._lock = threading.Lock()
        self._open: dict[str, _Batch] = {}
        """By the token that lets the requests in."""

    def ask(self, request: Request) -> httpx.Response:
        """The answer to the request. ``EhrUnavailable`` where the batch, or this part of it, got none."""
        token = request.headers.get(BEARER, "")
        with self._lock:
            is_first = token not in self._open
            batch = self._open.setdefault(token, _Batch())
            place = len(batch.requests)
            batch.requests.append(request)
        if is_first:
            self._see_through(token, batch)
        else:
            batch.is_over.wait()
        if batch.goes_singly:
            return self._send(request)
        answer = batch.answers[place] if batch.answers else None
        if answer is None:
            fault = batch.fault
            raise EhrUnavailable(
                f"{request.method} {request.path}: {fault}",
                retry_after_seconds=fault.retry_after_seconds,
                was_sent=fault.was_sent,
            )
        return answer

    def _see_through(self, token: str, batch: _Batch) -> None:
        """Waits for others, sends, and lets them all go on, whatever happens."""
        sleep(self._gathering_seconds)
        with self._lock:
            del self._open[token]
        try:
            self._exchange(batch, {BEARER: token} if token else {})
        except EhrUnavailable as error:
            batch.fault = error
        finally:
            batch.is_over.set()

    def _exchange(self, batch: _Batch, headers: dict[str, str]) -> None:
        if len(batch.requests) == 1:
            batch.goes_singly = True
            return
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": [one.as_entry() for one in batch.requests]}
        whole = self._send(Request("POST", "", resource=bundle, headers=headers))
        if whole.is_success:
            batch.answers = answers_of(whole, len(batch.requests))
            batch.fault = EhrUnavailable(f"HTTP {whole.status_code} to its batch, and no word of it{request_id(whole)}")
        elif is_against_batches(whole):
            LOG.warning("ehr_refuses_batch", status=whole.status_code, requests=len(batch.requests))
            batch.goes_singly = True
        else:
            batch.answers = [whole] * len(batch.requests)


def is_against_batches(whole: httpx.Response) -> bool:
    """Whether a batch was refused as such, or for its size: nothing of it was done, nothing is said of its parts."""
    return whole.status_code == httpx.codes.NOT_IMPLEMENTED or (
        whole.is_client_error and whole.status_code not in OF_EACH_PART
    )


def answers_of(whole: httpx.Response, count: int) -> list[httpx.Response | None]:
    """The answers to so many requests, in their order; None for a part that says nothing.

    ``EhrUnavailable`` where the answer is none to that batch: what was done of it is not known.
    """
    body = json_object(whole) or {}
    parts = body.get("entry")
    is_answer = (body.get("resourceType"), body.get("type")) == ("Bundle", "batch-response")
    if not is_answer or not isinstance(parts, list) or len(parts) != count:
        raise EhrUnavailable(
            f"HTTP {whole.status_code} whose body is no answer to a batch of {count}{request_id(whole)}"
        )
    return [_answer_of(part, whole) for part in parts]


def _answer_of(part: object, whole: httpx.Response) -> httpx.Response | None:
    response = part.get("response") if isinstance(part, dict) else None
    status = STATUS.match(str(response.get("status", ""))) if isinstance(response, dict) else None
    if not isinstance(part, dict) or not isinstance(response, dict) or status is None:
        return None
    told = {"Location": response.get("location"), "ETag": response.get("etag")}
    told |= {name: whole.headers.get(name) for name in OF_THE_WHOLE}
    headers = {name: value for name, value in told.items() if isinstance(value, str) and value.isascii()}
    body = part.get("resource") or response.get("outcome")
    if not isinstance(body, dict):
        return httpx.Response(int(status[1]), headers=headers)
    return httpx.Response(int(status[1]), headers=headers, json=body)
