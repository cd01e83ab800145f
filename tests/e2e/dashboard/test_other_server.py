"""Another FHIR server than ours: no events, no live scores; what is charted there, by asking in turn."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, expect

from ...servers import trusted
from .bedside import now
from .hospital import Hospital, hospital

ENCOUNTER_CLASS = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
NIPS = {"coding": [{"system": "http://loinc.org", "code": "98012-8"}]}


def post(url: str, resource: dict[str, Any]) -> str:
    answer = httpx.post(f"{url}/{resource['resourceType']}", json=resource, verify=trusted()).raise_for_status()
    return f"{resource['resourceType']}/{answer.json()['id']}"


def test_charted_values_of_another_server_are_shown_with_their_age(
    chromium: Browser, running: Hospital, ehr_url: str, tmp_path: Path
) -> None:
    patient = post(ehr_url, {"resourceType": "Patient"})
    visit = {"resourceType": "Encounter", "status": "in-progress", "class": ENCOUNTER_CLASS}
    where = [{"location": {"display": "WEST/8"}, "status": "active"}]
    post(ehr_url, {**visit, "subject": {"reference": patient}, "location": where})
    scored = {"resourceType": "Observation", "status": "final", "code": NIPS, "subject": {"reference": patient}}
    at = (now() - timedelta(minutes=5)).isoformat()
    post(ehr_url, {**scored, "effectiveDateTime": at, "valueQuantity": {"value": 3}})

    with hospital(
        running.engine, running.database_url, page=running.page, folder=tmp_path, fhir_url=ehr_url, local_issuer=None
    ) as other:
        page = chromium.new_page(locale="en-GB")
        page.goto(other.link())
        card = page.get_by_role("article", name="WEST 8")
        expect(card.locator(".number")).to_contain_text("4.3")
        expect(card).to_contain_text("charted 5 min old")
        expect(page.get_by_text("this server has no live scores")).to_be_visible()
        card.get_by_role("link", name="WEST 8").click()
        expect(page.locator(".entry")).to_contain_text("NIPS 3")
        assert page.locator(".entry button").count() == 0
        page.close()
