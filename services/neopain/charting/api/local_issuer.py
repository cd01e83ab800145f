"""A token issuer for one machine: a key made at each start of the API, readable by its user, and short-lived tokens.

Whoever can read the key may read everything: it is for demos and development, and the API listens on loopback only.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from neopain.errors import ConfigurationError
from neopain.runtime.jwks import IssuerKey
from neopain.runtime.user import user

ISSUER = "urn:neopain:local-issuer"
ALGORITHM = "ES384"
KEY_FILE = "fhir-api.key"
CLIENT = "neopain api token"
LONGEST = timedelta(hours=1)
DEFAULT_SCOPE = "system/*.rs"


@dataclass(frozen=True, slots=True)
class LocalKeys:
    """The one key of the local issuer."""

    kid: str
    issuer_key: IssuerKey

    async def key(self, kid: str) -> IssuerKey | None:
        """The key, if it is asked for."""
        return self.issuer_key if kid == self.kid else None


@dataclass(frozen=True, slots=True)
class TokenWish:
    """What a token is to say; ``patient`` and ``units`` limit it."""

    lifetime: timedelta
    scope: str = DEFAULT_SCOPE
    patient: str = ""
    units: tuple[str, ...] = ()
    client: str = CLIENT


def make_key(folder: Path) -> LocalKeys:
    """Makes a new key in the folder, in place of the last start's: its tokens are good no more.

    ``ConfigurationError`` when it cannot be written.
    """
    key = generate_private_key(SECP384R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    beside = folder / f"{KEY_FILE}.{os.getpid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
        beside.replace(folder / KEY_FILE)
    except OSError as error:
        raise ConfigurationError(f"the local issuer's key cannot be written to {folder} ({error.strerror})") from error
    return LocalKeys(_kid(key), IssuerKey(key.public_key(), ALGORITHM))


def issue(folder: Path, wish: TokenWish, *, audience: str, units_claim: str, now: datetime) -> str:
    """A signed token. ``ConfigurationError`` when there is no key, or the wish is for more than an hour."""
    if wish.lifetime > LONGEST:
        raise ConfigurationError(f"a token of the local issuer is good for at most {LONGEST.total_seconds():.0f} s")
    if wish.units and not units_claim:
        raise ConfigurationError("units of a token count only where NEOPAIN_CHARTING_API_UNITS_CLAIM names their claim")
    key = _read_key(folder / KEY_FILE)
    claims: dict[str, object] = {
        "iss": ISSUER,
        "aud": audience,
        "sub": user(),
        "client_id": wish.client,
        "scope": wish.scope,
        "jti": secrets.token_hex(16),
        "iat": now,
        "nbf": now,
        "exp": now + wish.lifetime,
    }
    if wish.patient:
        claims["patient"] = wish.patient
    if wish.units:
        claims[units_claim] = list(wish.units)
    return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": _kid(key)})


def _read_key(path: Path) -> EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError as error:
        raise ConfigurationError(f"there is no key {path}: start the API first, it makes one") from error
    except OSError as error:
        raise ConfigurationError(f"the key {path} cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"the key {path} is none: start the API anew") from error
    if not isinstance(key, EllipticCurvePrivateKey):
        raise ConfigurationError(f"the key {path} is not the local issuer's: start the API anew")
    return key


def _kid(key: EllipticCurvePrivateKey) -> str:
    public = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return public.hex()[:32]
