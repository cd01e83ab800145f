"""One connection to one RTSP camera: opened, read, decoded. Knows FFmpeg's options and errors; the rest of the room
does not.

RTSP 1.0 (RFC 2326) over TCP or with RTP over UDP, H.264 and H.265, AAC and PCM: whatever FFmpeg decodes. Its errors
quote the address with the password in it, so they are never chained, never logged: only their reason goes on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import av
import av.error
from av.container import InputContainer
from av.stream import Stream

from neopain.errors import CameraUnavailable
from neopain.ingest.camera.settings import CameraSettings

PROTOCOLS = "rtsp,rtp,srtp,tcp,udp,tls"
ANALYSE_US = 1_000_000
"""How long FFmpeg may look for the parameters of tracks before it hands out what it has read."""
REORDER_US = 200_000
"""How long a packet over UDP waits for an earlier one."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MediaFrame = av.VideoFrame | av.AudioFrame
Track = av.VideoStream | av.AudioStream

# By FFmpeg's class of error, the first that fits: the reason as it stands in metrics and logs.
REASONS: tuple[tuple[type[Exception], str], ...] = (
    (av.error.HTTPUnauthorizedError, "unauthorised"),
    (av.error.HTTPForbiddenError, "unauthorised"),
    (av.error.HTTPNotFoundError, "not-found"),
    (av.error.HTTPClientError, "rejected"),
    (av.error.HTTPServerError, "rejected"),
    (av.error.ExitError, "silent"),
    (av.error.TimeoutError, "silent"),
    (av.error.EOFError, "ended"),
    (av.error.ConnectionRefusedError, "refused"),
    (av.error.InvalidDataError, "unreadable"),
    (OSError, "unreachable"),
)


@dataclass(frozen=True, slots=True)
class Arrived:
    """One decoded frame.

    ``seconds`` is the time of its first sample by the connection's RTP clock, ``taken`` the same by the camera's own
    clock where the camera tells it.
    """

    frame: MediaFrame
    received: datetime
    seconds: float
    taken: datetime | None

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture; else it is sound."""
        return isinstance(self.frame, av.VideoFrame)


class Connection(Protocol):
    """What is read from a camera between two reconnections."""

    has_sound: bool
    damaged: int

    def frames(self) -> Iterator[Arrived | None]:
        """What arrives, in order; None for what gives no frame. ``CameraUnavailable`` at the end."""

    def close(self) -> None:
        """Ends the connection."""


class RtspConnection:
    """An open connection. Raises ``CameraUnavailable`` when it is made, and when it ends, however it ends."""

    def __init__(self, camera: CameraSettings, *, silent_seconds: float) -> None:
        self.damaged = 0
        """Packets and frames that could not be decoded whole."""
        self._silent_seconds = silent_seconds
        self._container = _opened(camera, silent_seconds)
        self._streams = _wanted(self._container, camera)
        self.has_sound = any(stream.type == "audio" for stream in self._streams)

    def frames(self) -> Iterator[Arrived | None]:
        """The frames as they arrive; None for a packet that gives none."""
        packets = self._container.demux(*self._streams)
        while True:
            packet = self._next(packets)
            received = datetime.now(UTC)
            arrived = [self._arrived(frame, received) for frame in self._decoded(packet)]
            yield from arrived or [None]

    def close(self) -> None:
        """Ends the connection; a camera that no longer answers is not waited for."""
        self._container.close()

    def _next(self, packets: Iterator[av.Packet[Stream]]) -> av.Packet[Stream]:
        begun = time.monotonic()
        try:
            packet = next(packets, None)
        except (av.error.FFmpegError, OSError) as error:
            raise CameraUnavailable(reason_of(error, since=begun, silent_seconds=self._silent_seconds)) from None
        is_flush = packet is not None and packet.size == 0 and packet.dts is None
        if packet is None or is_flush:
            raise CameraUnavailable("ended")
        return packet

    def _decoded(self, packet: av.Packet[Stream]) -> list[MediaFrame]:
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            self.damaged += 1
            return []
        media = [frame for frame in frames if isinstance(frame, av.VideoFrame | av.AudioFrame)]
        self.damaged += sum(frame.is_corrupt for frame in media)
        return [frame for frame in media if not frame.is_corrupt]

    def _arrived(self, frame: MediaFrame, received: datetime) -> Arrived | None:
        if frame.time is None:
            return None
        seconds = float(frame.time)
        return Arrived(frame, received, seconds, _moment(self._container.start_time_realtime, seconds))


def _opened(camera: CameraSettings, silent_seconds: float) -> InputContainer:
    options = {
        "rtsp_transport": camera.transport,
        "protocol_whitelist": PROTOCOLS,
        "allowed_media_types": "+".join(["video"] * camera.has_pictures + ["audio"] * camera.microphone),
        "analyzeduration": str(ANALYSE_US),
        "max_delay": str(REORDER_US),
        "fflags": "nobuffer+discardcorrupt",
    }
    begun = time.monotonic()
    try:
        return av.open(camera.url.get_secret_value(), options=options, timeout=(silent_seconds, silent_seconds))
    except (av.error.FFmpegError, OSError) as error:
        raise CameraUnavailable(reason_of(error, since=begun, silent_seconds=silent_seconds)) from None


def _wanted(container: InputContainer, camera: CameraSettings) -> list[Track]:
    """The first picture track and the first sound track, as far as they are wanted, ready to be decoded."""
    chosen: list[Track] = [
        *(container.streams.video[:1] if camera.has_pictures else ()),
        *(container.streams.audio[:1] if camera.microphone else ()),
    ]
    decoded = [stream for stream in chosen if stream.codec_context is not None]
    needed = "video" if camera.has_pictures else "audio"
    if not any(stream.type == needed for stream in decoded):
        container.close()
        raise CameraUnavailable(f"no-{needed}", f"the address offers no {needed} that can be decoded here")
    for stream in decoded:
        # Frame threads would hold back as many pictures as there are threads.
        stream.codec_context.thread_type = "SLICE"
        stream.codec_context.thread_count = 1
    return decoded


def _moment(start_us: int | None, seconds: float) -> datetime | None:
    """A place on the connection's clock as a time of day; None before the first RTCP sender report, and where that
    tells a time that no calendar has."""
    if start_us is None:
        return None
    try:
        return EPOCH + timedelta(microseconds=start_us) + timedelta(seconds=seconds)
    except OverflowError:
        return None


def reason_of(error: Exception, *, since: float, silent_seconds: float) -> str:
    """One of the reasons of the table, for FFmpeg's error.

    Where FFmpeg gave up waiting, its error is that of what it was about to read: then the time tells.
    """
    if time.monotonic() - since >= silent_seconds:
        return "silent"
    return next((reason for kind, reason in REASONS if isinstance(error, kind)), "failed")
