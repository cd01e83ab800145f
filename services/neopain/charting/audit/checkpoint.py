"""What stands instead of a month of the audit trail that was dropped: its pieces of each chain, signed.

A statement is a JWS (RFC 7515, compact, ES384): whoever has the public key can check it, with any JOSE tool.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from pydantic import TypeAdapter, ValidationError

from neopain.errors import ConfigurationError, MalformedMessage

ALGORITHM = "ES384"
TYPE = "neopain-audit-checkpoint"
END = b"-----END PUBLIC KEY-----"


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of a chain without a gap that are no longer there: the hashes before the first and of the last."""

    chain: str
    first: int
    last: int
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A month that was dropped: when (ISO 8601), by whom, and what it held."""

    month: str
    dropped: str
    by: str
    rows: int
    pieces: tuple[Piece, ...]


READ = TypeAdapter(Checkpoint)


def sign(checkpoint: Checkpoint, key: EllipticCurvePrivateKey) -> str:
    """The checkpoint as a JWS."""
    headers = {"typ": TYPE, "kid": key_id(key.public_key())}
    return jwt.encode(asdict(checkpoint), key, algorithm=ALGORITHM, headers=headers)


def read_signed(statement: str, trusted: Sequence[EllipticCurvePublicKey]) -> Checkpoint:
    """The checkpoint that a trusted key has signed. ``MalformedMessage`` when none has, or it is none."""
    try:
        header = jwt.get_unverified_header(statement)
        kid = header.get("kid")
        key = next((one for one in trusted if key_id(one) == kid), None)
        if header.get("typ") != TYPE or key is None:
            raise MalformedMessage("checkpoint", f"it is signed with key {kid}, which is not among the trusted ones")
        # A statement about the past has no time of its own at which it would end.
        claims: dict[str, Any] = jwt.decode(statement, key, algorithms=[ALGORITHM], options={"verify_aud": False})
        return READ.validate_python(claims)
    except (jwt.PyJWTError, ValidationError) as error:
        raise MalformedMessage("checkpoint", f"its signature does not hold ({type(error).__name__})") from error


def key_id(key: EllipticCurvePublicKey) -> str:
    """Which key it is: the first half of its compressed point."""
    return key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint).hex()[:32]


def read_signing_key(path: Path) -> EllipticCurvePrivateKey:
    """The private key (PEM, P-384, no passphrase) of a file. ``ConfigurationError`` when it is none."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise ConfigurationError(f"the audit's signing key {path} cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"the audit's signing key {path} is no private key in PEM, {_made()}") from error
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP384R1):
        raise ConfigurationError(f"the audit's signing key {path} is not of the curve P-384, {_made()}")
    return key


def read_trusted_keys(path: Path | None, signing: Path | None = None) -> tuple[EllipticCurvePublicKey, ...]:
    """The public keys (PEM, one after another) of a file, and that of the signing key. ``ConfigurationError``."""
    own = (read_signing_key(signing).public_key(),) if signing is not None else ()
    if path is None:
        return own
    try:
        parts = path.read_bytes().split(END)[:-1]
        keys = [load_pem_public_key(part + END) for part in parts]
    except OSError as error:
        raise ConfigurationError(f"the audit's public keys {path} cannot be read ({error.strerror})") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"the audit's public keys {path} are none in PEM") from error
    return own + tuple(key for key in keys if isinstance(key, EllipticCurvePublicKey))


def _made() -> str:
    return "as `openssl ecparam -name secp384r1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt` makes one"
