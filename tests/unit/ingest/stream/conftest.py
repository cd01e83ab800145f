"""Files of video and sound, encoded when a test asks for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

WriteVideo = Callable[..., Path]
WriteSound = Callable[..., Path]


@pytest.fixture
def write_video(tmp_path: Path) -> WriteVideo:
    """Writes a video of 160x120: the top left quarter red, the top right green, the bottom blue."""

    def write(
        name: str,
        codec: str,
        *,
        seconds: float = 2.0,
        rate: int = 15,
        sound_hz: float = 0.0,
        is_silent: bool = False,
    ) -> Path:
        """``is_silent``: its sound track has nothing in it."""
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=rate)
            stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
            sound = container.add_stream("aac", rate=16_000) if sound_hz else None
            if sound is not None:
                sound.layout = "mono"
            for _ in range(round(seconds * rate)):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(quarters(), format="rgb24")))
            container.mux(stream.encode(None))
            if sound is not None and not is_silent:
                container.mux(sound.encode(tone_frame(16_000, seconds, sound_hz)))
                container.mux(sound.encode(None))
        return path

    return write


@pytest.fixture
def write_sound(tmp_path: Path) -> WriteSound:
    """Writes a tone of 440 Hz."""

    def write(name: str, codec: str, *, seconds: float = 2.0, rate: int = 16_000, layout: str = "mono") -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=rate)
            stream.layout = layout
            container.mux(stream.encode(tone_frame(rate, seconds, 440.0)))
            container.mux(stream.encode(None))
        return path

    return write


def quarters() -> NDArray[np.uint8]:
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[:60, :80] = (255, 0, 0)
    picture[:60, 80:] = (0, 255, 0)
    picture[60:] = (0, 0, 255)
    return picture


def tone_frame(rate: int, seconds: float, hz: float) -> av.AudioFrame:
    samples = np.round(10_000 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = rate
    return frame


PCD01 = (
    "MSH|^~\\&|MON|WARD|||{sent}+0000||ORU^R01^ORU_R01|{control}|T|2.6|||NE|AL\r"
    "PID|||4711^^^HOSP^MR\r"
    "PV1||I|NICU^1^1\r"
    "OBR|1||X|182777000^monitoring of patient^SCT|||{sent}+0000\r"
    "OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.7.4.147842|{rate}|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R|||{sent}+0000\r"
    "OBX|2|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.3.1.150456|97|262688^MDC_DIM_PERCENT^MDC|||||R|||{sent}+0000\r"
)


@pytest.fixture
def pcd01() -> Callable[..., str]:
    """An ORU^R01 with a heart rate and an SpO2, sent so many seconds after 08:00 of 2 March 2026; lines end in CR."""

    def make(second: int, *, rate: int = 140, control: str = "") -> str:
        sent = f"202603020800{second:02d}" if second < 60 else f"20260302080{second // 60}{second % 60:02d}"
        return PCD01.format(sent=sent, rate=rate, control=control or f"C{second}")

    return make
