"""The dashboard refuses to start where it would not be clear who is signed in, or something would go in the clear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from neopain.dashboard.settings import DashboardSettings
from neopain.errors import ConfigurationError

FILE = Path("file.pem")
FAR = "10.0.0.7"
OPENID: dict[str, Any] = {"openid_issuer": "https://id.example", "openid_client_id": "dashboard"}
PUBLIC: dict[str, Any] = {**OPENID, "host": FAR, "url": "https://ward.example", "behind_tls_proxy": True}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"host": FAR}, "one-time links are for one machine"),
        ({"host": FAR, "local_issuer": FILE, "behind_tls_proxy": True}, "one-time links are for one machine"),
        ({"local_issuer": FILE, "fhir_token_file": FILE}, "unset one of them"),
        ({**OPENID, "local_issuer": FILE}, "a token of her own"),
        ({**OPENID, "fhir_token_file": FILE}, "a token of her own"),
        ({"openid_issuer": "https://id.example"}, "OPENID_CLIENT_ID"),
        ({**OPENID, "openid_issuer": "http://id.example"}, "OPENID_ISSUER is https"),
        ({"fhir_url": "http://10.0.0.8/fhir"}, "FHIR_URL is https"),
        ({"fhir_url": "http://127.0.0.1@evil.example/fhir"}, "FHIR_URL is https"),
        ({**PUBLIC, "behind_tls_proxy": False}, "beyond this machine"),
        ({**PUBLIC, "url": "http://ward.example"}, "for its cookies"),
        ({**PUBLIC, "url": "https://hospital.example/ward"}, "has no path"),
        ({"tls_certificate": FILE}, "set together"),
    ],
)
def test_what_cannot_be_together_is_refused(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(ConfigurationError, match=rule):
        DashboardSettings(**changes).require_consistent()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"local_issuer": FILE, "host": "::1"},
        {"fhir_token_file": FILE, "fhir_url": "https://ehr.example/fhir/"},
        OPENID,
        PUBLIC,
        {**OPENID, "host": FAR, "tls_certificate": FILE, "tls_key": FILE},
    ],
)
def test_what_is_clear_is_taken(changes: dict[str, Any]) -> None:
    DashboardSettings(**changes).require_consistent()
