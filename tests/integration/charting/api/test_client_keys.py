"""The public keys of our SMART client: an EHR reads them where the API tells them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from jwt.algorithms import ECAlgorithm

from neopain.charting.ehr.smart_keys import SmartKey, key_set, make_key
from neopain.charting.ehr.smart_token import assertion
from neopain.errors import ConfigurationError

from .conftest import Api, outcome

PLACE = ".well-known/jwks.json"
TOKEN_URL = "https://ehr.example/token"


@pytest.fixture
def key(tmp_path: Path) -> SmartKey:
    return make_key(tmp_path / "keys", "ES384", now=datetime(2026, 3, 1, tzinfo=UTC))


@pytest.fixture
def file(tmp_path: Path, key: SmartKey) -> Path:
    path = tmp_path / "client.json"
    path.write_text(json.dumps(key_set([key])))
    return path


@pytest.fixture
def telling(api_with: Callable[..., Api], file: Path) -> Api:
    """An API that has the file."""
    return api_with(api_client_keys=file)


def test_a_server_that_reads_them_there_can_check_our_assertion(telling: Api, key: SmartKey) -> None:
    signed = assertion("neopain", TOKEN_URL, key, now=datetime.now(UTC))
    keys = jwt.PyJWKClient(f"{telling.url}/{PLACE}")
    claims = jwt.decode(
        signed, keys.get_signing_key_from_jwt(signed).key, algorithms=["ES384"], audience=TOKEN_URL, issuer="neopain"
    )
    assert claims["sub"] == "neopain"


def test_nobody_needs_a_token_and_copies_may_be_kept_for_five_minutes(telling: Api) -> None:
    answer = telling.ask(PLACE, token="")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "public, max-age=300"


def test_a_key_that_comes_beside_is_told_at_once(telling: Api, key: SmartKey, file: Path, tmp_path: Path) -> None:
    new = make_key(tmp_path / "keys", "RS384", now=datetime(2026, 3, 2, tzinfo=UTC))
    file.write_text(json.dumps(key_set([key, new])))
    assert [one["kid"] for one in telling.ask(PLACE, token="").json()["keys"]] == [key.kid, new.kid]


def test_a_private_key_in_the_file_is_never_told(
    telling: Api, key: SmartKey, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    private: dict[str, Any] = ECAlgorithm.to_jwk(key.private, as_dict=True)
    file.write_text(json.dumps({"keys": [private]}))
    answer = telling.ask(PLACE, token="")
    assert outcome(answer) == (503, "transient")
    assert private["d"] not in answer.text + "".join(capsys.readouterr())


def test_a_file_with_a_private_key_refuses_the_start(api_with: Callable[..., Api], key: SmartKey, file: Path) -> None:
    file.write_text(json.dumps({"keys": [ECAlgorithm.to_jwk(key.private, as_dict=True)]}))
    with pytest.raises(ConfigurationError, match=r"NEOPAIN_CHARTING_API_CLIENT_KEYS: .*key 1: d is not for"):
        api_with(api_client_keys=file)


def test_without_a_file_the_address_is_like_any_that_is_not_there(api: Api) -> None:
    answers = [outcome(api.ask(place, token="")) for place in (PLACE, ".well-known/other")]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_can_only_be_read(telling: Api, method: str) -> None:
    assert telling.ask(PLACE, method=method).status_code in {404, 405}
