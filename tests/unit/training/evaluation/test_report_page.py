import re
from html.parser import HTMLParser

import pytest

from neopain.training.evaluate import About, figures
from neopain.training.figures.presence import PATTERNS
from neopain.training.predictions import Predictions
from neopain.training.report.page import CONTENTS, report_page

ABOUT = About(
    model="m-1",
    weights="trained on the simulator",
    engine="triton",
    data="Simulated cohort, seed 7",
    is_simulated=True,
    command="neopain evaluate --cohort-seed 7",
)


class Elements(HTMLParser):
    """Every element of a page with its attributes, and whether all that was opened was closed."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.open = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def evaluated(make_predictions, quick):
    by_pattern = {
        name: make_predictions(infants=4, windows=3, pattern=name, errors={"fusion": 1.0}) for name in PATTERNS
    }
    made = make_predictions(infants=8, windows=5)
    return figures(made, by_pattern, ABOUT, resampling=quick), made


@pytest.fixture(scope="module")
def page(evaluated):
    return report_page(*evaluated)


@pytest.fixture(scope="module")
def small(make_sample, make_answers, quick):
    """The page of two windows without baselines, whose names are markup."""
    sample = make_sample([3.0, 4.0], [4.0, 4.0], groups=[{"site": "<script>x</script>"}] * 2, subjects=["<b>s", "&c"])
    made = Predictions(sample.windows, {"fusion": make_answers(sample)})
    return report_page(figures(made, None, ABOUT, resampling=quick), made)


def test_the_page_is_whole(page):
    elements = Elements(page)
    assert elements.open == []
    assert [tag for tag, _ in elements.found].count("svg") == 10


def test_the_page_needs_no_script_and_no_network(page):
    elements = Elements(page)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in elements.found}
    targets = {
        value
        for _, attributes in elements.found
        for name, value in attributes.items()
        if name in {"href", "xlink:href"}
    }
    assert targets
    assert all(target.startswith("#") for target in targets)
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_the_page_carries_only_namespaces_as_addresses(page):
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) == {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_every_entry_of_the_contents_leads_somewhere(page):
    ids = [attributes["id"] for _, attributes in Elements(page).found if "id" in attributes]
    assert {anchor for anchor, _ in CONTENTS} <= set(ids)


def test_no_id_is_given_twice(page):
    ids = [attributes["id"] for _, attributes in Elements(page).found if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_what_is_not_known_is_a_dash(page, small):
    for text in (page, small):
        assert "None" not in text
        assert "nan" not in re.findall(r">([^<]*)<", text)
    assert "came without baselines" in small
    assert "patterns were not evaluated" in small


def test_names_from_the_data_are_text_and_not_markup(small):
    assert "<script>" not in small
    assert "<b>s" not in small
    assert "&lt;script&gt;" in small


def test_the_same_figures_give_the_same_page(evaluated, page):
    assert report_page(*evaluated) == page


def test_simulated_infants_are_called_so(page):
    assert "All infants here are simulated" in page
    assert "Investigational software" in page
