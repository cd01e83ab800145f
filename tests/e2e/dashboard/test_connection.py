"""A lost connection, a session that ends: what is on the page then never looks like now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from .bedside import Bedside, now
from .hospital import Hospital

NewBed = Callable[..., Bedside]
Open = Callable[..., Page]


@pytest.fixture
def bed(new_bed: NewBed) -> Bedside:
    """One with a score of now."""
    bed = new_bed()
    bed.admit(since=now() - timedelta(hours=1))
    bed.score(3.7, at=now())
    return bed


@pytest.fixture
def stopped_api(running: Hospital) -> Iterator[Hospital]:
    """Runs again after the test, whatever became of it."""
    yield running
    if not running.runs("api"):
        running.start_api()


def test_a_killed_api_is_shown_at_once_and_strikes_every_number(
    open_page: Open, bed: Bedside, stopped_api: Hospital
) -> None:
    page = open_page()
    expect(page.locator(".number")).to_contain_text("3.7")

    stopped_api.stop_api()
    begun = time.monotonic()
    lost = page.get_by_role("alertdialog", name="Connection lost")
    expect(lost).to_be_visible()
    assert time.monotonic() - begun < 2

    expect(lost).to_contain_text("since ")
    expect(page.locator(".number s")).to_have_text("3.7")
    expect(page.locator(".level")).to_have_count(0)

    stopped_api.start_api()
    bed.score(5.2, at=now())
    expect(lost).to_have_count(0)
    bed.score(5.3, at=now())
    expect(page.locator(".number")).to_contain_text("5.3")


def test_a_device_that_goes_offline_is_shown_at_once(open_page: Open, bed: Bedside) -> None:
    page = open_page()
    expect(page.locator(".number")).to_contain_text("3.7")

    page.context.set_offline(True)

    expect(page.get_by_role("alertdialog")).to_contain_text("this device is offline", timeout=1_000)
    page.context.set_offline(False)
    expect(page.get_by_role("alertdialog")).to_have_count(0)


def test_a_server_that_says_nothing_is_a_lost_connection(open_page: Open, bed: Bedside) -> None:
    page = open_page()
    expect(page.locator(".number")).to_contain_text("3.7")

    # As when a machine on the way dies without a word: what is asked gets no answer, and the stream no end.
    page.route("**/fhir/**", lambda route: None)

    expect(page.get_by_role("alertdialog")).to_be_visible(timeout=12_000)


def test_a_session_that_ended_shows_nothing_but_the_way_to_sign_in(
    open_page: Open, bed: Bedside, running: Hospital
) -> None:
    page = open_page()
    expect(page.locator(".number")).to_contain_text("3.7")

    running.stop_dashboard()
    expect(page.get_by_role("alertdialog")).to_be_visible()
    running.start_dashboard()

    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    assert page.locator(".card").count() == 0


def test_a_nurse_signs_out(open_page: Open, bed: Bedside) -> None:
    page = open_page()
    expect(page.locator(".number")).to_contain_text("3.7")

    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()


def test_a_wrong_clock_of_the_device_changes_no_age(open_page: Open, bed: Bedside) -> None:
    page = open_page()
    page.add_init_script("const real = Date.now; Date.now = () => real() + 5 * 3600 * 1000")
    page.reload()
    bed.score(3.8, at=now())

    expect(page.locator(".number")).to_contain_text("3.8")
    assert int(page.locator(".age").inner_text().split(" ")[0]) < 30
