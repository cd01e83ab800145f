"""The FHIR API refuses to start where it would not be clear who may read, or tokens would go in the clear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from neopain.charting.api.settings import ApiSettings
from neopain.errors import ConfigurationError

FILE = Path("jwks.json")
HOSPITAL: dict[str, Any] = {"api_issuer": "https://id.hospital.example", "api_jwks_file": FILE}
LOCAL: dict[str, Any] = {"api_local_issuer": Path("state")}


def settings(**changes: Any) -> ApiSettings:
    return ApiSettings(database_url="postgresql+psycopg2://u@h/d", **changes)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({}, "nobody is named who says who may read"),
        ({"api_issuer": "https://id"}, "set NEOPAIN_CHARTING_API_JWKS_URL or NEOPAIN_CHARTING_API_JWKS_FILE"),
        ({**HOSPITAL, "api_jwks_url": "https://id/jwks"}, "one of them"),
        ({"api_issuer": "https://id", "api_jwks_url": "http://id/jwks"}, "JWKS_URL is https"),
        ({"api_issuer": "https://id", "api_jwks_url": "http://127.0.0.1@evil/jwks"}, "JWKS_URL is https"),
        ({**LOCAL, **HOSPITAL}, "beside an issuer"),
        ({**LOCAL, "api_host": "0.0.0.0"}, "not on loopback"),  # noqa: S104 - refused
        ({**LOCAL, "api_host": "10.0.0.7", "api_behind_tls_proxy": True}, "not on loopback"),
        ({**HOSPITAL, "api_host": "10.0.0.7"}, "beyond this machine"),
        ({**HOSPITAL, "api_tls_certificate": FILE}, "set together"),
    ],
)
def test_what_cannot_be_together_is_refused(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(ConfigurationError, match=rule):
        settings(**changes).require_consistent()


@pytest.mark.parametrize(
    "changes",
    [
        HOSPITAL,
        LOCAL,
        {**LOCAL, "api_host": "::1"},
        {"api_issuer": "https://id", "api_jwks_url": "https://id/jwks"},
        {"api_issuer": "https://id", "api_jwks_url": "http://[::1]:8000/jwks"},
        {**HOSPITAL, "api_host": "10.0.0.7", "api_behind_tls_proxy": True},
        {**HOSPITAL, "api_host": "10.0.0.7", "api_tls_certificate": FILE, "api_tls_key": FILE},
    ],
)
def test_what_is_clear_is_taken(changes: dict[str, Any]) -> None:
    settings(**changes).require_consistent()


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({"api_port": 8081}, "http://127.0.0.1:8081/fhir/R4"),
        ({"api_host": "::1"}, "http://[::1]:8080/fhir/R4"),
        ({"api_tls_certificate": FILE}, "https://127.0.0.1:8080/fhir/R4"),
        ({"api_url": "https://neopain.hospital.example/fhir/R4/"}, "https://neopain.hospital.example/fhir/R4"),
    ],
)
def test_the_base_url_is_the_audience_unless_set_otherwise(changes: dict[str, Any], url: str) -> None:
    assert (settings(**changes).base_url, settings(**changes).audience) == (url, url)
    assert settings(**changes, api_audience="neopain").audience == "neopain"


@pytest.mark.parametrize("changes", [{"api_zone": "Mars/Olympus"}, {"api_units": ("@EAST",)}, {"api_port": 0}])
def test_a_value_that_means_nothing_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**changes)
