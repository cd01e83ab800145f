"""Keys of the SMART client: made, ordered, published; what is no such key is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from neopain.charting.ehr.smart_keys import key_set, make_key, read_keys
from neopain.cli import run
from neopain.errors import ConfigurationError

NOON = datetime(2026, 11, 27, 12, 0, 0, tzinfo=UTC)
OPEN = NoEncryption()


def write(folder: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, how: KeySerializationEncryption) -> None:
    (folder / "a.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))


def test_a_key_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    key = make_key(tmp_path / "keys", "ES384", now=NOON)

    file = tmp_path / "keys" / "20261127T120000Z-ES384.pem"
    assert (key.name, key.algorithm) == (file.name, "ES384")
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_the_first_by_name_signs_and_a_key_that_is_made_comes_last(tmp_path: Path) -> None:
    first = make_key(tmp_path, "ES384", now=NOON)
    second = make_key(tmp_path, "ES384", now=NOON.replace(hour=13))

    assert [key.kid for key in read_keys(tmp_path)] == [first.kid, second.kid]


def test_what_is_published_has_no_private_part(tmp_path: Path) -> None:
    key = make_key(tmp_path, "ES384", now=NOON)

    (published,) = key_set(read_keys(tmp_path))["keys"]

    assert set(published) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert (published["kid"], published["alg"], published["crv"]) == (key.kid, "ES384", "P-384")


def test_a_key_keeps_its_kid(tmp_path: Path) -> None:
    key = make_key(tmp_path, "ES384", now=NOON)
    (tmp_path / key.name).rename(tmp_path / "current.pem")

    assert read_keys(tmp_path)[0].kid == key.kid


def test_a_folder_without_a_key_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="neopain fhir keys make"):
        read_keys(tmp_path)


def test_a_key_that_is_too_weak_or_of_another_curve_is_refused(tmp_path: Path) -> None:
    write(tmp_path, rsa.generate_private_key(65537, 1024), OPEN)  # noqa: S505 - what is refused
    with pytest.raises(ConfigurationError, match="neither RSA from 2048"):
        read_keys(tmp_path)

    write(tmp_path, ec.generate_private_key(ec.SECP256R1()), OPEN)
    with pytest.raises(ConfigurationError, match=r"a\.pem is neither RSA from 2048"):
        read_keys(tmp_path)


def test_a_key_with_a_passphrase_is_refused(tmp_path: Path) -> None:
    write(tmp_path, ec.generate_private_key(ec.SECP384R1()), BestAvailableEncryption(b"secret"))

    with pytest.raises(ConfigurationError, match="without a passphrase"):
        read_keys(tmp_path)


def test_a_certificate_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("-----BEGIN CERTIFICATE-----")

    with pytest.raises(ConfigurationError, match="holds no private key"):
        read_keys(tmp_path)


def test_the_command_makes_lists_and_publishes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ["--folder", str(tmp_path)]
    assert run(["fhir", "keys", "make", *folder]) == 0
    kid = capsys.readouterr().out.split()[0]

    assert run(["fhir", "keys", "list", *folder]) == 0
    assert capsys.readouterr().out.split()[0::3] == [kid, "signs"]

    assert run(["fhir", "keys", "jwks", *folder]) == 0
    assert [one["kid"] for one in json.loads(capsys.readouterr().out)["keys"]] == [kid]


def test_the_command_without_a_folder_says_which_setting_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", "postgresql+psycopg2://neopain@localhost/neopain")

    assert run(["fhir", "keys", "list"]) == 2
    assert "NEOPAIN_CHARTING_EHR_SMART_KEYS is not set" in capsys.readouterr().err
