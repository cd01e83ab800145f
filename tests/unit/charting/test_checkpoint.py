"""Checkpoints: signed by the site's key, checked with its public half, and by nothing else."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from neopain.charting.audit.checkpoint import (
    Checkpoint,
    Piece,
    read_signed,
    read_signing_key,
    read_trusted_keys,
    sign,
)
from neopain.errors import ConfigurationError, MalformedMessage

CHECKPOINT = Checkpoint("2026-10", "2030-01-01T00:00:00+00:00", "N", 3, (Piece("charting", 1, 3, "0" * 64, "a" * 64),))


@pytest.fixture(scope="module")
def key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP384R1())


def test_what_was_signed_is_read_with_the_public_key(key: EllipticCurvePrivateKey) -> None:
    assert read_signed(sign(CHECKPOINT, key), [key.public_key()]) == CHECKPOINT


def test_any_jose_library_can_check_it(key: EllipticCurvePrivateKey) -> None:
    claims = jwt.decode(sign(CHECKPOINT, key), key.public_key(), algorithms=["ES384"])

    assert (claims["month"], claims["rows"], claims["pieces"][0]["last"]) == ("2026-10", 3, 3)


def test_what_another_key_signed_is_refused(key: EllipticCurvePrivateKey) -> None:
    with pytest.raises(MalformedMessage, match="not among the trusted ones"):
        read_signed(sign(CHECKPOINT, generate_private_key(SECP384R1())), [key.public_key()])


def test_what_was_changed_after_signing_is_refused(key: EllipticCurvePrivateKey) -> None:
    head, body, signature = sign(CHECKPOINT, key).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    changed = base64.urlsafe_b64encode(json.dumps({**claims, "rows": 4}).encode()).decode().rstrip("=")

    with pytest.raises(MalformedMessage, match="its signature does not hold"):
        read_signed(f"{head}.{changed}.{signature}", [key.public_key()])


def test_a_token_of_the_same_key_is_no_checkpoint(key: EllipticCurvePrivateKey) -> None:
    with pytest.raises(MalformedMessage):
        read_signed(jwt.encode({"sub": "nurse"}, key, algorithm="ES384"), [key.public_key()])


def test_keys_are_read_from_files(key: EllipticCurvePrivateKey, tmp_path: Path) -> None:
    older = generate_private_key(SECP384R1()).public_key()
    publics = [one.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) for one in (older, key.public_key())]
    (tmp_path / "public.pem").write_bytes(b"".join(publics))
    (tmp_path / "private.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    assert read_signing_key(tmp_path / "private.pem").public_key() == key.public_key()
    assert read_trusted_keys(tmp_path / "public.pem") == (older, key.public_key())
    assert read_trusted_keys(None, tmp_path / "private.pem") == (key.public_key(),)
    assert read_trusted_keys(None) == ()


@pytest.mark.parametrize(("content", "said"), [(b"none", "no private key in PEM"), (None, "cannot be read")])
def test_a_signing_key_that_is_none_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "private.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigurationError, match=said):
        read_signing_key(path)


def test_a_signing_key_of_another_curve_is_refused(tmp_path: Path) -> None:
    other = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "private.pem").write_bytes(other)

    with pytest.raises(ConfigurationError, match=r"not of the curve P-384.*openssl"):
        read_signing_key(tmp_path / "private.pem")
