"""One camera picture from its bytes. Knows JPEG and packed RGB; knows nothing of faces or time."""

from __future__ import annotations

import cv2
import numpy as np

from neopain.errors import MalformedMessage
from neopain.features.face import Picture

LARGEST_PIXELS = 16_000_000
"""Above 4K; a header that claims more is refused before anything is allocated for it."""

# Markers that start a frame and carry its size (ITU-T T.81, table B.1): SOF0..SOF15 without DHT, JPG and DAC.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})


def picture_from_jpeg(data: bytes) -> Picture:
    """The picture of a JPEG file as it is stored: an orientation in its EXIF data is not applied.

    Raises ``MalformedMessage`` for bytes that are no JPEG, a broken one, or one that is too large.
    """
    width, height = jpeg_size(data)
    if width * height > LARGEST_PIXELS:
        raise MalformedMessage("data", f"the JPEG says {width}x{height}, at most {LARGEST_PIXELS} pixels are taken")
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise MalformedMessage("data", "the JPEG cannot be decoded") from error
    if picture is None:
        raise MalformedMessage("data", "the JPEG cannot be decoded")
    return np.asarray(picture, np.uint8)


def picture_from_rgb(data: bytes, *, width: int, height: int) -> Picture:
    """The picture of packed RGB bytes, row by row from the top left; no copy.

    Raises ``MalformedMessage`` when size and bytes disagree.
    """
    if width <= 0 or height <= 0 or width * height > LARGEST_PIXELS:
        raise MalformedMessage("width", f"the frame says {width}x{height}, expected 1 to {LARGEST_PIXELS} pixels")
    if len(data) != width * height * 3:
        rule = f"{len(data)} bytes, expected {width * height * 3} for {width}x{height} in RGB24"
        raise MalformedMessage("data", rule)
    return np.frombuffer(data, np.uint8).reshape(height, width, 3)


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height from the header (ITU-T T.81, B.2.2); ``MalformedMessage`` when there is none."""
    if data[:2] != b"\xff\xd8":
        raise MalformedMessage("data", "no JPEG: it does not begin with FF D8")
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
        elif marker in _STANDALONE:
            place += 2
        elif marker in _START_OF_FRAME:
            height = int.from_bytes(data[place + 5 : place + 7], "big")
            return int.from_bytes(data[place + 7 : place + 9], "big"), height
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    raise MalformedMessage("data", "the JPEG ends before its size")
