"""The issuer's public keys (JWKS, RFC 7517): from a file or over HTTP, kept a while, read again for an unknown key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import aiohttp
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from neopain.errors import KeysUnavailable
from neopain.runtime.body import read_at_most
from neopain.runtime.log import Log

LOG = Log(__name__)

CURVES = {"ES256": "secp256r1", "ES384": "secp384r1"}
ALGORITHMS = frozenset({"RS256", "RS384", *CURVES})
"""What tokens may be signed with. ``none`` and everything with a shared secret (HS...) are not among them."""
LEAST_RSA_BITS = 2048
MOST_BYTES = 262_144
FETCH_SECONDS = 5.0

PublicKey = RSAPublicKey | EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """A public key; ``algorithm`` is empty where the set does not say one."""

    key: PublicKey
    algorithm: str = ""

    def can_verify(self, algorithm: str) -> bool:
        """Whether a signature of that algorithm can be this key's."""
        if algorithm not in ALGORITHMS or self.algorithm not in ("", algorithm):
            return False
        if isinstance(self.key, RSAPublicKey):
            return algorithm.startswith("RS")
        return CURVES.get(algorithm) == self.key.curve.name


Keys = Mapping[str, IssuerKey]
Fetch = Callable[[], Awaitable[bytes]]


def read_keys(text: bytes) -> Keys:
    """The usable keys of a JWKS by their ``kid``; the others are passed over. ``KeysUnavailable`` when it is none."""
    try:
        listed = json.loads(text)["keys"]
        entries = [entry for entry in listed if isinstance(entry, dict)]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise KeysUnavailable("what the issuer gives is no JWKS") from error
    read = ((str(entry.get("kid", "")), _key(entry)) for entry in entries)
    return {kid: key for kid, key in read if kid and key is not None}


def _key(entry: dict[str, object]) -> IssuerKey | None:
    if entry.get("use", "sig") != "sig" or entry.get("kty") not in ("RSA", "EC") or "d" in entry:
        return None
    try:
        key = jwt.PyJWK(entry, algorithm="RS256" if entry["kty"] == "RSA" else None).key
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
        LOG.warning("issuer_key_unreadable", why=type(error).__name__)
        return None
    is_strong = isinstance(key, EllipticCurvePublicKey) or (
        isinstance(key, RSAPublicKey) and key.key_size >= LEAST_RSA_BITS
    )
    return IssuerKey(key, str(entry.get("alg", ""))) if is_strong else None


class KeyCache:
    """The keys as last read. Not more than one reading is under way."""

    def __init__(self, fetch: Fetch, *, lifetime_seconds: float, refetch_seconds: float) -> None:
        self._fetch = fetch
        self._lifetime = lifetime_seconds
        self._refetch = refetch_seconds
        self._keys: Keys | None = None
        self._read_at = self._tried_at = float("-inf")
        self._lock = asyncio.Lock()

    async def key(self, kid: str) -> IssuerKey | None:
        """The key of that id, None when the issuer has none.

        ``KeysUnavailable`` when the keys are older than their lifetime and cannot be read again.
        """
        async with self._lock:
            is_old = monotonic() - self._read_at > self._lifetime
            if is_old or (kid not in (self._keys or {}) and self._may_try):
                await self._read(is_needed=is_old)
            return (self._keys or {}).get(kid)

    @property
    def _may_try(self) -> bool:
        return monotonic() - self._tried_at > self._refetch

    async def _read(self, *, is_needed: bool) -> None:
        if is_needed and not self._may_try:
            raise KeysUnavailable("the issuer's keys could not be read a moment ago")
        self._tried_at = monotonic()
        try:
            self._keys = read_keys(await self._fetch())
        except KeysUnavailable as error:
            LOG.warning("issuer_keys_unavailable", why=error)
            if is_needed:
                raise
            return
        # A set without a key that can be used is taken as it is: the issuer may have withdrawn them all.
        self._read_at = monotonic()
        self._tried_at = self._read_at
        LOG.info("issuer_keys_read", keys=len(self._keys))


def from_file(path: Path) -> Fetch:
    """Reads the keys from a file."""

    async def fetch() -> bytes:
        try:
            return await asyncio.to_thread(path.read_bytes)
        except OSError as error:
            raise KeysUnavailable(f"{path} cannot be read ({error.strerror})") from error

    return fetch


def from_url(url: str) -> Fetch:
    """Reads the keys over HTTP; does not follow to another address."""

    async def fetch() -> bytes:
        timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(url, allow_redirects=False) as answer,
            ):
                if answer.status != 200:
                    raise KeysUnavailable(f"{url} answers HTTP {answer.status}")
                text = await read_at_most(answer.content, MOST_BYTES)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KeysUnavailable(f"{url}: {type(error).__name__}") from error
        if text is None:
            raise KeysUnavailable(f"{url} gives more than {MOST_BYTES} bytes")
        return text

    return fetch
