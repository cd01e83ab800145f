from dataclasses import replace

import pytest

from neopain.training.evaluate import About, figures
from neopain.training.report.card import model_card
from neopain.training.report.tripod import tripod_items, tripod_markdown
from neopain.training.report.words import estimate, p_value, percent, share_estimate

ABOUT = About(
    model="m-1",
    weights="untrained",
    engine="openvino",
    data="Simulated cohort, seed 7",
    is_simulated=True,
    command="neopain evaluate --cohort-seed 7",
    training={"seed": "3"},
    latency_ms={"p50": 100.4, "p95": 120.0, "p99": 130.0, "windows": 50.0},
)

NUMBERS = (
    "1 2 3a 3b 3c 4 5a 5b 6a 6b 6c 7 8a 8b 8c 9a 9b 9c 10 11 12a 12b 12c 12d 12e 12f 12g 13 14 15 16 17 "
    "18a 18b 18c 18d 18e 18f 19 20a 20b 20c 21 22 23a 23b 24 25 26 27a 27b 27c"
)


@pytest.fixture(scope="module")
def found(make_predictions, quick):
    return figures(make_predictions(infants=6, windows=4), None, ABOUT, resampling=quick)


def test_the_checklist_answers_every_item_in_order(found):
    items = tripod_items(found)
    assert [item.number for item in items] == NUMBERS.split()
    assert all(item.topic and item.answer for item in items)


def test_what_only_a_study_on_patients_can_answer_is_open(found, make_predictions, quick):
    recorded = replace(ABOUT, is_simulated=False)
    real = figures(make_predictions(infants=6, windows=4), None, recorded, resampling=quick)
    open_items = [item.number for item in tripod_items(real) if item.answer.startswith("Open")]
    assert open_items == ["5b", "8c", "9c", "17", "18a", "18b", "18d", "18e", "19", "20c"]
    assert len([item for item in tripod_items(found) if item.answer.startswith("Open")]) == 2


def test_the_checklist_is_a_markdown_table(found):
    rows = [line for line in tripod_markdown(found).splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 52
    assert {line.count("|") for line in rows} == {4}


def test_the_card_says_that_untrained_weights_know_nothing(found):
    assert "The weights were never trained: every figure is that of chance." in model_card(found)


def test_the_card_has_the_figures_and_how_they_were_made(found):
    card = model_card(found)
    assert f"| MAE, of 10 | {estimate(found['accuracy']['mae'])} |" in card
    assert "| command | neopain evaluate --cohort-seed 7 |" in card
    assert "| one window through the engine | p50 100 ms, p95 120 ms, p99 130 ms, 50 windows |" in card
    assert "| training: seed | 3 |" in card
    assert "None" not in card


def test_every_table_of_the_card_is_regular(found):
    tables, lines = [], model_card(found).splitlines()
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("|"):
            tables += [[]] if not before.startswith("|") else []
            tables[-1].append(line.count("|"))
    assert len(tables) >= 5
    assert all(len(set(columns)) == 1 for columns in tables)


def test_figures_are_written_for_people():
    assert estimate({"value": 0.8349, "low": 0.8, "high": 0.9}, 2) == "0.83 (0.80 to 0.90)"
    assert estimate({"value": -0.5, "low": None, "high": None}) == "−0.50"
    assert estimate({"value": None, "low": None, "high": None}) == "–"
    assert share_estimate({"value": 0.9, "low": 0.874, "high": 0.926}) == "90.0\u00a0% (87 to 93\u00a0%)"
    assert percent(0.05, 0) == "5\u00a0%"
    assert (p_value(0.00001), p_value(0.0012), p_value(0.5), p_value(None)) == ("< 0.0001", "0.0012", "0.500", "–")
