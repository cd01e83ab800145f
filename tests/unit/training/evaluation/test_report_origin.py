from neopain.training.report.origin import origin


def test_what_a_training_noted_is_told_in_words():
    about = {
        "seed": 3,
        "code": "0.1.0+abc",
        "weights": "site",
        "config": {"nets": {}},
        "data": [
            {"folder": "a", "infants": 9, "windows": 90, "dataset": {"simulator": "1", "seed": 11}},
            {"folder": "b", "infants": 2, "windows": 20, "dataset": {}},
        ],
        "figures": {
            "stages": {
                "face": {"steps": 60, "seconds": 12.4, "tune_mae": 1.234},
                "tokens": {"seconds": 5.0, "tune_mae": float("nan")},
            }
        },
    }
    assert origin(about) == {
        "seed": "3",
        "code": "0.1.0+abc",
        "data": "a: 9 infants, 90 windows (simulator 1, seed 11); b: 2 infants, 20 windows",
        "stages": "face 60 steps, 12 s, MAE 1.23 on tune infants; tokens 5 s",
    }


def test_notes_that_nobody_would_read_are_left_out():
    assert origin({"start": "", "long": ["x" * 400], "half": {"cpu": "float32"}}) == {"half": '{"cpu": "float32"}'}


def test_fingerprints_are_for_machines_alone() -> None:
    known = {"fingerprints": " ".join(["0123456789abcdef"] * 300)}
    assert origin({"calibrated_on": {"windows": 5, **known}, "data": [{"folder": "c", **known}]}) == {
        "calibrated_on": '{"windows": 5}',
        "data": "c: ? infants, ? windows",
    }


def test_it_says_whose_weights_a_training_began_with() -> None:
    cohort = {"folder": "c", "infants": 3, "windows": 9, "dataset": {"simulator": "1", "seed": 5}}
    encoders = {"model": "simulator-1", "weights": "trained on the simulator", "about": {"data": [cohort]}}
    told = "c: 3 infants, 9 windows (simulator 1, seed 5)"

    assert origin({"began_with": {"encoders": encoders}}) == {"began with": f"encoders of simulator-1; {told}"}
    assert origin({"began_with": {"seed": 1, "data": [cohort]}}) == {"began with": f"an earlier training; {told}"}
    files = [{"backbone": "video", "file": "i3d.pyth"}, {"backbone": "audio", "file": "vggish.pth"}]
    assert origin({"began_with": {"sources": files}}) == {"began with": "video i3d.pyth; audio vggish.pth"}
