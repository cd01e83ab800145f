"""One track of a video or sound file: opened, checked, decoded frame by frame. Knows FFmpeg's errors; the rest of the
room does not."""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Generic, Literal, TypeVar

import av
import av.error
from av.container import InputContainer

from neopain.errors import UnreadableRecording

Frame = TypeVar("Frame", av.VideoFrame, av.AudioFrame)
Stream = av.VideoStream | av.AudioStream

ENCRYPTED_ENTRIES = (b"encv", b"enca", b"drmi", b"drms")
"""Sample entries of encrypted tracks (ISO/IEC 14496-12, 8.12) and of the older protected files."""
FARTHEST_BACK_SECONDS = 0.5
"""A frame may lie so much before one that came earlier: encoders round. Beyond, a recording was begun anew."""
INNER_FORMATS = "mov,mpegts,mpeg,mpegvideo,h264,hevc"
"""What a stream within a file may be: containers and elementary streams, nothing that refers to other files."""


@dataclass(frozen=True, slots=True)
class Inner:
    """A stream that lies within a file. ``open`` gives its bytes from their beginning; ``rate_hz`` are the pictures a
    second of a stream that has no clock of its own."""

    open: Callable[[], BinaryIO]
    rate_hz: float | None = None


@dataclass(frozen=True, slots=True)
class Decoded(Generic[Frame]):
    """One decoded frame; ``start`` and ``end`` are seconds of the file's own clock."""

    frame: Frame
    start: float
    end: float


class Track(Generic[Frame]):
    """The first video or sound track of a file, or of the stream ``inner`` in it, by the type of its frames; decoded
    from its beginning, once.

    Raises ``UnreadableRecording``, which names the file and the reason, when it is made. What is damaged later is left
    out and told in ``notes``.
    """

    def __init__(self, path: Path, kind: type[Frame], inner: Inner | None = None) -> None:
        self.path = path
        self.kind: type[Frame] = kind
        self.word = "picture" if issubclass(kind, av.VideoFrame) else "sound"
        self.codec = ""
        self.damaged = 0
        self._broken_off = ""
        self._container = open_container(path, inner)
        self._frames: Iterator[Decoded[Frame]] = self._decoded()
        try:
            self._first: Decoded[Frame] | None = self._read_first()
        except UnreadableRecording:
            self.close()
            raise
        self.begins = self._first.start if self._first else 0.0

    def __iter__(self) -> Iterator[Decoded[Frame]]:
        if self._first is not None:
            yield self._first
            self._first = None
        yield from self._frames

    @property
    def created(self) -> datetime | None:
        """When the file says it was made."""
        try:
            moment = datetime.fromisoformat(self._container.metadata.get("creation_time", ""))
        except ValueError:
            return None
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)

    @property
    def notes(self) -> list[str]:
        """What could not be used of the part that was read."""
        told = [f"{self.path.name}: {self.damaged} damaged parts of the {self.word} were left out"]
        broken = [f"{self.path.name}: the {self.word} breaks off ({self._broken_off})"]
        return (told if self.damaged else []) + (broken if self._broken_off else [])

    def close(self) -> None:
        """Closes the file."""
        self._container.close()

    def _read_first(self) -> Decoded[Frame]:
        first = next(self._frames, None)
        if first is None:
            reason = self._broken_off or ("all of it is damaged" if self.damaged else "there is none")
            raise UnreadableRecording(f"{self.path}: no {self.word} could be decoded ({reason})")
        return first

    def _decoded(self) -> Iterator[Decoded[Frame]]:
        clock, newest = 0.0, -math.inf
        first: float | None = None
        for frame in self._undamaged():
            start = clock if frame.time is None else float(frame.time)
            first = start if first is None else first
            if newest - start > FARTHEST_BACK_SECONDS:
                # Nobody knows how much later it goes on: what follows would lie at wrong times, on top of the first.
                self._broken_off = f"its time stamps begin anew after {newest - first:.1f} s; what follows is left out"
                return
            newest = max(newest, start)
            clock = start + _length(frame)
            yield Decoded(frame, start, clock)

    def _undamaged(self) -> Iterator[Frame]:
        has_pictures = issubclass(self.kind, av.VideoFrame)
        stream = track_of(self._container, self.path, "video" if has_pictures else "audio")
        self.codec = stream.codec_context.name
        try:
            for packet in self._container.demux(stream):
                try:
                    frames = packet.decode()
                except av.error.FFmpegError as error:
                    self.damaged += 1
                    if isinstance(error, av.error.DecoderNotFoundError):
                        raise UnreadableRecording(f"{self.path}: {_no_decoder(self.path)}") from error
                    continue
                wanted = [frame for frame in frames if isinstance(frame, self.kind)]
                self.damaged += sum(frame.is_corrupt for frame in wanted)
                yield from (frame for frame in wanted if not frame.is_corrupt)
        except av.error.FFmpegError as error:
            self._broken_off = reason_of(error)


def check_file(path: Path) -> None:
    """Refuses what is no readable, filled file with ``UnreadableRecording``."""
    try:
        if path.is_dir():
            raise UnreadableRecording(f"{path}: is a folder, expected a file")
        with path.open("rb") as file:
            if not file.read(1):
                raise UnreadableRecording(f"{path}: is empty")
    except FileNotFoundError as error:
        raise UnreadableRecording(f"{path}: does not exist") from error
    except OSError as error:
        raise UnreadableRecording(f"{path}: cannot be opened ({error.strerror})") from error


def open_container(path: Path, inner: Inner | None = None) -> InputContainer:
    """The file, or the stream in it, opened; ``UnreadableRecording`` when it is no video or sound. It may refer to no
    other address."""
    check_file(path)
    try:
        if inner is not None:
            return av.open(inner.open(), mode="r", options=_inner_options(inner))
        return av.open(str(path.absolute()), options={"protocol_whitelist": "file"})
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise UnreadableRecording(f"{path}: is no video or sound file that can be read ({reason_of(error)})") from error


def track_of(container: InputContainer, path: Path, kind: Literal["video", "audio"]) -> Stream:
    """The first track of the kind; a cover picture is none.

    Raises ``UnreadableRecording`` when there is none, or nothing here decodes it.
    """
    tracks: tuple[Stream, ...] = container.streams.video if kind == "video" else container.streams.audio
    for stream in tracks:
        if av.stream.Disposition.attached_pic in stream.disposition:
            continue
        if stream.codec_context is None:
            raise UnreadableRecording(f"{path}: {_no_decoder(path)}")
        stream.codec_context.thread_type = "AUTO"
        return stream
    raise UnreadableRecording(f"{path}: has no {kind} track")


def _inner_options(inner: Inner) -> dict[str, str]:
    options = {"protocol_whitelist": "file", "format_whitelist": INNER_FORMATS}
    return options if inner.rate_hz is None else options | {"framerate": f"{inner.rate_hz:g}"}


def has_sound(path: Path, inner: Inner | None = None) -> bool:
    """Whether the file, or the stream in it, has a sound track."""
    with open_container(path, inner) as container:
        return bool(container.streams.audio)


def sound_within(path: Path, inner: Inner | None = None) -> tuple[Track[av.AudioFrame] | None, str]:
    """The sound of a video; without any that can be used None, and why, in words: its pictures are of use without.

    Of a video without a sound track there is nothing to say.
    """
    if not has_sound(path, inner):
        return None, ""
    try:
        return Track(path, av.AudioFrame, inner), ""
    except UnreadableRecording as error:
        return None, f"the sound of the video is left out: {str(error).removeprefix(f'{path}: ')}"


def reason_of(error: Exception) -> str:
    """FFmpeg's own words for an error, without number and file name."""
    return getattr(error, "strerror", None) or str(error)


def _no_decoder(path: Path) -> str:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        is_encrypted = any(content.find(entry) >= 0 for entry in ENCRYPTED_ENTRIES)
    return "is encrypted (DRM); give a copy without protection" if is_encrypted else "its codec is not known here"


def _length(frame: av.VideoFrame | av.AudioFrame) -> float:
    if isinstance(frame, av.AudioFrame):
        return frame.samples / frame.sample_rate
    return float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 0.0
