from __future__ import annotations

import numpy as np

from neopain.features import signature
from neopain.models.sample_windows import sample_window


def test_a_window_has_the_shapes_and_types_of_the_signature() -> None:
    window = sample_window(0)
    assert {name: (a.shape, a.dtype.type) for name, a in window.items()} == {
        spec.name: (spec.shape, spec.dtype) for spec in signature.INPUTS
    }


def test_the_same_seed_gives_the_same_window_and_others_differ() -> None:
    one, again, other = sample_window(1), sample_window(1), sample_window(2)
    assert all(np.array_equal(one[name], again[name]) for name in one)
    assert not any(np.array_equal(one[name], other[name]) for name in ("CLIP", "CRY", "VITALS", "CONTEXT"))


def test_what_the_pattern_leaves_out_is_zeros() -> None:
    window = sample_window(1, (0, 1, 0))
    assert [bool(window[name].any()) for name in ("CLIP", "CRY", "VITALS")] == [False, True, False]
    assert window["PRESENT"].tolist() == [False, True, False]


def test_units_are_physical() -> None:
    window = sample_window(4)
    heart_rate = window["VITALS"][1][window["VITALS"][6] == 1]
    assert ((heart_rate > 80) & (heart_rate < 240)).all()
    assert np.abs(window["CRY"]).max() <= 1
    assert window["CLIP"].std() > 10
