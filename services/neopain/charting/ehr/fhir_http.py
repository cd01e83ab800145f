"""HTTP to a FHIR server: requests out, JSON or one of our errors back. Errors carry codes, never patient data."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import httpx

from neopain import __version__
from neopain.charting.ehr.channel import NotTaken
from neopain.charting.ehr.client_tls import ClientTls
from neopain.charting.ehr.fhir_batch import BEARER, Batches, Request
from neopain.charting.ehr.http_answer import described, json_object, request_id, retry_after
from neopain.charting.ehr.smart_token import SmartClient, TokenSource
from neopain.codecs.fhir.answers import TRANSIENT, is_for_good, outcome_text, says_error
from neopain.codecs.fhir.terminology import Json
from neopain.errors import EhrUnavailable, RejectedByEhr
from neopain.runtime.clock import Clock, SystemClock

LATER = {401, 408, 409, 425, 429}
"""Client errors that another try may mend: credentials being renewed, time-outs, conflicts, too many requests."""

STALE = {409, 412}


Judge = Callable[[httpx.Response], bool]


def refuses(answer: httpx.Response) -> bool:
    """Whether an answer is a no for good, as R4 has it."""
    return answer.is_client_error and answer.status_code not in LATER


class FhirHttp:
    """One FHIR base URL. Safe to share between threads.

    ``proxy`` is the URL of one that requests go through; none of the environment's is taken. With ``smart`` every
    request carries a token, which is asked for by the same way. ``refuses`` says which answers are a no for good. With
    ``gathering_seconds`` what several threads ask within so short a time goes as one batch.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_seconds: float,
        tls: ClientTls | None = None,
        proxy: str = "",
        smart: SmartClient | None = None,
        clock: Clock | None = None,
        refuses: Judge = refuses,
        gathering_seconds: float = 0.0,
    ) -> None:
        self._refuses = refuses
        self._base_url = base_url.rstrip("/")
        self._batches = Batches(self._send, gathering_seconds) if gathering_seconds else None
        self._tls = tls or ClientTls()
        self._client = httpx.Client(
            base_url=f"{self._base_url}/",
            timeout=timeout_seconds,
            headers={"Accept": "application/fhir+json", "User-Agent": f"neopain/{__version__}"},
            verify=self._tls.lasting_context(),
            proxy=proxy or None,
            trust_env=False,
        )
        self._tokens = TokenSource(smart, self._client, clock=clock or SystemClock()) if smart else None

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()

    @property
    def sends_batches(self) -> bool:
        """Whether what is asked at the same time goes as one."""
        return self._batches is not None

    def send_singly(self) -> None:
        """From now on every request goes alone."""
        self._batches = None

    def get(self, path: str, **parameters: str | list[str]) -> Json:
        """Reads or searches. ``EhrUnavailable`` or ``RejectedByEhr``."""
        answer = self._ask(Request("GET", path, httpx.QueryParams(parameters)))
        if not answer.is_success:
            raise self._refusal(f"GET {path}", answer)
        body = json_object(answer)
        if body is None:
            raise EhrUnavailable(f"GET {path}: HTTP {answer.status_code} whose body is no JSON object")
        return body

    def read(self, reference: str) -> Json:
        """Reads one resource. ``EhrUnavailable``, also where the answer is another resource, or ``RejectedByEhr``."""
        found = self.get(reference)
        if f"{found.get('resourceType')}/{found.get('id')}" != reference:
            raise EhrUnavailable(f"GET {reference}: the answer is another resource, or none")
        return found

    def create(self, resource: Json, *, if_none_exist: str) -> None:
        """Creates the resource unless the search finds one (R4 http.html#ccreate); 200, 201 and 202 are all taken.

        ``NotTaken`` for a 200 that is an OperationOutcome with an error. ``EhrUnavailable`` where something else than
        FHIR answers, a page to sign in for instance.
        """
        path = resource["resourceType"]
        answer = self._ask(Request("POST", path, resource=resource, headers={"If-None-Exist": if_none_exist}))
        if not _is_taken(answer):
            raise self._refusal(f"POST {path}", answer)
        if answer.status_code == httpx.codes.OK and answer.content and json_object(answer) is None:
            raise EhrUnavailable(f"POST {path}: HTTP 200 whose body is no JSON object")

    def add(self, resource: Json) -> str:
        """Creates the resource; the reference that Location names, empty where it names none (R4 http.html#create)."""
        path = resource["resourceType"]
        answer = self._ask(Request("POST", path, resource=resource))
        if not _is_taken(answer):
            raise self._refusal(f"POST {path}", answer)
        named = re.search(rf"(?:^|/)({path}/[A-Za-z0-9.-]{{1,64}})(?:/_history/|$)", answer.headers.get("Location", ""))
        return named[1] if named else ""

    def update(self, path: str, resource: Json, *, version: str) -> bool:
        """Puts the resource in place of that version of it (R4 http.html#concurrency); False where it has another one.

        Some servers say 409 of that, where R4 has 412 (interop.md 4.5).
        """
        answer = self._ask(Request("PUT", path, resource=resource, headers={"If-Match": f'W/"{version}"'}))
        if answer.status_code in STALE:
            return False
        if not _is_taken(answer):
            raise self._refusal(f"PUT {path}", answer)
        return True

    def _ask(self, request: Request) -> httpx.Response:
        """The answer; where the EHR does not take the token any more, that to a second try with a new one."""
        self._tls.refresh()
        if self._tokens is None:
            return self._answer(request)
        token = self._tokens.token()
        answer = self._answer(_bearing(token, request))
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            return answer
        self._tokens.drop(token)
        return self._answer(_bearing(self._tokens.token(), request))

    def _answer(self, request: Request) -> httpx.Response:
        return self._send(request) if self._batches is None else self._batches.ask(request)

    def _refusal(self, action: str, answer: httpx.Response) -> EhrUnavailable | RejectedByEhr:
        body = json_object(answer)
        text = f"{action}: HTTP {answer.status_code}, {outcome_text(body)}{request_id(answer)}"
        if answer.is_success and is_for_good(body, passing=TRANSIENT):
            return NotTaken(text)
        if not answer.is_success and self._refuses(answer):
            return RejectedByEhr(text)
        return EhrUnavailable(text, retry_after_seconds=retry_after(answer))

    def _send(self, request: Request) -> httpx.Response:
        typed = {} if request.resource is None else {"Content-Type": "application/fhir+json"}
        try:
            return self._client.request(
                request.method,
                request.path or self._base_url,
                params=request.parameters or None,
                json=request.resource,
                headers=typed | request.headers,
            )
        except httpx.HTTPError as error:
            raise EhrUnavailable(f"{request.method} {request.path or 'batch'}: {described(error)}") from error


def _is_taken(answer: httpx.Response) -> bool:
    """Whether a write was taken: some servers answer 200 and say in an OperationOutcome that it was not."""
    is_denied = answer.status_code == httpx.codes.OK and says_error(json_object(answer))
    return answer.is_success and not is_denied


def _bearing(token: str, request: Request) -> Request:
    return replace(request, headers={**request.headers, BEARER: f"Bearer {token}"})
