import numpy as np
import pytest

from neopain.training.bound import Readers, Shown, bound_figures, joined
from neopain.training.leg import Silent

WINDOWS = 400


def made_up(seed: int) -> Shown:
    """Labels of 0 and 5, which the face tells; the cry tells half of them, and devices hear nothing."""
    random = np.random.default_rng(seed)
    pain = random.integers(0, 2, WINDOWS).astype(float)
    nothing = np.full((WINDOWS, 1), np.nan)
    heard = np.where(random.random(WINDOWS) < 0.5, pain, np.nan)[:, None]
    signs = {"ages": np.zeros((WINDOWS, 1)), "F": pain[:, None], "C": heard, "P": nothing, "M": nothing}
    return Shown(
        labels=5.0 * pain,
        infants=np.array([f"{seed}-{number // 20}" for number in range(WINDOWS)]),
        supports=np.array(["none", "cpap"] * (WINDOWS // 2)),
        signs=signs,
        devices=signs | {"C": nothing},
    )


@pytest.fixture(scope="module")
def readers() -> Readers:
    return Readers(made_up(1), made_up(2), trees=40)


@pytest.fixture(scope="module")
def found(readers, quick):
    return bound_figures(readers, ["F", "M"], quick, Silent())


def test_a_reader_of_what_tells_the_label_is_seldom_wrong(readers):
    assert readers.errors("signs", "FCPM").mean() < 0.3


def test_a_reader_has_what_its_pattern_leaves_and_nothing_else(readers):
    assert readers.errors("signs", "PM").mean() == pytest.approx(2.5, abs=0.3)
    assert readers.errors("signs", "CPM").mean() == pytest.approx(1.25, abs=0.4)


def test_a_reader_of_devices_has_only_what_they_tell(readers):
    assert readers.errors("devices", "CPM").mean() == pytest.approx(2.5, abs=0.3)


def test_the_whole_and_each_pattern_that_lacks_one_letter_are_always_told(found):
    assert list(found["signs"]["patterns"]) == ["FCPM", "CPM", "FPM", "FCM", "FCP", "F", "M"]


def test_the_error_of_each_support_of_breath_stands_beside_that_of_all(found):
    alone = found["devices"]["patterns"]["CPM"]
    assert sorted(alone["by_support"]) == ["cpap", "none"]
    assert alone["mae"]["value"] == pytest.approx(np.mean(list(alone["by_support"].values())), abs=1e-4)


def test_a_rise_is_of_the_reader_who_has_everything(found):
    rise = found["devices"]["missing"]
    whole = found["devices"]["patterns"]["FCPM"]["mae"]["value"]
    without_face = found["devices"]["patterns"]["CPM"]["mae"]["value"]
    assert rise["face"]["value"] == pytest.approx(without_face / whole - 1.0, rel=1e-2)
    assert rise["movement"]["value"] == pytest.approx(0.0, abs=1e-6)


def test_windows_are_joined_in_their_order():
    first, second = made_up(1), made_up(2)
    both = joined([first, second])
    assert both.labels.tolist() == [*first.labels, *second.labels]
    assert both.columns("signs", "F").shape == (2 * WINDOWS, 2)
