"""The dashboard's two cookies: the session's, and that of a sign-in under way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web

from neopain.dashboard.pending import LIFETIME


@dataclass(frozen=True, slots=True)
class Cookies:
    """By TLS they are ``__Host-`` ones, which no other host and no plain HTTP can set (RFC 6265bis section 4.1.3).

    Without TLS, on one machine, ``port`` is in their names, since browsers do not tell ports apart.
    """

    is_tls: bool
    port: int

    @property
    def session(self) -> str:
        """The name of the session's. Strict: no other site's page makes a browser send it."""
        return "__Host-neopain" if self.is_tls else f"neopain-{self.port}"

    @property
    def pending(self) -> str:
        """The name of the sign-in's. Lax, since the provider sends the browser back."""
        return f"{self.session}-sign-in"

    def set_session(self, response: web.Response, word: str) -> None:
        """Gives the browser its session until it is closed; when it ends before is decided here."""
        self._set(response, self.session, word, same_site="Strict")

    def set_pending(self, response: web.Response, value: str) -> None:
        """Gives the browser what is pending."""
        self._set(response, self.pending, value, same_site="Lax", lifetime=LIFETIME)

    def forget(self, response: web.Response, name: str) -> None:
        """Takes one back."""
        self._set(response, name, "", same_site="Strict", lifetime=timedelta(0))

    def _set(
        self, response: web.Response, name: str, value: str, *, same_site: str, lifetime: timedelta | None = None
    ) -> None:
        seconds = int(lifetime.total_seconds()) if lifetime is not None else None
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=self.is_tls, httponly=True, samesite=same_site
        )
