"""Who is signed in: kept in this process, and named by a cookie that says nothing."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

from neopain.codecs.fhir.scopes import CREATE, UPDATE, Context, contexts_for, read_scopes
from neopain.dashboard.tokens import Tokens
from neopain.runtime.clock import Clock
from neopain.runtime.metrics import gauge


@dataclass(slots=True)
class Session:
    """One person in one browser. ``hint`` is her ID token, by which the provider knows whom to sign out."""

    user: str
    tokens: Tokens
    begun: datetime
    seen: datetime
    hint: str = ""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def may_review(self) -> bool:
        """Whether her scopes let her accept, reject and change entries."""
        grants = read_scopes(self.tokens.scopes)
        return all(Context.USER in contexts_for(grants, "Observation", action) for action in (CREATE, UPDATE))


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session may go on unused, and at all; and how many there may be."""

    idle: timedelta
    longest: timedelta
    most: int


class Sessions:
    """All sessions. A restart ends them: a person then signs in again."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._by_digest: dict[bytes, Session] = {}

    def begin(self, user: str, tokens: Tokens, *, hint: str = "") -> str:
        """A new session; returns the word that the cookie holds."""
        now = self._clock.now()
        self._forget_ended()
        if len(self._by_digest) >= self._limits.most:
            self._end(min(self._by_digest, key=lambda one: self._by_digest[one].seen))
        word = secrets.token_urlsafe(32)
        self._by_digest[_digest(word)] = Session(user, tokens, begun=now, seen=now, hint=hint)
        self._count()
        return word

    def find(self, word: str) -> Session | None:
        """The session of a cookie, which is thereby in use; None when there is none, or it is over."""
        session = self._by_digest.get(_digest(word))
        if session is None:
            return None
        if self.is_over(session):
            self.end(session)
            return None
        self.touch(session)
        return session

    def touch(self, session: Session) -> None:
        """It is in use."""
        session.seen = self._clock.now()

    def expires(self, session: Session) -> datetime:
        """When it ends, if it is not used until then."""
        ends = [session.seen + self._limits.idle, session.begun + self._limits.longest]
        return min([*ends, session.tokens.end] if session.tokens.end is not None else ends)

    def is_over(self, session: Session) -> bool:
        """Whether it has ended, or was to."""
        return session.ended.is_set() or self._clock.now() >= self.expires(session)

    def end(self, session: Session) -> None:
        """Ends it, and with it its streams of events."""
        for digest in [one for one, other in self._by_digest.items() if other is session]:
            self._end(digest)

    def _forget_ended(self) -> None:
        for digest in [one for one, session in self._by_digest.items() if self.is_over(session)]:
            self._end(digest)

    def _end(self, digest: bytes) -> None:
        self._by_digest.pop(digest).ended.set()
        self._count()

    def _count(self) -> None:
        gauge("dashboard_sessions").set(len(self._by_digest))


def _digest(word: str) -> bytes:
    return sha256(word.encode(errors="surrogateescape")).digest()
