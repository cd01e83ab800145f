from neopain.training.figures.groups import groups


def test_bands_of_gestational_age_stand_in_their_own_order(make_sample, quick):
    bands = [{"ga_band": band} for band in ("unknown", ">=37", "<28", "32-36", "28-31")]
    found = groups(make_sample([1.0] * 5, [1.0] * 5, groups=bands), quick)
    assert list(found["ga_band"]) == ["<28", "28-31", "32-36", ">=37", "unknown"]


def test_each_group_has_its_own_figures_and_counts(make_sample, quick):
    sites = [{"site": site} for site in ("north", "north", "south")]
    found = groups(make_sample([1.0, 2.0, 3.0], [1.0, 2.0, 5.0], subjects=["a", "a", "b"], groups=sites), quick)
    north, south = found["site"]["north"], found["site"]["south"]
    assert (north["infants"], north["windows"], north["mae"]["value"]) == (1, 2, 0.0)
    assert (south["infants"], south["windows"], south["mae"]["value"]) == (1, 1, 2.0)
    assert south["coverage90"]["value"] == 0.0
    assert south["width90"] == 2.0


def test_what_nobody_noted_is_no_group(make_sample, quick):
    found = groups(make_sample([1.0, 2.0], [1.0, 2.0], groups=[{"sex": "unknown"}, {"sex": "unknown"}]), quick)
    assert "sex" not in found


def test_windows_are_grouped_by_what_was_recorded_too(make_sample, quick):
    found = groups(make_sample([1.0, 2.0], [1.0, 2.0], patterns=["F", "FCPM"]), quick)
    assert list(found["recorded"]) == ["F", "FCPM"]
