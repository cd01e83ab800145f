"""RTSP servers that nobody here wrote, the films they show, and one camera that only refuses."""

from __future__ import annotations

import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from neopain.ingest.camera.settings import CameraSettings

from ...servers import in_background

WIDTH, HEIGHT, RATE = 320, 240, 15
SOUND_HZ = 16_000
FACE = (40, 40, 120, 120)
"""Where the films show a red chequered square."""

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
        if not program.exists():
            pytest.skip("aio-rtsp-toolkit is not installed: ./neopain install test")
        ports = ("--port", str(self.port), "--control-port", str(free_port()))
        argv = (program, "--dir", self.folder, "--host", "127.0.0.1", *ports)
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError("the RTSP server does not listen")

    def freeze(self) -> None:
        """From now on it neither sends nor answers; its connections stay."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self.process is None:
            raise RuntimeError("the RTSP server does not run")
        self.process.send_signal(number)


class LivePeer:
    """rtsp-rs's server (RTSP 1.0, RTP over UDP, no sender reports) in this process.

    What it sends is changed as it goes: ``paint`` draws the pictures, ``size`` is theirs (width, height),
    ``is_garbage`` sends bytes that are none.
    """

    def __init__(self) -> None:
        server = pytest.importorskip("rtsp", reason="rtsp-rs is not installed: ./neopain install test")
        self.port = free_port()
        self.url = f"rtsp://127.0.0.1:{self.port}/stream"
        self.paint: Paint = live
        self.size = (WIDTH, HEIGHT)
        self.is_garbage = False
        self._server = server.Server(f"127.0.0.1:{self.port}")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)

    def start(self) -> None:
        self._server.start()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._server.stop()

    def _send(self) -> None:
        encoder, number = encoder_of(self.size), 0
        begun = time.monotonic()
        while not self._stopping.wait(max(begun + number / RATE - time.monotonic(), 0)):
            if (encoder.width, encoder.height) != self.size:
                encoder = encoder_of(self.size)
            picture = np.ascontiguousarray(np.resize(self.paint(number), (self.size[1], self.size[0], 3)))
            for packet in encoder.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                garbage = b"\0\0\0\1" + np.random.default_rng(number).bytes(400)
                self._server.send_frame(garbage if self.is_garbage else bytes(packet), 90_000 // RATE)
            number += 1


def encoder_of(size: tuple[int, int]) -> av.VideoCodecContext:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
    encoder.time_base, encoder.gop_size = Fraction(1, RATE), RATE
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency"}
    return encoder


@contextmanager
def refusing_camera() -> Iterator[str]:
    """A camera that knows nobody: it answers each request with 401 and a challenge (RFC 2326, 11.1.2; RFC 2617)."""

    class Refusal(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            # Line by line, each to the end of what is said: a peer that is gone says empty lines for ever.
            for line in self.rfile:
                if not line.startswith(b"CSeq:"):
                    continue
                sequence = line.decode().strip()
                while self.rfile.readline() not in {b"\r\n", b""}:
                    pass
                challenge = 'WWW-Authenticate: Digest realm="ward", nonce="1"'
                self.wfile.write(f"RTSP/1.0 401 Unauthorized\r\n{sequence}\r\n{challenge}\r\n\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refusal) as server:
        server.daemon_threads = True
        with in_background(server):
            yield f"rtsp://ward:s3cret@127.0.0.1:{server.server_address[1]}/stream1"


def live(number: int) -> NDArray[np.uint8]:
    """A noisy picture with a red square for a face and a bright bar that moves."""
    noise = np.random.default_rng(number).integers(90, 130, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    x, y, width, height = FACE
    tiles = (np.indices((height, width)) // 12).sum(axis=0) % 2
    noise[y : y + height, x : x + width] = np.where(tiles[:, :, None], (200, 40, 40), (120, 20, 20))
    bar = 200 + number * 4 % 100
    noise[:, bar : bar + 20] = 230
    return noise


def black(_: int) -> NDArray[np.uint8]:
    return np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def write_film(path: Path, *, codec: str = "libx264", seconds: float, sound: str = "") -> Path:
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
            container.mux(video.encode(av.VideoFrame.from_ndarray(live(number), format="rgb24")))
        container.mux(video.encode(None))
        if audio is not None:
            container.mux(audio.encode(tone(seconds)))
            container.mux(audio.encode(None))
    return path


def write_sound(path: Path, *, seconds: float) -> Path:
    """A tone of 440 Hz, which the server sends as PCMA."""
    with av.open(str(path), "w") as container:
        audio = container.add_stream("pcm_s16le", rate=SOUND_HZ)
        audio.layout = "mono"
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
