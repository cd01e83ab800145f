from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from neopain.errors import UnreadableRecording
from neopain.ingest.stream.container import Track, has_sound
from neopain.ingest.stream.sources import upright

Write = Callable[..., Path]

CODECS = [("a.mp4", "libx264"), ("a.mov", "libx264"), ("a.webm", "libvpx"), ("a.webm", "libvpx-vp9")]
MATRIX = 4 + 4 + 20 + 16
"""From the box type ``tkhd`` (version 0) to its display matrix (ISO/IEC 14496-12, 8.3.2)."""


def turned_clockwise(path: Path) -> Path:
    """The same mp4 as a phone held upright writes it: to be shown a quarter turn clockwise."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + MATRIX
    numbers = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    content[place : place + 36] = b"".join(number.to_bytes(4, "big", signed=True) for number in numbers)
    path.write_bytes(content)
    return path


def patched(path: Path, old: bytes, new: bytes) -> Path:
    path.write_bytes(path.read_bytes().replace(old, new))
    return path


@pytest.mark.parametrize(("name", "codec"), CODECS)
def test_every_frame_of_a_video_is_decoded_at_its_time(write_video: Write, name: str, codec: str) -> None:
    times = [decoded.start for decoded in Track(write_video(name, codec), av.VideoFrame)]
    assert times == pytest.approx([number / 15 for number in range(30)], abs=0.0011)


@pytest.mark.parametrize(("name", "codec"), CODECS)
def test_colours_come_in_the_order_red_green_blue(write_video: Write, name: str, codec: str) -> None:
    picture = upright(next(iter(Track(write_video(name, codec), av.VideoFrame))).frame)
    assert picture.shape == (120, 160, 3)
    assert picture[30, 40].tolist() == pytest.approx([255, 0, 0], abs=12)
    assert picture[30, 120].tolist() == pytest.approx([0, 255, 0], abs=12)
    assert picture[90, 80].tolist() == pytest.approx([0, 0, 255], abs=12)


def test_a_video_that_is_to_be_turned_is_turned(write_video: Write) -> None:
    path = turned_clockwise(write_video("phone.mp4", "libx264"))
    picture = upright(next(iter(Track(path, av.VideoFrame))).frame)
    assert picture.shape == (160, 120, 3)
    assert picture[40, 90].tolist() == pytest.approx([255, 0, 0], abs=12)
    assert picture[120, 90].tolist() == pytest.approx([0, 255, 0], abs=12)
    assert picture[80, 30].tolist() == pytest.approx([0, 0, 255], abs=12)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "layout"),
    [
        ("a.wav", "pcm_s16le", 8_000, "mono"),
        ("a.wav", "pcm_s24le", 48_000, "stereo"),
        ("a.mp3", "libmp3lame", 44_100, "stereo"),
        ("a.m4a", "aac", 44_100, "stereo"),
    ],
)
def test_all_of_a_sound_file_is_decoded(write_sound: Write, name: str, codec: str, rate: int, layout: str) -> None:
    decoded = list(Track(write_sound(name, codec, rate=rate, layout=layout), av.AudioFrame))
    assert decoded[-1].end - decoded[0].start == pytest.approx(2.0, abs=0.06)


def test_whether_a_video_has_sound_is_known(write_video: Write) -> None:
    assert has_sound(write_video("with.mp4", "libx264", sound_hz=440.0))
    assert not has_sound(write_video("without.mp4", "libx264"))


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableRecording, match=r"gone\.mp4: does not exist"):
        Track(tmp_path / "gone.mp4", av.VideoFrame)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableRecording, match="is a folder, expected a file"):
        Track(tmp_path, av.VideoFrame)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    with pytest.raises(UnreadableRecording, match=r"empty\.wav: is empty"):
        Track(tmp_path / "empty.wav", av.AudioFrame)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.mp4"
    path.write_text("Dear colleague, " * 100)
    with pytest.raises(UnreadableRecording, match=r"letter\.mp4: is no video or sound file that can be read"):
        Track(path, av.VideoFrame)


def test_a_playlist_may_not_send_us_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXTINF:2,\nhttp://127.0.0.1:9/part.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(UnreadableRecording, match=r"list\.m3u8"):
        Track(path, av.VideoFrame)


def test_sound_given_as_a_video_is_refused(write_sound: Write) -> None:
    with pytest.raises(UnreadableRecording, match=r"a\.wav: has no video track"):
        Track(write_sound("a.wav", "pcm_s16le"), av.VideoFrame)


def test_a_silent_video_given_as_sound_is_refused(write_video: Write) -> None:
    with pytest.raises(UnreadableRecording, match=r"a\.mp4: has no audio track"):
        Track(write_video("a.mp4", "libx264"), av.AudioFrame)


def test_a_codec_that_is_not_known_is_told(write_video: Write) -> None:
    path = patched(write_video("odd.mp4", "libx264"), b"avc1", b"zzzz")
    with pytest.raises(UnreadableRecording, match=r"odd\.mp4: its codec is not known here"):
        Track(path, av.VideoFrame)


def test_an_encrypted_video_is_told(write_video: Write) -> None:
    path = patched(write_video("film.mp4", "libx264"), b"avc1", b"encv")
    with pytest.raises(UnreadableRecording, match=r"film\.mp4: is encrypted \(DRM\)"):
        Track(path, av.VideoFrame)


def test_a_video_that_was_never_finished_is_refused(write_video: Write) -> None:
    path = write_video("cut.mp4", "libx264")
    path.write_bytes(path.read_bytes()[:1_500])
    with pytest.raises(UnreadableRecording, match=r"cut\.mp4"):
        Track(path, av.VideoFrame)


def test_of_a_damaged_sound_what_can_be_read_is_used_and_the_rest_told(write_sound: Write) -> None:
    path = write_sound("hurt.m4a", "aac", seconds=4.0)
    content = bytearray(path.read_bytes())
    middle = content.index(b"mdat") + 12_000
    content[middle : middle + 3_000] = np.random.default_rng(1).bytes(3_000)
    path.write_bytes(content)
    track = Track(path, av.AudioFrame)
    seconds = sum(decoded.frame.samples / decoded.frame.sample_rate for decoded in track)
    assert seconds > 2.0
    assert len(track.notes) == 1
    assert "damaged parts of the sound were left out" in track.notes[0]
