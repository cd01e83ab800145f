"""From predictions of infants that the model does not know to what is served."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neopain.codecs.calibration import calibration_from_json, calibration_to_json
from neopain.domain.calibration import Calibration, Floats, identity
from neopain.domain.score import Modality, Outcome, Presence
from neopain.errors import ConfigurationError
from neopain.scoring.post import judge
from neopain.training.calibrate import apply, calibrate
from neopain.training.predictions import FUSION, ModelPredictions, Predictions, RatedWindow

SPREAD = np.array([-1.96, -1.645, -1.28, -0.67, 0.0, 0.67, 1.28, 1.645, 1.96])
"""Quantiles of the standard normal distribution at the levels of ``QUANTILES``."""
BANDS = ("<28", "28-31", "32-36", ">=37")


def model_predictions(quantiles: Floats, distance: Floats) -> ModelPredictions:
    """What a model says that answers every window."""
    count = len(quantiles)
    unused = np.zeros((count, 3))
    return ModelPredictions(quantiles, np.zeros(count), distance, unused, unused, ("",) * count)


def cohort(
    *, infants: int = 100, windows: int = 12, seed: int = 1, patterns: tuple[str, ...] = ("FCPM",), **model: float
) -> Predictions:
    """Infants with pain from 0 to 10, each with a bias of its own.

    ``model``: its medians lie at ``slope`` times the pain plus ``offset``, its intervals are for a spread of ``sure``;
    the true spread is 0.7 and with one modality less another 0.3.
    """
    slope, offset, sure = model.get("slope", 1.0), model.get("offset", 0.0), model.get("sure", 0.7)
    generator = np.random.default_rng(seed)
    rated, quantiles, distance = [], [], []
    for infant in range(infants):
        bias = generator.normal(0, 0.3)
        for place, pain in enumerate(generator.uniform(0, 10, windows)):
            label = float(np.clip(round(pain * 1.4) / 1.4, 0, 10))
            for pattern in patterns:
                seen = pain + bias + generator.normal(0, 0.63 + 0.3 * (4 - len(pattern)))
                rated.append(
                    RatedWindow(
                        f"s{infant}", "1", str(place), 30.0, pattern, label, (label, label),
                        groups={"ga_band": BANDS[infant % 4]},
                    )
                )  # fmt: skip
                quantiles.append(slope * seen + offset + sure * SPREAD)
                distance.append(generator.uniform(0, 1.2))
    return Predictions(tuple(rated), {FUSION: model_predictions(np.array(quantiles), np.array(distance))})


def turned(given: Predictions, order: Any) -> Predictions:
    """The same windows in another order."""
    model = given.models[FUSION]
    arrays = {name: getattr(model, name)[order] for name in ("quantiles", "sedation", "distance")}
    return Predictions(tuple(given.windows[place] for place in order), {FUSION: replace(model, **arrays)})


def mean_error(given: Predictions) -> float:
    """MAE of the medians."""
    label = np.array([window.label for window in given.windows])
    return float(np.abs(given.models[FUSION].quantiles[:, 4] - label).mean())


def coverage(given: Predictions, *, interval: int) -> float:
    """Share of labels in an interval of ``INTERVALS``."""
    label = np.array([window.label for window in given.windows])
    quantiles = given.models[FUSION].quantiles
    return float(((quantiles[:, 3 - interval] <= label) & (label <= quantiles[:, 5 + interval])).mean())


@pytest.fixture(scope="module")
def biased() -> Calibration:
    """Of a model whose scores are too near to each other, and which is too sure of itself."""
    return calibrate(cohort(slope=0.6, offset=1.0, sure=0.2), seed=0)


def test_a_score_that_is_systematically_off_is_put_right(biased: Calibration) -> None:
    new = cohort(seed=2, slope=0.6, offset=1.0, sure=0.2)
    assert mean_error(new) > 1.3
    assert mean_error(apply(biased, new)) < 0.7


@pytest.mark.parametrize(("interval", "level"), [(0, 0.5), (1, 0.8), (2, 0.9), (3, 0.95)])
def test_new_infants_are_covered_as_promised(biased: Calibration, interval: int, level: float) -> None:
    new = apply(biased, cohort(infants=300, seed=3, slope=0.6, offset=1.0, sure=0.2))
    assert coverage(new, interval=interval) == pytest.approx(level, abs=0.03)


def test_a_model_that_is_not_sure_enough_gets_narrower_intervals() -> None:
    found = calibrate(cohort(sure=2.0), seed=0)
    assert max(found.margins["FCPM", ""].widths) < -0.5
    new = apply(found, cohort(infants=300, seed=3, sure=2.0))
    assert coverage(new, interval=2) == pytest.approx(0.9, abs=0.03)


def test_a_score_that_is_right_keeps_its_value() -> None:
    given = cohort()
    exact = np.array([window.label for window in given.windows])[:, None] + SPREAD
    right = replace(given, models={FUSION: replace(given.models[FUSION], quantiles=exact)})
    assert calibrate(right, seed=0).knots == identity().knots


def test_a_map_that_only_fits_the_infants_that_it_saw_is_not_used() -> None:
    """The scores are right but for what is each infant's own, which says nothing of those between which it lies."""
    given = cohort(infants=12, windows=5)
    middle = np.repeat(np.linspace(2, 8, 12), 5)[:, None] + SPREAD
    label = middle[:, 4] + np.repeat(np.tile([0.8, -0.8], 6), 5)
    windows = tuple(replace(window, label=said) for window, said in zip(given.windows, label, strict=True))
    chance = Predictions(windows, {FUSION: replace(given.models[FUSION], quantiles=middle)})
    assert calibrate(chance, seed=0).knots == identity().knots


def test_every_pattern_and_band_of_twenty_infants_has_margins_of_its_own() -> None:
    found = calibrate(cohort(infants=80, patterns=("FCPM", "F")), seed=0).margins
    assert found["F", "28-31"].infants == 20
    assert found["F", ""].infants == 80
    assert len(found) == 1 + 4 + 2 * (1 + 4)


def test_intervals_widen_when_evidence_shrinks_though_the_model_does_not_know() -> None:
    patterns = ("FCPM", "FCP", "FC", "F")
    found = calibrate(cohort(patterns=patterns, seed=4), seed=0)
    new = apply(found, cohort(patterns=patterns, seed=5)).models[FUSION].quantiles
    nineties = (new[:, 7] - new[:, 1]).reshape(-1, 4).mean(axis=0)
    assert nineties.tolist() == sorted(nineties.tolist())


def test_copies_with_less_evidence_do_not_change_the_map() -> None:
    given = cohort(slope=0.6, patterns=("FCPM", "F"))
    full = turned(given, np.arange(0, len(given.windows), 2))
    both, alone = calibrate(given, seed=0), calibrate(full, seed=0)
    assert (both.knots, both.margins["FCPM", ""]) == (alone.knots, alone.margins["FCPM", ""])


def test_the_order_of_the_windows_does_not_matter() -> None:
    given = cohort(infants=30, windows=5, slope=0.6)
    order = np.random.default_rng(0).permutation(len(given.windows))
    assert calibrate(turned(given, order), seed=0) == calibrate(given, seed=0)


def test_a_calibration_can_be_written_and_read(biased: Calibration) -> None:
    assert calibration_from_json(calibration_to_json(biased)) == biased


def test_one_window_in_fifty_may_be_too_far_from_the_training_data(biased: Calibration) -> None:
    given = apply(biased, cohort(slope=0.6, offset=1.0, sure=0.2)).models[FUSION]
    reasons = [reason for reason in given.abstained if reason]
    assert 0.01 < len(reasons) / len(given.abstained) <= 0.02
    assert set(reasons) == {"unlike-training-data"}


def test_nothing_within_the_training_data_is_too_far() -> None:
    given = cohort(infants=20)
    near = replace(given.models[FUSION], distance=given.models[FUSION].distance / 10)
    assert calibrate(replace(given, models={FUSION: near}), seed=0).limits.most_distance == 1.0


def test_windows_as_they_were_abstain_no_more_often_than_their_copies() -> None:
    """Of 240 full windows 6 are far, of their copies none: it is more than 1 in 50 of the windows, not of the rows."""
    given = cohort(infants=20, patterns=("FCPM", "F"))
    is_far = (np.arange(480) % 2 == 0) & (np.arange(480) < 12)
    far = replace(given.models[FUSION], distance=np.where(is_far, 2.0, 0.1))
    assert calibrate(replace(given, models={FUSION: far}), seed=0).limits.most_distance == 2.0


def test_a_model_without_distances_never_abstains_for_them() -> None:
    given = cohort(infants=20)
    blind = replace(given.models[FUSION], distance=np.full(len(given.windows), np.nan))
    unmeasured = replace(given, models={FUSION: blind})
    found = calibrate(unmeasured, seed=0)
    assert found.limits.most_distance is None
    assert set(apply(found, unmeasured).models[FUSION].abstained) == {""}


@pytest.mark.parametrize("infants", [0, 1])
def test_less_than_two_infants_calibrate_nothing(infants: int) -> None:
    nobody = replace(
        cohort(infants=2),
        windows=tuple(
            replace(window, label=5.0 if window.subject in {"s0"} and infants else float("nan"))
            for window in cohort(infants=2).windows
        ),
    )
    with pytest.raises(ConfigurationError, match=rf"rated windows of {infants} infant\(s\)"):
        calibrate(nobody, seed=0)


def test_two_infants_say_only_that_little_is_known() -> None:
    margins = calibrate(cohort(infants=2), seed=0).margins
    assert set(margins) == {("", "")}
    assert margins["", ""].widths[2:] == (10.0, 10.0)


def test_what_evaluation_counts_is_what_is_served(biased: Calibration) -> None:
    given = cohort(infants=8, seed=6, slope=0.6, offset=1.0, sure=0.2)
    model = given.models[FUSION]
    counted = apply(biased, given).models[FUSION]
    everything = tuple(Presence(modality, True) for modality in Modality)
    for place, window in enumerate(given.windows):
        outputs = {
            "SCORE_QUANTILES": model.quantiles[place],
            "SCORE_BY_MODALITY": np.zeros(3),
            "ATTENTION": np.zeros(3),
            "SEDATION": np.zeros(1),
            "DISTANCE": model.distance[place : place + 1],
        }
        served = judge(outputs, everything, calibration=biased, band=window.groups["ga_band"])
        assert served.reason == counted.abstained[place]
        if served.estimate is not None:
            said = (served.estimate.low, served.estimate.value, served.estimate.high)
            assert said == tuple(counted.quantiles[place, [1, 4, 7]])
        else:
            assert served.outcome is Outcome.ABSTAINED


def test_other_models_stay_as_they_are(biased: Calibration) -> None:
    given = cohort(infants=2)
    other = given.models[FUSION]
    assert apply(biased, replace(given, models={FUSION: other, "late": other})).models["late"] is other


def test_an_earlier_reason_stays(biased: Calibration) -> None:
    given = cohort(infants=2, windows=1)
    given = replace(given, models={FUSION: replace(given.models[FUSION], abstained=("too-late", ""))})
    assert apply(biased, given).models[FUSION].abstained == ("too-late", "")


def test_a_window_without_finite_quantiles_abstains(biased: Calibration) -> None:
    given = cohort(infants=2, windows=1)
    given.models[FUSION].quantiles[0, 8] = np.nan
    assert apply(biased, given).models[FUSION].abstained[0] == "model-output-not-finite"
