"""Who can use the pages, and where: night, a phone, a keyboard alone, a screen reader; and that they do not grow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from neopain.domain.aggregate import SLOT
from neopain.domain.vitals import VitalKind

from .bedside import Bedside, now, slot
from .conftest import PHONE

NewBed = Callable[..., Bedside]
Open = Callable[..., Page]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture
def bed(new_bed: NewBed) -> Bedside:
    """One with everything that can be shown: a score, a notice, a course, an entry."""
    bed = new_bed()
    bed.admit(since=now() - timedelta(hours=1))
    for age in (5, 4, 3):
        bed.measure(VitalKind.HEART_RATE, 140.0 + age, begin=slot(now()) - age * SLOT)
    bed.chart()
    bed.hurt()
    return bed


@pytest.fixture(scope="session")
def axe(page_tools: Path) -> str:
    return (page_tools / "node_modules/axe-core/axe.min.js").read_text()


def barriers(page: Page, axe: str) -> list[str]:
    """What axe-core finds: rule and where."""
    page.evaluate(axe)
    found: Any = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
    return [f"{one['id']}: {node['target']} {node['any'][:1]}" for one in found["violations"] for node in one["nodes"]]


@pytest.mark.parametrize("colours", ["light", "dark", "night"])
def test_the_pages_have_no_barrier_that_axe_finds(open_page: Open, bed: Bedside, axe: str, colours: str) -> None:
    page = open_page()
    page.get_by_label("Colours").select_option(colours)
    expect(page.locator(".alert").first).to_be_visible()
    assert barriers(page, axe) == []

    page.get_by_role("link", name=bed.name).click()
    expect(page.locator(".entry").first).to_be_visible()
    assert barriers(page, axe) == []

    page.locator(".entry").first.get_by_role("button", name="Change").click()
    assert barriers(page, axe) == []


def test_night_mode_is_dark_and_stays(open_page: Open, bed: Bedside) -> None:
    page = open_page()
    page.get_by_label("Colours").select_option("night")
    page.reload()

    expect(page.get_by_label("Colours")).to_have_value("night")
    red, green, blue = page.evaluate(
        "getComputedStyle(document.documentElement).backgroundColor.match(/[0-9]+/g).map(Number)"
    )
    assert max(red, green, blue) < 10


def test_colours_follow_the_system(open_page: Open, bed: Bedside) -> None:
    page = open_page(color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.emulate_media(color_scheme="light")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


@pytest.mark.parametrize("where", ["ward", "bed"])
def test_a_phone_shows_everything_without_scrolling_sideways(open_page: Open, bed: Bedside, where: str) -> None:
    page = open_page("/" if where == "ward" else bed.path, viewport=PHONE)
    expect(page.locator(".alert").first).to_be_visible()

    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    small = """() => [...document.querySelectorAll('a[href], button, select, label:has(input)')]
        .filter(one => !one.classList.contains('skip')).map(one => [one.textContent, one.getBoundingClientRect()])
        .filter(([, box]) => box.width < 44 || box.height < 44).map(([text]) => text)"""
    assert page.evaluate(small) == []


FOCUSED = "document.activeElement.matches('a, button') ? document.activeElement.textContent : ''"


def press_until(page: Page, key: str, name: str) -> None:
    """Presses a key until the focus is on a link or button of that name; 40 times at most."""
    for _ in range(40):
        page.keyboard.press(key)
        if name in page.evaluate(FOCUSED):
            return
    raise AssertionError(f"{key} never leads to {name}")


def test_a_keyboard_alone_answers_an_entry(open_page: Open, bed: Bedside) -> None:
    page = open_page()
    expect(page.locator(".card")).to_be_visible()
    press_until(page, "Tab", "Skip to the beds")
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    page.keyboard.press("Enter")
    press_until(page, "Tab", bed.name)
    page.keyboard.press("Enter")
    expect(page.locator(".entry").first).to_be_visible()

    press_until(page, "Tab", "Accept")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    press_until(page, "Tab", "Accept")
    page.keyboard.press("Enter")

    expect(page.locator(".entry").first).to_contain_text("Accepted by")


def test_the_plots_have_one_time_axis_and_one_cursor(open_page: Open, bed: Bedside) -> None:
    page = open_page(bed.path)
    plots = page.locator(".plots")
    expect(plots.get_by_role("img", name="Heart rate: from 143 to 145, newest 143; with gaps")).to_be_visible()

    plots.focus()
    page.keyboard.press("ArrowLeft")

    times = "[...document.querySelectorAll('.u-cursor-x')].map(one => one.style.transform)"
    lines = page.evaluate(times)
    assert len(lines) == 5
    assert len(set(lines)) == 1


def test_the_title_names_the_bed_and_nothing_else(open_page: Open, bed: Bedside) -> None:
    page = open_page(bed.path)
    expect(page).to_have_title(f"{bed.name} · neopain")
    assert bed.infant.value not in page.content()


FAST = """
const slow = window.setTimeout;
window.setTimeout = (work, ms, ...rest) => slow(work, (ms ?? 0) / 50, ...rest);
const real = window.fetch;
const live = {};
window.updates = 0;
window.fetch = async (path, how) => {
  if (!String(path).includes('category=live')) return real(path, how);
  live.body ??= await (await real(path, how)).text();
  window.updates += 1;
  const bundle = JSON.parse(live.body);
  for (const { resource } of bundle.entry ?? []) {
    resource.valueQuantity = { value: window.updates % 10 };
    resource.component.find(one => one.code.coding[0].code === 'age').valueQuantity.value = 1;
  }
  return new Response(JSON.stringify(bundle), { headers: { Date: new Date().toUTCString() } });
};
window.setInterval = (work, ms) => { const again = () => { work(); slow(again, ms / 200); }; slow(again, ms / 200); };
"""
"""Only the time is made up: the page's own timers run 50 and 200 times as fast, and each read has another number."""


def test_a_page_that_stays_open_does_not_grow(open_page: Open, bed: Bedside) -> None:
    page = open_page()
    page.add_init_script(FAST)
    page.reload()
    probe = page.context.new_cdp_session(page)

    def used() -> tuple[float, float]:
        probe.send("HeapProfiler.collectGarbage")
        told = {one["name"]: one["value"] for one in probe.send("Performance.getMetrics")["metrics"]}
        return told["JSHeapUsedSize"] / 1e6, told["Nodes"]

    probe.send("Performance.enable")
    page.wait_for_function("() => window.updates > 30")
    megabytes, nodes = used()
    page.wait_for_function("() => window.updates > 180", timeout=60_000)
    after, nodes_after = used()

    # What is not collected yet goes up and down by half a megabyte; each update kept would be 1.3.
    assert after - megabytes < 1
    assert nodes_after - nodes < 120
