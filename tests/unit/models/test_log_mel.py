"""The log-mel net against the AudioSet recipe, written here once more and differently: frame by frame, with an FFT."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch

from neopain.features.signature import TensorSpec
from neopain.models import log_mel
from neopain.models.engines import EngineOptions, load_engine
from neopain.models.graph import NetSpec
from neopain.models.log_mel import LogMel
from neopain.models.quantise import convert
from neopain.models.sample_windows import sample_window

pytestmark = pytest.mark.torch


def published_recipe(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """[N] at 16 kHz -> log-mel frames [1 + (N - 400) // 160, 64], from the published parameters, in float64."""
    hann = [0.5 - 0.5 * math.cos(2 * math.pi * n / 400) for n in range(400)]
    frames = [samples[at : at + 400] * hann for at in range(0, len(samples) - 399, 160)]
    magnitude = np.abs(np.fft.rfft(frames, n=512))
    top, bottom = 1127 * math.log(1 + 7500 / 700), 1127 * math.log(1 + 125 / 700)
    edges = [bottom + (top - bottom) * k / 65 for k in range(66)]
    mel = np.zeros((257, 64))
    for fft_bin in range(1, 257):
        at = 1127 * math.log(1 + fft_bin * 31.25 / 700)
        for band in range(64):
            low, centre, high = edges[band : band + 3]
            mel[fft_bin, band] = max(0.0, min((at - low) / (centre - low), (high - at) / (high - centre)))
    return np.asarray(np.log(magnitude @ mel + 0.01))


def sounds() -> dict[str, npt.NDArray[np.float32]]:
    rng = np.random.default_rng(3)
    t = np.arange(160_000) / 16_000
    return {
        "noise": rng.uniform(-1, 1, 160_000).astype(np.float32),
        "chirp": np.sin(2 * np.pi * (200 + 350 * t) * t).astype(np.float32),
        "faint": rng.normal(0, 1e-4, 160_000).astype(np.float32),
        "silence": np.zeros(160_000, dtype=np.float32),
    }


def expected_patches(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    starts = [400 + 16_000 * k for k in range(10)]
    return np.stack([published_recipe(samples[at : at + 15_600].astype(np.float64)) for at in starts])


def test_ten_patches_of_96_frames_end_at_the_last_sample() -> None:
    assert log_mel.patch_starts() == [400, 16400, 32400, 48400, 64400, 80400, 96400, 112400, 128400, 144400]
    assert log_mel.patch_starts()[-1] + log_mel.PATCH_SAMPLES == 160_000
    assert LogMel()(torch.zeros(2, 160_000)).shape == (2, 10, 96, 64)


@pytest.mark.parametrize("name", ["noise", "chirp", "faint", "silence"])
def test_the_net_follows_the_published_recipe(name: str) -> None:
    samples = sounds()[name]
    with torch.no_grad():
        given = LogMel()(torch.from_numpy(samples)[None]).numpy()[0]
    assert np.abs(given - expected_patches(samples)).max() <= 1e-4


def test_silence_is_the_log_of_the_offset() -> None:
    with torch.no_grad():
        assert LogMel()(torch.zeros(1, 160_000)).numpy() == pytest.approx(math.log(0.01), abs=1e-6)


def test_patches_of_successive_ticks_coincide() -> None:
    samples = np.concatenate([sample_window(1)["CRY"], sample_window(2)["CRY"][:16_000]]).astype(np.float32)
    with torch.no_grad():
        before, after = LogMel()(torch.from_numpy(np.stack([samples[:160_000], samples[16_000:]]))).numpy()
    assert np.array_equal(before[1:], after[:-1])


def test_the_exported_front_end_follows_the_recipe_too(tmp_path) -> None:  # type: ignore[no-untyped-def]
    import openvino

    cry = TensorSpec("CRY", (160_000,), np.float32, "")
    patches = TensorSpec("PATCHES", (10, 96, 64), np.float32, "")
    net = NetSpec("log_mel", (cry,), (patches,))
    openvino.save_model(convert(LogMel().eval(), net), tmp_path / "model.xml", compress_to_fp16=False)
    samples = sounds()["noise"]
    given = load_engine(tmp_path, EngineOptions(threads=1)).run({"CRY": samples[None]})["PATCHES"][0]
    assert np.abs(given - expected_patches(samples)).max() <= 1e-4
