"""The end of a media file: what is decoded of it, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from neopain.errors import UnreadableRecording
from neopain.training.media import picture_of, read_sound, sound_seconds, video_frames

Write = Callable[..., Path]


def grey(level: int) -> NDArray[np.uint8]:
    return np.full((32, 48, 3), level, np.uint8)


def tone(seconds: float, rate_hz: int) -> NDArray[np.int16]:
    return np.asarray(8000 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate_hz)) / rate_hz), np.int16)


def write_matroska(path: Path, samples: NDArray[np.int16], *, gap_seconds: float = 0.0) -> Path:
    """Mono sound at 16 kHz; the second half begins so much later."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000)
        stream.layout = "mono"
        for begin in range(0, samples.size, 1600):
            frame = av.AudioFrame.from_ndarray(samples[np.newaxis, begin : begin + 1600], format="s16", layout="mono")
            frame.sample_rate = 16_000
            frame.pts = begin + (round(gap_seconds * 16_000) if begin >= samples.size // 2 else 0)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_pictures_come_in_the_order_of_time(tmp_path: Path, write_video: Write) -> None:
    path = write_video(tmp_path / "a.mkv", [grey(level) for level in (10, 20, 30)], rate=4)
    frames = list(video_frames(path, last_seconds=2))
    assert [timed.start for timed in frames] == [0.0, 0.25, 0.5]
    assert [int(picture_of(timed.frame)[5, 5, 1]) for timed in frames] == [10, 20, 30]


def test_a_long_video_is_entered_near_its_end(tmp_path: Path, write_video: Write) -> None:
    path = write_video(tmp_path / "a.mkv", [grey(level) for level in range(100)], rate=5)
    starts = [timed.start for timed in video_frames(path, last_seconds=2)]
    assert (starts[0] > 10, starts[0] <= 17.8, starts[-1]) == (True, True, 19.8)


def test_a_video_that_ends_before_its_sound_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=5)
        video.width, video.height, video.pix_fmt = 48, 32, "bgr0"
        sound = container.add_stream("pcm_s16le", rate=8000)
        sound.layout = "mono"
        for level in range(10):
            container.mux(video.encode(av.VideoFrame.from_ndarray(grey(level), format="rgb24")))
        container.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000 * 30), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    assert len(list(video_frames(path, last_seconds=1))) == 10


def test_a_plain_wav_is_read_sample_by_sample(tmp_path: Path, write_wav: Write) -> None:
    samples = tone(2, 16_000)
    (run,) = read_sound(write_wav(tmp_path / "a.wav", samples), last_seconds=10)
    assert (run.begin_seconds, np.array_equal(run.samples, samples)) == (-2.0, True)


def test_only_the_last_seconds_of_sound_are_given(tmp_path: Path, write_wav: Write) -> None:
    samples = tone(3, 16_000)
    (run,) = read_sound(write_wav(tmp_path / "a.wav", samples), last_seconds=1)
    assert (run.begin_seconds, np.array_equal(run.samples, samples[-16_000:])) == (-1.0, True)


def test_a_container_gives_the_same_samples_as_a_wav(tmp_path: Path) -> None:
    samples = tone(40, 16_000)
    (run,) = read_sound(write_matroska(tmp_path / "a.mkv", samples), last_seconds=1)
    assert (round(run.begin_seconds, 6), np.array_equal(run.samples, samples[-16_000:])) == (-1.0, True)


def test_sound_of_another_rate_and_two_channels_becomes_16_khz_mono(tmp_path: Path, write_wav: Write) -> None:
    path = write_wav(tmp_path / "a.wav", np.repeat(tone(2, 8000), 2), rate_hz=8000, channels=2)
    (run,) = read_sound(path, last_seconds=10)
    difference = run.samples[1000:-1000].astype(int) - tone(2, 16_000)[1000:-1000]
    assert (run.begin_seconds, run.samples.size, int(np.abs(difference).max()) < 100) == (-2.0, 32_000, True)


def test_a_gap_divides_the_sound_into_two_runs(tmp_path: Path) -> None:
    path = write_matroska(tmp_path / "a.mkv", tone(2, 16_000), gap_seconds=0.5)
    runs = read_sound(path, last_seconds=10)
    assert [(round(run.begin_seconds, 3), run.samples.size) for run in runs] == [(-2.5, 16_000), (-1.0, 16_000)]


def test_the_length_of_a_sound_is_measured(tmp_path: Path, write_wav: Write) -> None:
    assert sound_seconds(write_wav(tmp_path / "a.wav", tone(1.5, 8000), rate_hz=8000)) == 1.5


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableRecording, match=r"gone\.mp4: does not exist"):
        list(video_frames(tmp_path / "gone.mp4", last_seconds=1))


def test_a_text_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(UnreadableRecording, match="is no video or sound file that can be read"):
        list(video_frames(tmp_path / "a.mp4", last_seconds=1))


def test_a_video_has_no_sound_to_give(tmp_path: Path, write_video: Write) -> None:
    with pytest.raises(UnreadableRecording, match="has no sound track"):
        read_sound(write_video(tmp_path / "a.mkv", [grey(1)]), last_seconds=1)


def test_a_wav_that_was_cut_off_is_refused(tmp_path: Path, write_wav: Write) -> None:
    path = write_wav(tmp_path / "a.wav", tone(1, 16_000))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UnreadableRecording, match="is damaged"):
        read_sound(path, last_seconds=10)


def test_a_damaged_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for level in range(20):
            picture = np.random.default_rng(level).integers(0, 255, (64, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    content = bytearray(path.read_bytes())
    middle = content.index(b"mdat") + 20_000
    content[middle : middle + 8000] = bytes(8000)
    path.write_bytes(content)
    with pytest.raises(UnreadableRecording, match="is damaged"):
        list(video_frames(path, last_seconds=5))
