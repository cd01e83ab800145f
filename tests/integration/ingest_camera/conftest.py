"""An RTSP server that nobody here wrote, with films that are made when a test asks for them."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from neopain.ingest.camera.settings import CameraSettings

WIDTH, HEIGHT, RATE = 320, 240, 15
SOUND_HZ = 16_000
FACE = (40, 40, 120, 120)
"""Where the films show a red square."""

Paint = Callable[[int], NDArray[np.uint8]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Peer:
    """aio-rtsp-toolkit's server (RTSP 1.0 over TCP) in a process of its own; it serves the files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, name: str, *, user: str = "ward:s3cret") -> str:
        return f"rtsp://{user}@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        program = Path(sys.executable).with_name("rtsp-server")
        argv = [program, "--dir", self.folder, "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError("the RTSP server does not listen")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="session")
def peer(films: Path) -> Iterator[Peer]:
    """The server; a test that stops it uses one of its own."""
    one = Peer(films)
    one.start()
    yield one
    one.stop()


def live(number: int) -> NDArray[np.uint8]:
    """A noisy picture with a red square for a face and a bright bar that moves."""
    noise = np.random.default_rng(number).integers(90, 130, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    x, y, width, height = FACE
    noise[y : y + height, x : x + width] = (200, 40, 40)
    bar = 200 + number * 4 % 100
    noise[:, bar : bar + 20] = 230
    return noise


def black(_: int) -> NDArray[np.uint8]:
    return np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def write_film(path: Path, *, codec: str = "libx264", seconds: float, paint: Paint = live, sound: str = "") -> Path:
    """A film at 15 pictures a second; ``sound`` names a codec for a tone of 440 Hz beside it."""
    if path.exists():
        return path
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=RATE)
        video.width, video.height, video.pix_fmt, video.gop_size = WIDTH, HEIGHT, "yuv420p", RATE
        quiet = {"x265-params": "log-level=none:bframes=0"} if codec == "libx265" else {"tune": "zerolatency"}
        video.options = {"preset": "ultrafast", **quiet}
        audio = container.add_stream(sound, rate=SOUND_HZ) if sound else None
        if audio is not None:
            audio.layout = "mono"
        for number in range(round(seconds * RATE)):
            container.mux(video.encode(av.VideoFrame.from_ndarray(paint(number), format="rgb24")))
        container.mux(video.encode(None))
        if audio is not None:
            container.mux(audio.encode(tone(seconds)))
            container.mux(audio.encode(None))
    return path


def tone(seconds: float) -> av.AudioFrame:
    samples = np.round(10_000 * np.sin(2 * np.pi * 440 * np.arange(int(SOUND_HZ * seconds)) / SOUND_HZ))
    frame = av.AudioFrame.from_ndarray(samples.astype(np.int16).reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = SOUND_HZ
    return frame


def camera_at(url: str, **fields: object) -> CameraSettings:
    """A camera of bed NICU/1/1 whose face box is the film's square."""
    said = {"name": "cam", "bed": "NICU/1/1", "face_box": FACE, "face_box_of": (WIDTH, HEIGHT), **fields}
    return CameraSettings.model_validate({"url": url, **said})
