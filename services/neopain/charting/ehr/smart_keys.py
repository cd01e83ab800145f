"""The keys of a SMART backend client (SMART App Launch 2, client-confidential-asymmetric): PEM files in a folder.

The first by name signs; the others are only published, so that the EHR knows a new key before it is used: it is made
beside the old one, and signs once the old one is taken away. What is published holds no private part.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP384R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from neopain.errors import ConfigurationError

Algorithm = Literal["RS384", "ES384"]
PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey

LEAST_RSA_BITS = 2048
RSA_BITS = 3072
"""Of a key that is made here."""
THUMBPRINT_MEMBERS = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y")}
"""What a JWK's thumbprint is made of (RFC 7638 section 3.2), and what is published of it beside kid, alg, use."""


@dataclass(frozen=True, slots=True)
class SmartKey:
    """A key in a file; ``kid`` is the thumbprint of its public part."""

    name: str
    kid: str
    algorithm: Algorithm
    private: PrivateKey

    @property
    def jwk(self) -> dict[str, str]:
        """Its public part (RFC 7517)."""
        return {**_public(self.private), "kid": self.kid, "alg": self.algorithm, "use": "sig"}


def read_keys(folder: Path) -> tuple[SmartKey, ...]:
    """The keys of ``*.pem`` in the folder, the one that signs first; ``ConfigurationError`` without a usable one."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix == ".pem")
    except OSError as error:
        raise ConfigurationError(f"the folder of keys {folder} cannot be read ({error.strerror})") from error
    if not files:
        raise ConfigurationError(f"there is no key (*.pem) in {folder}: `neopain fhir keys make` makes one")
    return tuple(_read(path) for path in files)


def make_key(folder: Path, algorithm: Algorithm, *, now: datetime) -> SmartKey:
    """Makes a key in a file that only its owner reads, after all others by name. ``ConfigurationError``."""
    private = generate_private_key(SECP384R1()) if algorithm == "ES384" else generate_rsa_key(65537, RSA_BITS)
    path = folder / f"{now:%Y%m%dT%H%M%SZ}-{algorithm}.pem"
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
    except OSError as error:
        raise ConfigurationError(f"the key {path} cannot be written ({error.strerror})") from error
    return _key(path.name, private)


def key_set(keys: Iterable[SmartKey]) -> dict[str, list[dict[str, str]]]:
    """The public parts as a JWK Set."""
    return {"keys": [key.jwk for key in keys]}


def _read(path: Path) -> SmartKey:
    try:
        private = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise ConfigurationError(f"the key {path} cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"{path} holds no private key in PEM form without a passphrase") from error
    if isinstance(private, RSAPrivateKey) and private.key_size >= LEAST_RSA_BITS:
        return _key(path.name, private)
    if isinstance(private, EllipticCurvePrivateKey) and isinstance(private.curve, SECP384R1):
        return _key(path.name, private)
    raise ConfigurationError(f"the key {path} is neither RSA from {LEAST_RSA_BITS} bits (RS384) nor P-384 (ES384)")


def _key(name: str, private: PrivateKey) -> SmartKey:
    public = json.dumps(_public(private), sort_keys=True, separators=(",", ":"))
    kid = base64.urlsafe_b64encode(hashlib.sha256(public.encode()).digest()).rstrip(b"=").decode()
    return SmartKey(name, kid, "RS384" if isinstance(private, RSAPrivateKey) else "ES384", private)


def _public(private: PrivateKey) -> dict[str, str]:
    if isinstance(private, RSAPrivateKey):
        told = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    else:
        told = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    return {name: str(told[name]) for name in THUMBPRINT_MEMBERS[str(told["kty"])]}
