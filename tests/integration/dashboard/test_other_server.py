"""Another FHIR server than ours: it is read, and nothing else."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import httpx

from ...servers import trusted
from .conftest import Dashboard


def test_another_fhir_server_is_read_and_never_written(dashboard_with: Callable[..., Dashboard], ehr_url: str) -> None:
    family = secrets.token_hex(6)
    for _ in range(3):
        told = {"resourceType": "Patient", "name": [{"family": family}]}
        httpx.post(f"{ehr_url}/Patient", json=told, verify=trusted()).raise_for_status()
    dashboard = dashboard_with(fhir_url=ehr_url)
    dashboard.sign_in()

    session = dashboard.get("/session").json()
    found = dashboard.get(f"/fhir/Patient?family={family}").json()
    written = dashboard.write("POST", "/fhir/Observation", {"resourceType": "Observation"})

    assert [session[name] for name in ("source", "events", "mayReview")] == ["other", False, False]
    assert len(found["entry"]) == 3
    assert (written.status_code, dashboard.get("/fhir/$events").status_code) == (405, 404)
