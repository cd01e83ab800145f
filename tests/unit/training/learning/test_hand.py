from __future__ import annotations

import math

import numpy as np
import pytest

from neopain.features.signature import CONTEXT_FIELDS
from neopain.training.baselines.hand import HAND_FEATURES, hand_features, without_letters
from neopain.training.patterns import letters_of
from neopain.training.pool import Flags, Floats, Pixels

STILL = np.full((16, 224, 224, 3), 120, np.uint8)
SILENCE = np.zeros(160_000, np.float32)
NOTHING = np.zeros((10, 120), np.float32)
UNKNOWN = np.zeros(22, np.float32)


def features(
    pattern: str,
    *,
    clip: Pixels = STILL,
    cry: Floats = SILENCE,
    vitals: Floats = NOTHING,
    context: Floats = UNKNOWN,
) -> dict[str, float]:
    letters: Flags = letters_of([pattern])[0]
    found = hand_features(clip=clip, cry=cry, vitals=vitals, context=context, letters=letters)
    return dict(zip(HAND_FEATURES, found.tolist(), strict=True))


def test_there_are_ten() -> None:
    assert len(HAND_FEATURES) == 10


def test_what_is_absent_cannot_be_had() -> None:
    assert all(math.isnan(value) for value in features("M").values())


def test_a_still_picture_has_no_motion_and_a_blinking_one_has() -> None:
    blinking = STILL.copy()
    blinking[::2] = 171
    assert features("F")["face_motion"] == 0.0
    assert features("F", clip=blinking)["face_motion"] == pytest.approx(51 / 255, abs=0.01)


def test_an_open_mouth_is_dark() -> None:
    open_mouth = STILL.copy()
    open_mouth[:, 150:190, 80:140] = 20
    assert features("F")["mouth_darkness"] == 0.0
    assert features("F", clip=open_mouth)["mouth_darkness"] > 0.3


def test_a_tone_is_voiced_at_its_pitch_and_as_loud_as_it_is() -> None:
    tone = (0.1 * np.sin(2 * np.pi * 400 * np.arange(160_000) / 16_000)).astype(np.float32)
    found = features("C", cry=tone)
    assert found["pitch_hz"] == pytest.approx(400, abs=15)
    assert found["voiced_share"] == pytest.approx(1.0, abs=0.02)
    assert found["cry_loudness_db"] == pytest.approx(20 * math.log10(0.1 / math.sqrt(2)), abs=0.3)


def test_silence_has_no_pitch_but_a_loudness() -> None:
    found = features("C")
    assert math.isnan(found["pitch_hz"])
    assert found["voiced_share"] == 0.0
    assert found["cry_loudness_db"] == -100.0


def test_noise_is_hardly_voiced() -> None:
    noise = (0.1 * np.random.default_rng(0).standard_normal(160_000)).astype(np.float32)
    assert features("C", cry=noise)["voiced_share"] < 0.1


def test_deltas_and_variability_come_from_the_context_where_it_knows_them() -> None:
    context = np.zeros(22, np.float32)
    context[CONTEXT_FIELDS.index("baseline_heart_rate_delta")] = 22.0
    context[11 + CONTEXT_FIELDS.index("baseline_heart_rate_delta")] = 1.0
    context[CONTEXT_FIELDS.index("rmssd_ms")] = 9.0
    found = features("P", context=context)
    assert found["heart_rate_delta"] == 22.0
    assert math.isnan(found["rmssd_ms"])


def test_movement_is_the_mean_of_what_was_measured() -> None:
    vitals = np.zeros((10, 120), np.float32)
    vitals[4, :40], vitals[9, :40] = 0.5, 1.0
    assert features("M", vitals=vitals)["movement"] == 0.5


def test_a_pattern_hides_its_features() -> None:
    known = np.ones((2, 10), np.float32)
    found = without_letters(known, letters_of(["CM", "FP"]))
    assert np.isnan(found).tolist() == [
        [True, True, False, False, False, True, True, True, False, True],
        [False, False, True, True, True, False, False, False, True, False],
    ]
