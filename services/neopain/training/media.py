"""The end of a video or sound file, decoded: what lies just before the moment that was rated.

The last frame, and the last sample, are that moment. A damaged file is refused rather than used in part: with its end
missing, what it shows would no longer be what the rater saw.
"""

from __future__ import annotations

import math
import threading
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.reformatter import VideoReformatter

from neopain.domain.media import SAMPLE_RATE_HZ
from neopain.errors import UnreadableRecording
from neopain.features.face import Picture

Frame = TypeVar("Frame", av.VideoFrame, av.AudioFrame)
Stream = av.VideoStream | av.AudioStream
Pcm = npt.NDArray[np.int16]

SEEK_SLACK_SECONDS = 3.0
"""A longer file is entered this much before the part that is asked for: decoders need a run-up."""
GAP_SECONDS = 0.04
"""Sound that goes on later than this after its last sample has a gap."""
_MICROSECONDS = 1_000_000
_REFORMATTER = threading.local()


@dataclass(frozen=True, slots=True)
class Timed(Generic[Frame]):
    """One decoded frame; ``start`` and ``end`` in seconds of the file's own clock."""

    frame: Frame
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class SoundRun:
    """Sound without a gap, int16 mono at 16 kHz; ``begin_seconds`` is relative to the file's last sample (negative)."""

    begin_seconds: float
    samples: Pcm


def video_frames(path: Path, *, last_seconds: float) -> Iterator[Timed[av.VideoFrame]]:
    """The frames of at least the last seconds of a video, in the order of time; ``picture_of`` makes pictures of them.

    ``UnreadableRecording`` names the file and the reason.
    """
    return _tail(path, av.VideoFrame, last_seconds)


def picture_of(frame: av.VideoFrame) -> Picture:
    """The frame as RGB, turned as its display matrix says (FFmpeg gives the angle counterclockwise)."""
    if not hasattr(_REFORMATTER, "own"):
        # One for all frames of a thread: making one costs more than its work.
        _REFORMATTER.own = VideoReformatter()
    rgb = _REFORMATTER.own.reformat(frame, format="rgb24").to_ndarray()
    turned = np.rot90(rgb, k=round(frame.rotation / 90))
    return np.ascontiguousarray(turned, np.uint8)


def read_sound(path: Path, *, last_seconds: float) -> tuple[SoundRun, ...]:
    """The runs of sound that reach into the last seconds of a file, oldest first.

    ``UnreadableRecording`` names the file and the reason.
    """
    plain = _plain_wav(path)
    if plain is not None:
        return (_cut(SoundRun(-plain.size / SAMPLE_RATE_HZ, plain), last_seconds),)
    runs: list[_Run] = []
    for timed in _tail(path, av.AudioFrame, last_seconds):
        if not runs or abs(timed.start - runs[-1].end) > GAP_SECONDS or not runs[-1].fits(timed.frame):
            runs.append(_Run(timed))
        runs[-1].take(timed)
    end = runs[-1].end
    found = (SoundRun(run.begin - end, run.finish()) for run in runs if run.end > end - last_seconds)
    return tuple(_cut(run, last_seconds) for run in found)


def sound_seconds(path: Path) -> float:
    """How long the sound of a file is, by its own clock; ``UnreadableRecording`` names the file and the reason."""
    first: float | None = None
    last = 0.0
    for timed in _tail(path, av.AudioFrame, math.inf):
        first = timed.start if first is None else first
        last = timed.end
    return last - (first or 0.0)


def _plain_wav(path: Path) -> Pcm | None:
    """The samples of a WAV file that needs no conversion; None for every other file. FFmpeg takes ten times as long."""
    try:
        with wave.open(str(path)) as file:
            if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, SAMPLE_RATE_HZ):
                return None
            pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            if pcm.size == 0 or pcm.size != file.getnframes():
                raise UnreadableRecording(f"{path}: is damaged ({pcm.size} of {file.getnframes()} samples are there)")
    except (wave.Error, EOFError, OSError):
        return None
    return pcm


class _Run:
    """Sound that was heard so far without a gap, resampled as it comes."""

    def __init__(self, first: Timed[av.AudioFrame]) -> None:
        self.begin = first.start
        self._samples_in = 0
        self._shape = _shape(first.frame)
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
        self._parts: list[Pcm] = []

    @property
    def end(self) -> float:
        return self.begin + self._samples_in / self._shape[0]

    def fits(self, frame: av.AudioFrame) -> bool:
        return self._shape == _shape(frame)

    def take(self, timed: Timed[av.AudioFrame]) -> None:
        timed.frame.pts = None
        self._samples_in += timed.frame.samples
        self._resample(timed.frame)

    def finish(self) -> Pcm:
        self._resample(None)
        return np.concatenate(self._parts)

    def _resample(self, frame: av.AudioFrame | None) -> None:
        self._parts += [np.asarray(out.to_ndarray()[0], np.int16) for out in self._resampler.resample(frame)]


def _cut(run: SoundRun, last_seconds: float) -> SoundRun:
    """The run without what lies before the last seconds."""
    surplus = max(round((-last_seconds - run.begin_seconds) * SAMPLE_RATE_HZ), 0)
    return SoundRun(run.begin_seconds + surplus / SAMPLE_RATE_HZ, run.samples[surplus:])


def _shape(frame: av.AudioFrame) -> tuple[int, str, str]:
    return frame.sample_rate, frame.format.name, frame.layout.name


def _tail(path: Path, kind: type[Frame], last_seconds: float) -> Iterator[Timed[Frame]]:
    """The frames of at least the last seconds, to the end; from the file's beginning where its index is of no use."""
    with _opened(path) as container:
        stream = _stream(container, path, kind)
        is_long = (container.duration or 0) / _MICROSECONDS > last_seconds + 2 * SEEK_SLACK_SECONDS
        begin = _entry(container, stream, last_seconds) if is_long else None
        if begin is not None:
            container.seek(round(begin * _MICROSECONDS))
        if begin is not None or not is_long:
            frames = _decoded(container, stream, path, kind)
            first = next(frames, None)
            if first is None and not is_long:
                raise UnreadableRecording(f"{path}: holds no frame that can be decoded")
            if first is not None and (begin is None or first.start <= begin + SEEK_SLACK_SECONDS):
                yield first
                yield from frames
                return
    yield from _tail(path, kind, math.inf)


def _entry(container: InputContainer, stream: Stream, last_seconds: float) -> float | None:
    """Where to enter a longer file, in seconds of its clock; None when that cannot be found."""
    end = ((container.start_time or 0) + (container.duration or 0)) / _MICROSECONDS
    try:
        container.seek(round((end - SEEK_SLACK_SECONDS) * _MICROSECONDS))
        times = [
            float(packet.pts * packet.time_base)
            for packet in container.demux(stream)
            if packet.pts is not None and packet.time_base is not None
        ]
    except av.error.FFmpegError:
        return None
    # No packet there: this track ends well before the others.
    return max(times) - last_seconds - SEEK_SLACK_SECONDS if times else None


def _decoded(container: InputContainer, stream: Stream, path: Path, kind: type[Frame]) -> Iterator[Timed[Frame]]:
    clock = 0.0
    try:
        for packet in container.demux(stream):
            for frame in packet.decode():
                if not isinstance(frame, kind):
                    continue
                if frame.is_corrupt:
                    raise UnreadableRecording(f"{path}: is damaged (a frame lacks parts)")
                start = clock if frame.time is None else float(frame.time)
                clock = start + _length(frame)
                yield Timed(frame, start, clock)
    except av.error.FFmpegError as error:
        raise UnreadableRecording(f"{path}: is damaged ({_reason(error)})") from error


def _opened(path: Path) -> InputContainer:
    """The file, opened; it may refer to no other address."""
    if not path.is_file():
        raise UnreadableRecording(f"{path}: is no file" if path.exists() else f"{path}: does not exist")
    try:
        return av.open(str(path.absolute()), options={"protocol_whitelist": "file"})
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise UnreadableRecording(f"{path}: is no video or sound file that can be read ({_reason(error)})") from error


def _stream(container: InputContainer, path: Path, kind: type[Frame]) -> Stream:
    """The first track of the kind; a cover picture is none. It is decoded on one core: the files are many."""
    is_video = issubclass(kind, av.VideoFrame)
    tracks: tuple[Stream, ...] = container.streams.video if is_video else container.streams.audio
    for stream in tracks:
        if av.stream.Disposition.attached_pic in stream.disposition:
            continue
        if stream.codec_context is None:
            raise UnreadableRecording(f"{path}: its codec is not known here")
        stream.codec_context.thread_count = 1
        return stream
    raise UnreadableRecording(f"{path}: has no {'video' if is_video else 'sound'} track")


def _length(frame: av.VideoFrame | av.AudioFrame) -> float:
    if isinstance(frame, av.AudioFrame):
        return frame.samples / frame.sample_rate
    return float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 0.0


def _reason(error: Exception) -> str:
    """FFmpeg's own words for an error, without number and file name."""
    return getattr(error, "strerror", None) or str(error)
