from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jwt.algorithms import ECAlgorithm

from neopain.charting.api.client_keys import read_client_keys
from neopain.charting.ehr.smart_keys import SmartKey, key_set, make_key
from neopain.errors import ConfigurationError


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SmartKey:
    return make_key(tmp_path_factory.mktemp("keys"), "ES384", now=datetime(2026, 3, 1, tzinfo=UTC))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "jwks.json"


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_what_our_command_prints_is_told(tmp_path: Path, file: Path, algorithm: Any) -> None:
    printed = key_set([make_key(tmp_path / "keys", algorithm, now=datetime(2026, 3, 1, tzinfo=UTC))])
    file.write_text(json.dumps(printed))
    assert read_client_keys(file) == printed


def test_a_private_key_is_refused_and_not_repeated(key: SmartKey, file: Path) -> None:
    private = ECAlgorithm.to_jwk(key.private, as_dict=True)
    file.write_text(json.dumps({"keys": [key.jwk, private]}))
    with pytest.raises(ConfigurationError, match="key 2: d is not for everybody's eyes") as refused:
        read_client_keys(file)
    assert private["d"] not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no JWKS"),
        ("[]", "holds no JWKS"),
        ('{"key": []}', "holds no JWKS"),
        ("[" * 100_000, "holds no JWKS"),
        ('{"keys": []}', "holds no key"),
        ('{"keys": {"kty": "EC"}}', "holds no key"),
        ('{"keys": ["EC"]}', "neither an RSA nor an EC key"),
        ('{"keys": [{"kty": ["EC"]}]}', "neither an RSA nor an EC key"),
        ('{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', "neither an RSA nor an EC key"),
        ('{"keys": [{"kty": "RSA", "e": "AQAB"}]}', "n is missing"),
        ('{"keys": [{"kty": "RSA", "e": "AQAB", "n": "AQ", "oth": []}]}', "oth is not for everybody's eyes"),
    ],
)
def test_what_is_no_set_of_public_keys_is_refused_with_the_reason(file: Path, text: str, why: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=why):
        read_client_keys(file)


def test_a_file_that_is_missing_is_named(file: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"jwks\.json cannot be read"):
        read_client_keys(file)
