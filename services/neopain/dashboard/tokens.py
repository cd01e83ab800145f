"""Where the bearer token of a session's requests comes from: the local issuer, a file, or nowhere.

Those of a person who came by OpenID are in ``openid``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from neopain.errors import FhirUnavailable, NeopainError
from neopain.runtime.clock import Clock

LOCAL_LIFETIME = timedelta(minutes=5)
RENEW_BEFORE = timedelta(seconds=60)
LONGEST_TOKEN = 16_384


class Tokens(Protocol):
    """The tokens of one session."""

    @property
    def scopes(self) -> tuple[str, ...]:
        """What they grant, as far as it is known here."""

    @property
    def end(self) -> datetime | None:
        """When there will be no token any more; None: not known."""

    async def token(self, refused: str | None = None) -> str:
        """A token that is good now, empty for none; another one than ``refused``, where there can be another.

        ``SignInRefused``: there is none any more. ``ProviderUnavailable``, ``FhirUnavailable``: it cannot be told now.
        """


Issue = Callable[[tuple[str, ...], timedelta], str]
"""Makes a token with scopes for a time; may block. ``ConfigurationError`` when it cannot."""


@dataclass(slots=True)
class LocalTokens:
    """Tokens of the API's local issuer: made anew before they end, and when the API has another key since."""

    issue: Issue
    clock: Clock
    scopes: tuple[str, ...]
    end: None = None
    _token: str = ""
    _until: datetime | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def token(self, refused: str | None = None) -> str:
        """A token; ``FhirUnavailable`` before the API has started."""
        async with self._lock:
            now = self.clock.now()
            if self._until is None or now > self._until - RENEW_BEFORE or self._token == refused:
                try:
                    self._token = await asyncio.to_thread(self.issue, self.scopes, LOCAL_LIFETIME)
                except NeopainError as error:
                    raise FhirUnavailable(str(error)) from error
                self._until = now + LOCAL_LIFETIME
            return self._token


@dataclass(frozen=True, slots=True)
class FileToken:
    """The token in a file, which somebody else renews; ``path`` None: no token."""

    path: Path | None
    scopes: tuple[str, ...] = ()
    end: None = None

    async def token(self, refused: str | None = None) -> str:
        """What the file says. ``FhirUnavailable`` when it cannot be read, or the FHIR server did not take it."""
        token = await asyncio.to_thread(self._read)
        if token == refused:
            raise FhirUnavailable("the FHIR server takes another token: set NEOPAIN_DASHBOARD_FHIR_TOKEN_FILE")
        return token

    def _read(self) -> str:
        if self.path is None:
            return ""
        try:
            token = self.path.read_text().strip()
        except (OSError, ValueError) as error:
            raise FhirUnavailable(f"NEOPAIN_DASHBOARD_FHIR_TOKEN_FILE {self.path} cannot be read") from error
        if not is_token(token):
            raise FhirUnavailable(f"NEOPAIN_DASHBOARD_FHIR_TOKEN_FILE {self.path} holds no token")
        return token


def is_token(value: object) -> bool:
    """Whether it is a text that can be sent as a token."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_TOKEN and value.isascii() and value.isprintable()
