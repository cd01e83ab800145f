"""A signed token (JWT, RFC 7519) to its claims: signature by the issuer's keys, issuer, audience, times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import jwt

from neopain.runtime.jwks import ALGORITHMS, IssuerKey

Claims = dict[str, object]


class KeySource(Protocol):
    """Where the issuer's keys come from."""

    async def key(self, kid: str) -> IssuerKey | None:
        """The key of that id; ``KeysUnavailable`` (transient) when that cannot be told."""


class TokenRefused(Exception):
    """The token is not what it should be; the message says why and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token has to say: ``required`` are the claims that must be there."""

    issuer: str
    audience: str
    required: Sequence[str]
    leeway_seconds: float


async def read_signed(token: str, keys: KeySource, expected: Expected) -> Claims:
    """The claims of a token that is valid now. ``TokenRefused``, ``KeysUnavailable``."""
    algorithm, kid = _header(token)
    key = await keys.key(kid)
    if key is None or not key.can_verify(algorithm):
        raise TokenRefused("the token is signed with no key of the issuer")
    try:
        claims: Claims = jwt.decode(
            token,
            key.key,
            algorithms=[algorithm],
            audience=expected.audience,
            issuer=expected.issuer,
            leeway=expected.leeway_seconds,
            options={"require": list(expected.required)},
        )
    except jwt.PyJWTError as error:
        raise TokenRefused(f"the token is not valid ({type(error).__name__})") from error
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise TokenRefused("the token is not valid") from error
    return claims


def _header(token: str) -> tuple[str, str]:
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise TokenRefused("the token is no JWT") from error
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS or not isinstance(kid, str) or not kid or "crit" in header:
        raise TokenRefused(f"the token is signed with one of {', '.join(sorted(ALGORITHMS))} and names its key (kid)")
    return str(algorithm), kid
