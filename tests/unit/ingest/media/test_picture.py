from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from neopain.errors import MalformedMessage
from neopain.ingest.media.picture import jpeg_size, picture_from_jpeg, picture_from_rgb


@pytest.fixture
def jpeg(halves: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(halves, cv2.COLOR_RGB2BGR))[1].tobytes())


def test_a_jpeg_becomes_a_picture_in_the_order_red_green_blue(jpeg: bytes) -> None:
    picture = picture_from_jpeg(jpeg)
    assert picture.shape == (240, 320, 3)
    assert picture[120, 40].tolist() == pytest.approx([255, 0, 0], abs=3)
    assert picture[120, 280].tolist() == pytest.approx([0, 0, 255], abs=3)


def test_the_size_of_a_jpeg_is_read_from_its_header(jpeg: bytes) -> None:
    assert jpeg_size(jpeg) == (320, 240)


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (lambda jpeg: b"", "does not begin with FF D8"),
        (lambda jpeg: b"PNG it is not", "does not begin with FF D8"),
        (lambda jpeg: jpeg[:40], "ends before its size"),
        (lambda jpeg: jpeg[: len(jpeg) // 2], "cannot be decoded"),
    ],
)
def test_a_broken_jpeg_is_refused_with_the_rule(jpeg: bytes, damage: object, rule: str) -> None:
    with pytest.raises(MalformedMessage, match=rule):
        picture_from_jpeg(damage(jpeg))  # type: ignore[operator]


def test_a_jpeg_that_claims_a_giant_size_is_refused_before_it_is_decoded(jpeg: bytes) -> None:
    place = jpeg.index(b"\xff\xc0") + 5
    giant = jpeg[:place] + b"\xff\xff\xff\xff" + jpeg[place + 4 :]
    with pytest.raises(MalformedMessage, match="65535x65535"):
        picture_from_jpeg(giant)


def test_packed_rgb_is_taken_as_it_is(halves: NDArray[np.uint8]) -> None:
    assert np.array_equal(picture_from_rgb(halves.tobytes(), width=320, height=240), halves)


def test_packed_rgb_of_another_length_is_refused(halves: NDArray[np.uint8]) -> None:
    with pytest.raises(MalformedMessage, match="230399 bytes, expected 230400 for 320x240"):
        picture_from_rgb(halves.tobytes()[:-1], width=320, height=240)


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="0x240"):
        picture_from_rgb(b"", width=0, height=240)
