"""Sign-in by OpenID Connect: authorization code with PKCE, a verified ID token, an access token that is refreshed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from neopain.dashboard.pending import Pending
from neopain.dashboard.provider import Provider, with_query
from neopain.dashboard.tokens import is_token
from neopain.errors import ProviderUnavailable, SignInRefused
from neopain.runtime.clock import Clock
from neopain.runtime.jwks import KeyCache, from_url
from neopain.runtime.log import Log
from neopain.runtime.signed_token import Claims, Expected, TokenRefused, read_signed

LOG = Log(__name__)

REQUIRED = ("iss", "aud", "exp", "iat", "sub", "nonce")
KEYS_LIFETIME_SECONDS = 900.0
KEYS_REFETCH_SECONDS = 30.0
RENEW_BEFORE_SHARE = 0.1
"""A token is renewed when so much of its life is left."""
LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the authorization request asks for; ``fhir_url`` is told as SMART's ``aud``, whom the token is for."""

    redirect: str
    scopes: str
    fhir_url: str
    parameters: Mapping[str, str]
    leeway_seconds: float


@dataclass(slots=True)
class OpenIdTokens:
    """The access token of one person, renewed with her refresh token where she has one."""

    provider: Provider
    clock: Clock
    scopes: tuple[str, ...]
    access: str
    refresh: str = ""
    until: datetime | None = None
    renew_at: datetime | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def end(self) -> datetime | None:
        """Without a refresh token the session ends with the access token."""
        return None if self.refresh else self.until

    async def token(self, refused: str | None = None) -> str:
        """A token that is good now. ``SignInRefused``, ``ProviderUnavailable``."""
        async with self._lock:
            now = self.clock.now()
            is_over = self.access == refused or (self.until is not None and now >= self.until)
            if not is_over and (self.renew_at is None or now < self.renew_at or not self.refresh):
                return self.access
            if not self.refresh:
                raise SignInRefused("the access token has ended, and there is no other")
            try:
                self._take(await self.provider.grant(grant_type="refresh_token", refresh_token=self.refresh))
            except ProviderUnavailable:
                if is_over:
                    raise
            return self.access

    @classmethod
    def of(cls, granted: Mapping[str, Any], provider: Provider, clock: Clock, asked: str) -> OpenIdTokens:
        """The tokens of a grant. ``ProviderUnavailable`` when it has none that can be used."""
        # RFC 6749 section 5.1: what is granted is told only where it is not what was asked for.
        scope = granted.get("scope")
        tokens = cls(provider, clock, tuple((scope if isinstance(scope, str) else asked).split()), access="")
        tokens._take(granted)
        return tokens

    def _take(self, granted: Mapping[str, Any]) -> None:
        kind, access = granted.get("token_type"), granted.get("access_token")
        if not isinstance(kind, str) or kind.lower() != "bearer" or not is_token(access):
            raise ProviderUnavailable("the token endpoint gives no bearer token")
        self.access = str(access)
        if is_token(refresh := granted.get("refresh_token")):
            self.refresh = str(refresh)
        seconds = granted.get("expires_in")
        is_told = isinstance(seconds, int | float) and 0 < seconds < 10**9
        lifetime = timedelta(seconds=float(seconds)) if is_told and seconds is not None else None
        now = self.clock.now()
        self.until = now + lifetime if lifetime is not None else None
        self.renew_at = self.until - lifetime * RENEW_BEFORE_SHARE if self.until and lifetime else None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who came back from the provider; ``id_token`` is its hint for signing her out."""

    user: str
    tokens: OpenIdTokens
    id_token: str


class OpenId:
    """The sign-in at one provider."""

    def __init__(self, provider: Provider, wanted: Wanted, clock: Clock) -> None:
        self._provider = provider
        self._wanted = wanted
        self._clock = clock
        self._keys: KeyCache | None = None

    async def aclose(self) -> None:
        """Ends its connections."""
        await self._provider.aclose()

    async def authorization(self, pending: Pending) -> str:
        """The address that the browser is sent to. ``ProviderUnavailable``."""
        endpoints = await self._provider.endpoints()
        asked = {
            **self._wanted.parameters,
            "response_type": "code",
            "client_id": self._provider.client.id,
            "redirect_uri": self._wanted.redirect,
            "scope": self._wanted.scopes,
            "aud": self._wanted.fhir_url,
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": pending.challenge,
            "code_challenge_method": "S256",
        }
        return with_query(endpoints.authorization, **asked)

    async def redeem(self, answer: Mapping[str, str], pending: Pending) -> SignedIn:
        """Who came back, by what the address of her return says.

        ``SignInRefused`` (the provider refused, or what it gave is not for this sign-in), ``ProviderUnavailable``,
        ``KeysUnavailable``.
        """
        if "iss" in answer and answer["iss"] != self._provider.issuer:
            raise SignInRefused("the answer is another provider's")
        if "error" in answer or not answer.get("code"):
            raise SignInRefused("the OpenID provider did not let her in")
        granted = await self._provider.grant(
            grant_type="authorization_code",
            code=answer["code"],
            redirect_uri=self._wanted.redirect,
            code_verifier=pending.verifier,
        )
        id_token = granted.get("id_token")
        if not is_token(id_token):
            raise SignInRefused("the OpenID provider gives no ID token: is openid among the scopes?")
        claims = await self._verified(str(id_token), pending)
        tokens = OpenIdTokens.of(granted, self._provider, self._clock, self._wanted.scopes)
        return SignedIn(_name(claims), tokens, str(id_token))

    async def end_address(self, id_token: str, back: str) -> str:
        """Where a browser is sent to be signed out at the provider, too; ``back`` where it cannot be."""
        try:
            endpoints = await self._provider.endpoints()
        except ProviderUnavailable:
            return back
        if not endpoints.end_session or not id_token:
            return back
        told = {"id_token_hint": id_token, "client_id": self._provider.client.id, "post_logout_redirect_uri": back}
        return with_query(endpoints.end_session, **told)

    async def _verified(self, id_token: str, pending: Pending) -> Claims:
        """The claims of an ID token for this client and this sign-in (OpenID Connect Core section 3.1.3.7)."""
        client = self._provider.client.id
        expected = Expected(self._provider.issuer, client, REQUIRED, self._wanted.leeway_seconds)
        try:
            claims = await read_signed(id_token, await self._key_source(), expected)
        except TokenRefused as error:
            raise SignInRefused(f"the ID token: {error}") from error
        if claims.get("azp", client) != client or (isinstance(claims["aud"], list) and claims["aud"] != [client]):
            raise SignInRefused("the ID token is for others, too")
        if not secrets.compare_digest(str(claims["nonce"]).encode(), pending.nonce.encode()):
            raise SignInRefused("the ID token belongs to another sign-in")
        return claims

    async def _key_source(self) -> KeyCache:
        if self._keys is None:
            fetch = from_url((await self._provider.endpoints()).jwks)
            self._keys = KeyCache(fetch, lifetime_seconds=KEYS_LIFETIME_SECONDS, refetch_seconds=KEYS_REFETCH_SECONDS)
        return self._keys


def _name(claims: Claims) -> str:
    for claim in ("name", "preferred_username", "sub"):
        value = claims.get(claim)
        if isinstance(value, str) and value.strip() and value.isprintable():
            return value.strip()[:LONGEST_NAME]
    raise SignInRefused("the ID token does not say who she is")
