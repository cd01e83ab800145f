from copy import deepcopy

import pytest

from neopain.training.figures.goals import goals


@pytest.fixture
def reached():
    """What meets every goal."""
    whole = {"value": 0.9}
    group = {"windows": 40, "coverage90": {"value": 0.85}, "not_finite": 0}
    names = ("FCPM", "FCP", "FCM", "FPM", "CPM", "FC", "FP", "FM", "CP", "CM", "PM", "F", "C", "P", "M")
    return {
        "accuracy": {"mae": {"value": 0.84}, "icc21": {"value": 0.93}},
        "abstention": {"share": 0.05, "without_infant": {"share": 0.95}},
        "comparisons": {"p_max": 0.0009, "baselines": {"face": {}}},
        "intervals": {
            "levels": {"0.9": {"coverage": whole, "width": 3.5}}, "crps": 0.4, "crps_constant_width": 0.5,
        },
        "groups": {"ga_band": {"<28": group}},
        "patterns": {name: deepcopy(group) for name in names},
        "missing": {"face": {"rise": 0.25, "width_with": 2.0, "width_without": 2.5}},
    }  # fmt: skip


def test_a_figure_on_its_limit_meets_the_goal(reached):
    assert [goal["met"] for goal in goals(reached)] == [True] * 12


@pytest.mark.parametrize(
    ("path", "value", "name"),
    [
        (("accuracy", "mae", "value"), 0.841, "mean absolute error, all windows with an infant"),
        (("abstention", "share"), 0.051, "windows with an infant without an answer"),
        (("accuracy", "icc21", "value"), 0.929, "ICC(2,1) with the raters' mean"),
        (("comparisons", "p_max"), 0.001, "better than each of 1 baselines (Wilcoxon, Holm)"),
        (("intervals", "levels", "0.9", "coverage", "value"), 0.931, "coverage of the 90 % intervals"),
        (("intervals", "levels", "0.9", "coverage", "value"), 0.869, "coverage of the 90 % intervals"),
        (("intervals", "levels", "0.9", "width"), 3.51, "their mean width"),
        (("intervals", "crps"), 0.5, "CRPS"),
        (("patterns", "M", "not_finite"), 1, "presence patterns"),
        (("patterns", "M", "windows"), 0, "presence patterns"),
        (("missing", "face", "rise"), 0.26, "rise of the error with one modality gone"),
        (("missing", "face", "width_without"), 1.9, "intervals with one modality gone"),
        (("abstention", "without_infant", "share"), 0.94, "abstains on windows without an infant"),
    ],
)
def test_a_figure_beyond_its_limit_misses_that_goal_alone(reached, path, value, name):
    changed = deepcopy(reached)
    node = changed
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    assert [goal["name"] for goal in goals(changed) if not goal["met"]] == [name]


def test_the_group_with_the_lowest_coverage_decides(reached):
    reached["groups"]["ga_band"]["28-31"] = {"windows": 40, "coverage90": {"value": 0.84}}
    goal = next(goal for goal in goals(reached) if goal["name"].startswith("their coverage in each"))
    assert (goal["reached"], goal["met"]) == ("lowest 84.0 % (28-31)", False)


def test_a_group_with_few_windows_does_not_decide(reached):
    reached["groups"]["ga_band"]["28-31"] = {"windows": 39, "coverage90": {"value": 0.5}}
    assert all(goal["met"] for goal in goals(reached))


def test_what_the_data_cannot_tell_is_neither_met_nor_missed(reached):
    reached["comparisons"] = {"p_max": None, "baselines": {}}
    reached["patterns"] = {}
    reached["missing"] = {}
    reached["groups"] = {}
    reached["abstention"]["without_infant"]["share"] = None
    assert [goal["met"] for goal in goals(reached)].count(None) == 6
