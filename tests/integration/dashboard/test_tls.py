"""The dashboard by TLS of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
from prometheus_client import REGISTRY

from ...certificates import NEEDS_OPENSSL, Authority, end_of
from .conftest import Dashboard

pytestmark = NEEDS_OPENSSL


def test_it_speaks_tls_and_tells_when_its_certificate_ends(
    dashboard_with: Callable[..., Dashboard], tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    shown = authority.issue("localhost")
    dashboard = dashboard_with(tls_certificate=shown.certificate, tls_key=shown.key, host="localhost")

    answer = httpx.get(f"{dashboard.settings.own_url}/session", verify=authority.context())

    told = REGISTRY.get_sample_value("neopain_dashboard_certificate_end_seconds", {"door": "dashboard"})
    assert (answer.status_code, told) == (401, end_of(shown))
