import numpy as np

from neopain.training.table_rows import joined, take


def test_rows_are_taken_of_windows_and_of_every_model(make_predictions):
    made = make_predictions(infants=2, windows=3)
    some = take(made, np.array([4, 1]))
    assert [window.segment for window in some.windows] == ["infant-001-1", "infant-000-1"]
    assert some.models["face"].quantiles.tolist() == made.models["face"].quantiles[[4, 1]].tolist()
    assert some.models["fusion"].abstained == (made.models["fusion"].abstained[4], made.models["fusion"].abstained[1])


def test_parts_are_joined_one_after_the_other(make_predictions):
    made = make_predictions(infants=2, windows=2)
    again = joined(
        [take(made, np.array([0, 1])), take(made, np.array([], dtype=np.intp)), take(made, np.array([2, 3]))]
    )
    assert again.windows == made.windows
    assert again.models["ridge"].sedation.tolist() == made.models["ridge"].sedation.tolist()
