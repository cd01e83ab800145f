from dataclasses import replace

import numpy as np
import pytest

from neopain.domain.annotation import Availability, Rating, Recorded, Scale, Segment, Subject
from neopain.domain.calibration import POOLED, AbstentionLimits, Margins, identity
from neopain.errors import ConfigurationError
from neopain.training import judged
from neopain.training.encoded import Encoded
from neopain.training.evaluate import UNCALIBRATED
from neopain.training.judged import Split, folds_of, judge, judgeable, raw_predictions
from neopain.training.patterns import letters_of
from neopain.training.predict import abstentions, kept_letters
from neopain.training.predictions import ModelPredictions

SHAPE = np.array([-1.0, -0.9, -0.8, -0.5, 0.0, 0.5, 0.8, 0.9, 1.0])


class OneForEachLetter:
    """A net whose score is the window's number, and one less for each modality that is absent."""

    def predict(self, encoded, pattern=None):
        keep = kept_letters(encoded, pattern)
        scores = encoded.context[:, 0] - (4 - keep.sum(axis=1))
        return ModelPredictions(
            quantiles=scores[:, None] + SHAPE,
            sedation=np.zeros(len(keep)),
            distance=np.zeros(len(keep)),
            by_modality=np.full((len(keep), 3), np.nan),
            attention=np.full((len(keep), 3), np.nan),
            abstained=abstentions(keep),
        )


def segment(number, *, subject, site="north", score=5.0, has_infant=True):
    return Segment(
        subject=Subject(subject, site, gestational_age_days=210),
        session="s",
        id=f"w{number}",
        start_seconds=0.0,
        end_seconds=30.0,
        recorded={kind: Availability(reason="none") for kind in Recorded},
        ratings=(Rating(Scale.NIPS, "a", score),) if has_infant and score is not None else (),
        has_infant=has_infant,
    )


def encoded_as(patterns):
    n = len(patterns)
    context = np.zeros((n, 22), np.float32)
    context[:, 0] = np.arange(n)
    nothing = np.zeros((n, 1), np.float32)
    return Encoded(nothing, nothing, nothing, nothing, nothing, nothing, context, letters_of(patterns), nothing)


@pytest.fixture
def segments():
    infants = [segment(number, subject=f"i{number // 2}", site=f"site-{number // 4}") for number in range(8)]
    return (*infants, segment(8, subject="i0", site="site-0", has_infant=False))


@pytest.fixture
def raw(segments):
    return raw_predictions(OneForEachLetter(), encoded_as(["FCPM"] * 7 + ["FP", "FC"]), segments, {})


def test_windows_with_a_rating_and_those_without_an_infant_are_judged():
    segments = [segment(0, subject="a"), segment(1, subject="a", score=None), segment(2, subject="a", has_infant=False)]
    assert judgeable(segments, np.array([5.0, np.nan, np.nan])).tolist() == [0, 2]


def test_a_pattern_has_the_windows_with_all_of_its_letters(raw):
    assert raw.patterns["FP"][0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert raw.patterns["FC"][0].tolist() == [0, 1, 2, 3, 4, 5, 6, 8]
    assert {window.pattern for window in raw.patterns["FC"][1].windows} == {"FC"}
    assert raw.patterns["FP"][1].models["fusion"].quantiles[7, 4] == 5.0


def test_a_pattern_that_no_window_has_is_left_out():
    raw = raw_predictions(OneForEachLetter(), encoded_as(["FC"]), (segment(0, subject="a"),), {})
    assert list(raw.patterns) == ["FC", "F", "C"]


def test_what_a_server_said_stands_for_the_windows_as_recorded(segments):
    nets, encoded = OneForEachLetter(), encoded_as(["FCPM"] * 9)
    said = nets.predict(encoded)
    raw = raw_predictions(nets, encoded, segments, {}, served=replace(said, quantiles=said.quantiles + 1))
    assert raw.recorded.models["fusion"].quantiles[3, 4] == 4.0
    assert raw.patterns["FCPM"][1].models["fusion"].quantiles[3, 4] == 3.0


def test_the_models_own_calibration_is_applied(raw):
    wider = replace(identity(), margins={POOLED: Margins((0.5, 0.5, 0.5, 0.5), 30)})
    done = judge(raw, Split.NONE, own=wider, seed=0)
    assert done.predictions.models["fusion"].quantiles[3, [3, 4, 5]].tolist() == [2.0, 3.0, 4.0]
    assert done.predictions.models[UNCALIBRATED].quantiles[3, [3, 4, 5]].tolist() == [2.5, 3.0, 3.5]
    assert done.patterns["FP"].models["fusion"].quantiles[7, [3, 4, 5]].tolist() == [4.0, 5.0, 6.0]


def test_windows_without_an_infant_are_apart(raw):
    done = judge(raw, Split.NONE, own=replace(identity(), limits=AbstentionLimits(widest=1.0)), seed=0)
    assert [window.segment for window in done.without_infant.windows] == ["w8"]
    assert done.without_infant.models["fusion"].abstained == ("interval-too-wide",)
    assert "w8" not in {window.segment for window in done.predictions.windows}
    assert "w8" not in {window.segment for window in done.patterns["FC"].windows}


def test_a_window_in_which_nothing_is_present_is_kept_and_not_answered():
    raw = raw_predictions(OneForEachLetter(), encoded_as(["FC", ""]), [segment(n, subject=f"i{n}") for n in (0, 1)], {})
    done = judge(raw, Split.NONE, own=identity(), seed=0)
    assert done.predictions.models["fusion"].abstained == ("", "no-modality-present")


@pytest.mark.parametrize("split", [Split.LOSO, Split.KFOLD, Split.SITE])
def test_no_infant_is_on_both_sides_of_a_fold(segments, split):
    folds = folds_of(segments, split, seed=1)
    for fold in folds:
        learned, tested = ({segments[row].subject.id for row in rows.tolist()} for rows in (fold.train, fold.test))
        assert not learned & tested
    assert sorted(np.concatenate([fold.test for fold in folds]).tolist()) == list(range(9))


@pytest.mark.parametrize("split", [Split.LOSO, Split.KFOLD, Split.SITE])
def test_a_calibration_is_never_fitted_to_the_infants_that_it_is_used_for(raw, split, monkeypatch):
    calls = []

    def fitted(predictions, *, seed):
        calls.append({window.subject for window in predictions.windows})
        return identity()

    def applied(_, predictions):
        if predictions.windows:
            assert not calls_in_use() & {window.subject for window in predictions.windows}
        return predictions

    def calls_in_use():
        return current[0]

    current = [set()]
    monkeypatch.setattr(
        judged, "calibrate", lambda predictions, *, seed: (fitted(predictions, seed=seed), len(calls) - 1)
    )
    monkeypatch.setattr(
        judged, "apply", lambda own, predictions: (current.__setitem__(0, calls[own[1]]), applied(own, predictions))[1]
    )
    done = judge(raw, split, own=identity(), seed=1)
    assert len(calls) == len(folds_of(raw.segments, split, seed=1))
    assert [window.segment for window in done.predictions.windows] == [f"w{number}" for number in range(8)]


def test_a_calibration_is_fitted_to_all_patterns_of_rated_windows(raw):
    learned = judged.calibration_set(raw, np.array([6, 7, 8]))
    assert {window.segment for window in learned.windows} == {"w6", "w7"}
    assert sum(window.segment == "w7" for window in learned.windows) == 3
    assert sum(window.segment == "w6" for window in learned.windows) == 15


def test_one_site_cannot_be_left_out():
    raw = raw_predictions(OneForEachLetter(), encoded_as(["F", "F"]), [segment(n, subject=f"i{n}") for n in (0, 1)], {})
    with pytest.raises(ConfigurationError, match="1 sites"):
        judge(raw, Split.SITE, own=identity(), seed=0)
