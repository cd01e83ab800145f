from __future__ import annotations

import av
import numpy as np
import pytest

from neopain.features.loudness import SoundCondition
from neopain.ingest.media.level import LevelMeter, samples_of


@pytest.mark.parametrize(
    ("form", "values"),
    [
        ("s16", np.array([[-32768, 16384]], np.int16)),
        ("s32", np.array([[-(2**31), 2**30]], np.int32)),
        ("u8", np.array([[0, 192]], np.uint8)),
        ("flt", np.array([[-1.0, 0.5]], np.float32)),
        ("fltp", np.array([[-1.0, 0.5]], np.float32)),
    ],
)
def test_samples_of_every_format_lie_on_one_scale(form: str, values: np.ndarray) -> None:  # type: ignore[type-arg]
    assert samples_of(av.AudioFrame.from_ndarray(values, format=form, layout="mono")).tolist() == [-1.0, 0.5]


def test_a_microphone_is_judged_by_whole_seconds() -> None:
    meter = LevelMeter()
    for _ in range(9):
        meter.hear(loud())
    assert meter.level is None
    meter.hear(loud())
    assert meter.level is not None
    assert meter.condition is SoundCondition.CLIPPED


def loud() -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.full((1, 1600), 32767, np.int16), format="s16", layout="mono")
    frame.sample_rate = 16_000
    return frame
