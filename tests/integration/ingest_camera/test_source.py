"""One connection to real RTSP servers, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import av
import pytest

from neopain.errors import CameraUnavailable
from neopain.ingest.camera.settings import CameraSettings
from neopain.ingest.camera.source import Arrived, RtspConnection

from .peers import LivePeer, Peer, camera_at, free_port, refusing_camera, write_film, write_sound


def opened(camera: CameraSettings, *, silent_seconds: float = 3.0) -> closing[RtspConnection]:
    return closing(RtspConnection(camera, silent_seconds=silent_seconds))


def until(connection: RtspConnection, holds: Callable[[Arrived], bool], *, seconds: float = 15) -> Arrived:
    deadline = time.monotonic() + seconds
    for arrived in connection.frames():
        if arrived is not None and holds(arrived):
            return arrived
        if time.monotonic() > deadline:
            break
    raise AssertionError("it did not come to that")


def width(arrived: Arrived) -> int:
    return arrived.frame.width if isinstance(arrived.frame, av.VideoFrame) else 0


def test_h265_and_aac_come_over_tcp_with_the_camera_s_own_time(peer: Peer, films: Path) -> None:
    write_film(films / "h265.mp4", codec="libx265", seconds=3, sound="aac")
    with opened(camera_at(peer.url("h265.mp4"), microphone=True)) as connection:
        picture = until(connection, lambda arrived: arrived.is_picture and arrived.taken is not None)
        heard = until(connection, lambda arrived: not arrived.is_picture and arrived.taken is not None)
    for arrived in (picture, heard):
        assert arrived.taken is not None
        assert abs((arrived.received - arrived.taken).total_seconds()) < 3


def test_a_microphone_of_its_own_sends_pcm(peer: Peer, films: Path) -> None:
    write_sound(films / "ward.wav", seconds=3)
    with opened(camera_at(peer.url("ward.wav"), role="sound", microphone=True)) as connection:
        heard = until(connection, lambda arrived: arrived.taken is not None)
    assert isinstance(heard.frame, av.AudioFrame)
    assert (heard.frame.sample_rate, heard.frame.layout.name) == (8_000, "mono")


def test_sound_of_a_camera_without_a_microphone_of_the_site_is_not_fetched(peer: Peer, films: Path) -> None:
    write_film(films / "h265.mp4", codec="libx265", seconds=3, sound="aac")
    with opened(camera_at(peer.url("h265.mp4"))) as connection:
        assert not connection.has_sound


def test_the_end_of_a_stream_is_said(peer: Peer, films: Path) -> None:
    write_film(films / "short.mp4", seconds=1)
    with opened(camera_at(peer.url("short.mp4"))) as connection, pytest.raises(CameraUnavailable, match="ended"):
        list(connection.frames())


def test_over_udp_pictures_come_and_a_change_of_size_and_garbage_are_survived(live_peer: LivePeer) -> None:
    with opened(camera_at(live_peer.url, transport="udp")) as connection:
        assert until(connection, lambda arrived: width(arrived) == 320).taken is None
        live_peer.size = (640, 480)
        until(connection, lambda arrived: width(arrived) == 640)
        live_peer.is_garbage = True
        frames = connection.frames()
        while connection.damaged < 3:
            next(frames)
        live_peer.is_garbage = False
        until(connection, lambda arrived: width(arrived) == 640)


def why(camera: CameraSettings) -> str:
    with pytest.raises(CameraUnavailable) as failure:
        RtspConnection(camera, silent_seconds=3.0)
    assert "s3cret" not in f"{failure.value!r} {failure.value.__cause__!r}"
    assert failure.value.__suppress_context__
    return failure.value.reason


def test_what_cannot_be_opened_says_why_and_no_password(peer: Peer, films: Path) -> None:
    write_sound(films / "ward.wav", seconds=3)
    assert why(camera_at(peer.url("ward.wav"))) == "rejected"
    assert why(camera_at(peer.url("nobody.mp4"))) == "not-found"
    assert why(camera_at(f"rtsp://ward:s3cret@127.0.0.1:{free_port()}/stream")) == "refused"
    with refusing_camera() as url:
        assert why(camera_at(url)) == "unauthorised"
