"""A bed in study mode: no number, the nurse's own score, and then both."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from neopain.domain.alert_policy import AlertPolicy
from neopain.domain.identity import BedId
from neopain.domain.study import Study

from .bedside import POLICY, Bedside, now

Open = Callable[..., Page]


@pytest.fixture
def bed(engine: Engine) -> Iterator[Bedside]:
    """One whose unit is in study mode, by the consumer and by the API, with a newest score of 6.1."""
    policy = replace(POLICY, alert=AlertPolicy(), study=Study(enabled=True))
    bed = Bedside(engine, BedId(f"STUDY/{uuid.uuid4().hex[:6]}@EAST"), policy=policy)
    bed.admit(since=now() - timedelta(hours=1))
    # Her time is told in whole seconds: a window of the second in which she scores is not of her minute yet.
    bed.score(6.1, at=now() - timedelta(seconds=2))
    yield bed
    bed.discharge()


def test_she_sees_no_number_scores_herself_and_then_sees_both(open_page: Open, bed: Bedside) -> None:
    page = open_page(bed.path)
    expect(page.locator(".score")).to_contain_text("enter your own score first")
    expect(page.locator("main")).not_to_contain_text("6.1")

    own = page.locator(".own-score")
    own.get_by_role("button", name="Keep my score").click()
    expect(own.get_by_role("alert")).to_have_text("Every item needs a number.")
    chosen = {"Facial expression": 1, "Cry": 2, "Breathing": 0, "Arms": 1, "Legs": 0, "Arousal": 1}
    for item, points in chosen.items():
        own.get_by_role("group", name=item).get_by_label(str(points), exact=True).check(force=True)
    own.get_by_role("button", name="Keep my score").click()

    expect(own.get_by_role("status")).to_contain_text("Kept.")
    entries = page.locator(".entry")
    expect(entries.filter(has_text="NIPS scored by a nurse")).to_contain_text("NIPS 5")
    ours = entries.filter(has_text="Kept for a study")
    expect(ours).to_contain_text("6.1")
    expect(ours.get_by_role("button")).to_have_count(0)
    expect(page.locator(".score")).to_contain_text("enter your own score first")
