"""``calibration.json``: what survives, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.codecs.calibration import calibration_from_json, calibration_of, calibration_to_json
from neopain.domain.calibration import PATTERNS, POOLED, AbstentionLimits, Calibration, Margins, identity
from neopain.domain.gestation import GA_BAND_NAMES
from neopain.domain.score import ModelVersion, Weights
from neopain.errors import ConfigurationError

CALIBRATION = Calibration(
    knots=((0.0, 0.5), (4.0, 2.0), (10.0, 9.5)),
    margins={
        POOLED: Margins((-0.5, 0.25, 0.5, 1.0), infants=120),
        ("FCPM", "<28"): Margins((0.0, 0.0, 0.0, 0.0), infants=20),
    },
    edge=0.35,
    limits=AbstentionLimits(most_distance=1.25),
    fitted_for="sim-1",
    seed=7,
)
FIELDS: dict[str, Any] = json.loads(calibration_to_json(CALIBRATION))
POOLED_ROW = {"pattern": "", "ga_band": "", "infants": 9, "widths": [0, 0, 0, 0]}

widths = st.tuples(*[st.floats(-10, 10)] * 4)
groups = st.tuples(st.sampled_from(["", *PATTERNS]), st.sampled_from(["", *GA_BAND_NAMES]))
calibrations = st.builds(
    Calibration,
    knots=st.lists(st.tuples(st.floats(0.01, 9.99), st.floats(0, 10)), max_size=18, unique_by=lambda knot: knot[0]).map(
        lambda inner: (
            (0.0, 0.0),
            *zip(sorted(x for x, _ in inner), sorted(y for _, y in inner), strict=True),
            (10.0, 10.0),
        )
    ),
    margins=st.dictionaries(groups, st.builds(Margins, widths, st.integers(0, 500))).map(
        lambda found: {POOLED: Margins((0.0,) * 4, 3), **found}
    ),
    edge=st.floats(0, 5),
    limits=st.builds(AbstentionLimits, st.none() | st.floats(0.1, 1e6), st.none() | st.floats(0.1, 10)),
    fitted_for=st.text(),
    seed=st.integers(min_value=0),
)


@given(calibrations)
def test_a_calibration_survives_writing_and_reading(calibration: Calibration) -> None:
    assert calibration_from_json(calibration_to_json(calibration)) == calibration


def test_the_same_calibration_always_gives_the_same_text() -> None:
    turned = Calibration(
        knots=CALIBRATION.knots,
        margins=dict(reversed(CALIBRATION.margins.items())),
        edge=0.35,
        limits=CALIBRATION.limits,
        fitted_for="sim-1",
        seed=7,
    )
    assert calibration_to_json(turned) == calibration_to_json(CALIBRATION)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"version": 2}, "version"),
        ({"intervals": [0.5, 0.8, 0.9]}, "intervals"),
        ({"edge": -0.1}, "edge"),
        ({"edge": float("nan")}, "edge"),
        ({"edge": "0.35"}, "edge"),
        ({"edge": True}, "edge"),
        ({"seed": 1.5}, "seed"),
        ({"fitted_for": None}, "fitted_for"),
        ({"limits": {"most_distance": 0.0, "widest": None}}, "most_distance"),
        ({"limits": {"most_distance": 10**400, "widest": None}}, "most_distance"),
        ({"limits": {"most_distance": None, "widest": 11}}, "widest"),
        ({"limits": {"most_distance": None}}, "limits"),
        ({"knots": []}, "knots"),
        ({"knots": [[0, 0], [9, 10]]}, "knots"),
        ({"knots": [[0, 0], [5, 6], [5, 7], [10, 10]]}, "knots"),
        ({"knots": [[0, 0], [4, 6], [5, 5], [10, 10]]}, "knots"),
        ({"knots": [[0, 0], [10, float("inf")]]}, "knots"),
        ({"knots": [[0, 0, 0], [10, 10]]}, "knots"),
        ({"margins": []}, "margins"),
        ({"margins": [POOLED_ROW | {"pattern": "F"}]}, "margins"),
        ({"margins": [POOLED_ROW, POOLED_ROW]}, "margins"),
        ({"margins": [POOLED_ROW, POOLED_ROW | {"pattern": "MF"}]}, "margins"),
        ({"margins": [POOLED_ROW, POOLED_ROW | {"pattern": ["F"]}]}, "margins"),
        ({"margins": [POOLED_ROW, POOLED_ROW | {"ga_band": "28-30"}]}, "margins"),
        ({"margins": [POOLED_ROW | {"infants": -1}]}, "infants"),
        ({"margins": [POOLED_ROW | {"widths": [0, 0, 0]}]}, "widths"),
        ({"margins": [POOLED_ROW | {"widths": [0, 0, 0, float("nan")]}]}, "widths"),
        ({"margins": [POOLED_ROW | {"further": 1}]}, "margins"),
        ({"further": 1}, "top level"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{named} of the calibration is .*, expected "):
        calibration_from_json(json.dumps(FIELDS | change))


@pytest.mark.parametrize("text", ["", "{", "[" * 200_000], ids=["empty", "cut", "nested"])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="the calibration is no JSON"):
        calibration_from_json(text)


@pytest.mark.parametrize("missing", sorted(FIELDS))
def test_a_missing_field_is_refused(missing: str) -> None:
    rest = {name: value for name, value in FIELDS.items() if name != missing}
    with pytest.raises(ConfigurationError, match=r"^top level of the calibration is .*, expected the fields"):
        calibration_from_json(json.dumps(rest))


def test_untrained_weights_need_no_calibration() -> None:
    assert calibration_of(ModelVersion("untrained-s0", Weights.UNTRAINED), None) == identity()


@pytest.mark.parametrize("weights", [Weights.SIMULATOR, Weights.SITE])
def test_other_weights_do(weights: Weights) -> None:
    with pytest.raises(ConfigurationError, match="there is no calibration of sim-1"):
        calibration_of(ModelVersion("sim-1", weights), None)


def test_a_calibration_of_another_model_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="fitted for 'sim-1', the model is sim-2"):
        calibration_of(ModelVersion("sim-2", Weights.SIMULATOR), calibration_to_json(CALIBRATION))


def test_a_model_has_the_calibration_that_was_fitted_for_it() -> None:
    text = calibration_to_json(CALIBRATION)
    assert calibration_of(ModelVersion("sim-1", Weights.SIMULATOR), text) == CALIBRATION
