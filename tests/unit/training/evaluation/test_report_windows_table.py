import csv
import io

from neopain.training.predictions import Predictions
from neopain.training.report.windows_table import windows_table


def test_every_window_has_a_row_with_its_label_and_what_each_model_said(make_sample, make_answers):
    sample = make_sample([2.0, 4.0], [3.0, 4.0], ratings=[(1.0, 3.0), (4.0,)])
    models = {"fusion": make_answers(sample, abstained=("", "far")), "face": make_answers(sample)}
    rows = list(csv.DictReader(io.StringIO(windows_table(Predictions(sample.windows, models)))))
    assert [row["segment"] for row in rows] == ["w0", "w1"]
    assert (rows[0]["label"], rows[0]["rating_1"], rows[0]["rating_2"]) == ("2.0000", "1.0000", "3.0000")
    assert (rows[0]["q0.05"], rows[0]["q0.5"], rows[0]["face"]) == ("2.0000", "3.0000", "3.0000")
    assert (rows[1]["rating_2"], rows[1]["abstained"], rows[1]["sedation_label"]) == ("", "far", "")
