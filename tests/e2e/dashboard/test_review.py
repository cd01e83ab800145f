"""A nurse's answers to an entry, to the database and on to the EHR; and who only reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import select

from neopain.charting.deliverer import Deliverer
from neopain.charting.desk import Decision, Verdict, decide
from neopain.charting.ehr.fhir_http import FhirHttp
from neopain.charting.ehr.fhir_r4 import R4Channel
from neopain.charting.retry import RetryPolicy
from neopain.charting.tables import ENTRIES
from neopain.runtime.clock import SystemClock

from ...servers import trusted
from .bedside import AUTHORITY, Bedside, now
from .hospital import Hospital, hospital

NewBed = Callable[..., Bedside]
Open = Callable[..., Page]
SYSTEM = f"urn:neopain:authority:{AUTHORITY}"


@pytest.fixture
def bed(new_bed: NewBed) -> Bedside:
    """One with an entry to be verified."""
    bed = new_bed()
    bed.admit(since=now() - timedelta(hours=1))
    bed.chart()
    return bed


def entries(page: Page) -> Locator:
    return page.locator(".entry")


def open_act(page: Page, act: str) -> Locator:
    """The dialog of an act on the newest entry."""
    expect(entries(page).first).to_contain_text("To be verified")
    entries(page).first.get_by_role("button", name=act).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("You saw")
    expect(dialog).to_contain_text("4.2")
    return dialog


class Ehr:
    """The EHR as somebody else sees it, and delivery to it."""

    def __init__(self, url: str, engine: Any) -> None:
        self.url = url
        self.http = FhirHttp(url, timeout_seconds=10)
        retry = RetryPolicy(first=timedelta(seconds=1), longest=timedelta(seconds=8), doubt=timedelta(seconds=10))
        self.deliverer = Deliverer(engine, R4Channel(self.http), SystemClock(), retry)

    def admit(self, bed: Bedside) -> str:
        patient = {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": bed.infant.value}]}
        own_id = httpx.post(f"{self.url}/Patient", json=patient, verify=trusted()).json()["id"]
        visit = {
            "resourceType": "Encounter",
            "status": "in-progress",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
            "subject": {"reference": f"Patient/{own_id}"},
        }
        httpx.post(f"{self.url}/Encounter", json=visit, verify=trusted()).raise_for_status()
        return str(own_id)

    def deliver(self) -> None:
        while handed := list(self.deliverer.hand_out()):
            for entry_id in handed:
                self.deliverer.deliver(entry_id)

    def found(self, patient: str) -> list[tuple[str, str]]:
        """Status and code of what it has of the patient, oldest first."""
        self.deliver()
        bundle = httpx.get(f"{self.url}/Observation", params={"subject": f"Patient/{patient}"}, verify=trusted()).json()
        resources = [one["resource"] for one in bundle.get("entry", [])]
        return sorted((one["status"], one["code"]["coding"][0]["code"]) for one in resources)


@pytest.fixture
def ehr(ehr_url: str, running: Hospital) -> Iterator[Ehr]:
    ehr = Ehr(ehr_url, running.engine)
    yield ehr
    ehr.http.close()


def test_an_entry_is_accepted_and_then_final_in_the_ehr(open_page: Open, bed: Bedside, ehr: Ehr) -> None:
    patient = ehr.admit(bed)
    assert ("preliminary", "pain-score") in ehr.found(patient)
    page = open_page(bed.path)

    open_act(page, "Accept").get_by_role("button", name="Accept").click()

    expect(entries(page).first).to_contain_text("Accepted by")
    assert ("final", "pain-score") in ehr.found(patient)


def test_a_nurse_scores_instead_and_the_ehr_has_hers(open_page: Open, bed: Bedside, ehr: Ehr) -> None:
    patient = ehr.admit(bed)
    ehr.deliver()
    page = open_page(bed.path)

    dialog = open_act(page, "Change")
    dialog.get_by_role("button", name="Change").click()
    expect(dialog.get_by_role("alert")).to_have_text("Every item needs a number.")
    for item, points in (
        ("Facial expression", 1),
        ("Cry", 2),
        ("Breathing", 0),
        ("Arms", 1),
        ("Legs", 0),
        ("Arousal", 1),
    ):
        dialog.get_by_role("group", name=item).get_by_label(str(points), exact=True).check(force=True)
    expect(dialog.locator(".total")).to_have_text("Total 5 / 7")
    dialog.get_by_role("button", name="Change").click()

    expect(entries(page).filter(has_text="NIPS scored by a nurse").first).to_contain_text("NIPS 5")
    expect(entries(page).filter(has_text="Replaced").first).to_be_visible()
    assert {("cancelled", "pain-score"), ("final", "98012-8")} <= set(ehr.found(patient))


def test_an_entry_that_is_not_to_be_sent_is_withdrawn_and_replaced_by_nothing(open_page: Open, bed: Bedside) -> None:
    with bed.engine.connect() as connection:
        mine = select(ENTRIES.c.entry_id).where(ENTRIES.c.patient_value == bed.infant.value)
        charted = connection.execute(mine).scalars().all()
    for entry_id in charted:
        decide(bed.engine, SystemClock(), entry_id, Decision(Verdict.CANCEL, by="A. Desk", reason="test bed"))

    page = open_page(bed.path)

    expect(entries(page).locator(".status")).to_have_text(["Withdrawn"] * len(charted))
    expect(entries(page).first).to_contain_text("Withdrawn by A. Desk")
    expect(entries(page).first).to_contain_text("test bed")


def test_a_rejection_needs_a_reason(open_page: Open, bed: Bedside) -> None:
    page = open_page(bed.path)
    dialog = open_act(page, "Reject")

    dialog.get_by_role("button", name="Reject").click()
    expect(dialog).to_be_visible()
    dialog.get_by_label("Reason").fill("moved for care")
    dialog.get_by_role("button", name="Reject").click()

    expect(entries(page).first).to_contain_text("moved for care")
    expect(entries(page).first).to_contain_text("Rejected")


def test_an_entry_that_somebody_else_answered_is_told_and_read_again(open_page: Open, bed: Bedside) -> None:
    page, other = open_page(bed.path), open_page(bed.path)
    dialog = open_act(page, "Reject")
    open_act(other, "Accept").get_by_role("button", name="Accept").click()
    expect(entries(other).first).to_contain_text("Accepted by")

    dialog.get_by_label("Reason").fill("too late")
    dialog.get_by_role("button", name="Reject").click()

    expect(page.get_by_text("Somebody changed this entry meanwhile")).to_be_visible()
    expect(entries(page).first).to_contain_text("Accepted by")


def test_who_only_reads_has_no_buttons(chromium: Browser, running: Hospital, bed: Bedside, tmp_path: Path) -> None:
    scopes = "openid user/Observation.rs user/Encounter.rs user/Patient.rs user/Flag.rs"
    with hospital(
        running.engine, running.database_url, page=running.page, folder=tmp_path, openid_scopes=scopes
    ) as two:
        page = chromium.new_page(locale="en-GB")
        page.goto(two.link())
        page.goto(two.url + bed.path)
        expect(entries(page).first).to_contain_text("To be verified")
        expect(page.get_by_text("Reading only")).to_be_visible()
        assert page.locator(".entry button").count() == 0
        page.close()
