"""Signing in and out, by a one-time link or by OpenID, and what the page is told of its session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl

from aiohttp import web

from neopain.codecs.fhir.terminology import Json
from neopain.dashboard.answers import sent_to, told_json, told_person
from neopain.dashboard.cookies import Cookies
from neopain.dashboard.links import Links
from neopain.dashboard.openid import OpenId
from neopain.dashboard.page_files import PAGES
from neopain.dashboard.pending import Pending, Seal
from neopain.dashboard.sessions import Session, Sessions
from neopain.dashboard.tokens import Tokens
from neopain.errors import SignInRefused, TransientError
from neopain.runtime.clock import Clock
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter

LOG = Log(__name__)

HOW_TO_SIGN_IN = (
    "Open the address that neopain demo has printed, or that neopain dashboard link prints; it is good once."
)
SIGN_IN, SIGN_OUT, BACK = "/sign-in", "/sign-out", "/sign-in/back"


@dataclass(frozen=True, slots=True)
class OnePerson:
    """Whom a one-time link signs in, and where her tokens come from."""

    user: str
    links: Links
    tokens: Callable[[], Tokens]


class Door:
    """Lets people in: ``way`` is how."""

    def __init__(
        self, way: OnePerson | OpenId, sessions: Sessions, cookies: Cookies, clock: Clock, own_url: str
    ) -> None:
        self._way = way
        self._sessions = sessions
        self._cookies = cookies
        self._clock = clock
        self._own_url = own_url
        self._seal = Seal()

    def session(self, request: web.BaseRequest) -> Session | None:
        """Who asks; None for nobody who is signed in."""
        return self._sessions.find(request.cookies.get(self._cookies.session, ""))

    async def sign_in(self, query: str) -> web.Response:
        """The way to the provider; without one, what a person is to do."""
        if isinstance(self._way, OnePerson):
            return told_person(HOW_TO_SIGN_IN)
        to = dict(parse_qsl(query)).get("to", "/")
        pending = Pending.made(to if PAGES.fullmatch(to) else "/")
        try:
            address = await self._way.authorization(pending)
        except TransientError as error:
            return _waits(error)
        response = sent_to(address)
        self._cookies.set_pending(response, self._seal.seal(pending, now=self._clock.now()))
        return response

    async def back(self, request: web.BaseRequest, query: str) -> web.Response:
        """The return from the provider."""
        if isinstance(self._way, OnePerson):
            return _refused(SignInRefused("there is no OpenID provider"))
        answer = dict(parse_qsl(query))
        try:
            sealed = request.cookies.get(self._cookies.pending, "")
            pending = self._seal.open(sealed, state=answer.get("state", ""), now=self._clock.now())
            came = await self._way.redeem(answer, pending)
        except SignInRefused as error:
            response = _refused(error)
        except TransientError as error:
            response = _waits(error)
        else:
            response = self._let_in(request, came.user, came.tokens, to=pending.to, hint=came.id_token)
        self._cookies.forget(response, self._cookies.pending)
        return response

    def once(self, request: web.BaseRequest, word: str) -> web.Response:
        """A one-time link, used."""
        if isinstance(self._way, OpenId):
            return _refused(SignInRefused("people sign in at the OpenID provider"))
        try:
            self._way.links.take(word, now=self._clock.now())
        except SignInRefused as error:
            return _refused(error)
        return self._let_in(request, self._way.user, self._way.tokens())

    async def sign_out(self, request: web.BaseRequest, session: Session | None) -> web.Response:
        """Ends the session, and sends the browser where it ends at the provider, too."""
        address = "/"
        if session is not None:
            self._sessions.end(session)
            LOG.info("signed_out")
            if isinstance(self._way, OpenId):
                address = await self._way.end_address(session.hint, f"{self._own_url}/")
        response = sent_to(address) if request.method == "GET" else told_json({"next": address})
        self._cookies.forget(response, self._cookies.session)
        return response

    def told(self, session: Session, *, is_ours: bool) -> Json:
        """What the page needs to know of its session; ``is_ours``: the FHIR server is our API."""
        return {
            "user": session.user,
            "expires": self._sessions.expires(session).isoformat().replace("+00:00", "Z"),
            "mayReview": is_ours and session.may_review,
            "events": is_ours,
            "source": "neopain" if is_ours else "other",
            "fhir": "/fhir/",
            "signOut": SIGN_OUT,
        }

    def end(self, session: Session) -> None:
        """The session's tokens are good no more."""
        self._sessions.end(session)

    def _let_in(
        self, request: web.BaseRequest, user: str, tokens: Tokens, *, to: str = "/", hint: str = ""
    ) -> web.Response:
        if (before := self.session(request)) is not None:
            self._sessions.end(before)
        response = sent_to(to)
        self._cookies.set_session(response, self._sessions.begin(user, tokens, hint=hint))
        _count("signed in")
        LOG.info("signed_in")
        return response


def _refused(error: SignInRefused) -> web.Response:
    _count("refused")
    LOG.warning("sign_in_refused", why=error)
    text = f"You are not signed in: {error}."
    return told_person(text, status=HTTPStatus.FORBIDDEN, link=SIGN_IN, label="Sign in again")


def _waits(error: TransientError) -> web.Response:
    _count("unavailable")
    LOG.warning("sign_in_waits", why=error)
    text = "Nobody can be signed in now: the OpenID provider does not answer as it should."
    return told_person(text, status=HTTPStatus.SERVICE_UNAVAILABLE, link=SIGN_IN, label="Try again")


def _count(outcome: str) -> None:
    counter("dashboard_sign_ins_total").labels(outcome).inc()
