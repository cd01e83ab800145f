"""Multipart bodies: what senders write, however it is cut, and which parts come out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.codecs.multipart import LONGEST_HEADERS, Decoder, PartBegun, PartData, PartEnded
from neopain.errors import MalformedMessage

# A preamble, a part whose content holds line ends and what begins like the boundary, one without headers, an empty one
# with a line end of its own and one without, blanks after a boundary, a folded header, an epilogue.
BODY = (
    b"not read\r\n"
    b"--cut\r\nContent-Type: application/dicom\r\n\r\none\r\n--cu\r\n--cutter\r\n-\r\n\r\n"
    b"\r\n--cut  \t\r\n\r\nno headers"
    b"\r\n--cut\r\nContent-Type: application/dicom;\r\n transfer-syntax=1.2\r\nX: y\r\n\r\n"
    b"\r\n--cut\r\nContent-Type: a/b\r\n\r\n"
    b"--cut\r\n\r\n"
    b"\r\n--cut--\r\nnot read\r\n--cut\r\n\r\nnot read"
)
PARTS = [
    ({"content-type": "application/dicom"}, b"one\r\n--cu\r\n--cutter\r\n-\r\n\r\n"),
    ({}, b"no headers"),
    ({"content-type": "application/dicom; transfer-syntax=1.2", "x": "y"}, b""),
    ({"content-type": "a/b"}, b""),
    ({}, b""),
]


def fed(body: bytes, cuts: list[int], boundary: str = "cut") -> tuple[list[tuple[dict[str, str], bytes]], bool]:
    """The whole parts of the body, fed in pieces, and whether its last boundary was there."""
    decoder, parts, content = Decoder(boundary), [], b""
    headers: dict[str, str] = {}
    for start, end in pairwise([0, *sorted(cuts), len(body)]):
        for event in decoder.feed(body[start:end]):
            match event:
                case PartBegun():
                    headers, content = dict(event.headers), b""
                case PartData():
                    assert event.data
                    content += event.data
                case PartEnded():
                    parts.append((headers, content))
    return parts, decoder.is_complete


@pytest.mark.parametrize("cut", range(len(BODY) + 1))
def test_one_cut_anywhere_gives_the_same_parts(cut: int) -> None:
    assert fed(BODY, [cut]) == (PARTS, True)


def test_byte_by_byte_gives_the_same_parts() -> None:
    assert fed(BODY, list(range(len(BODY)))) == (PARTS, True)


@given(
    contents=st.lists(
        st.binary(max_size=40).map(lambda raw: raw.replace(b"\x00", b"\r\n--b").replace(b"\x01", b"\r\n"))
    ),
    cuts=st.lists(st.integers(0, 300), max_size=6),
)
def test_what_was_put_in_comes_out(contents: list[bytes], cuts: list[int]) -> None:
    body = b"".join(b"--bound\r\n\r\n" + content + b"\r\n" for content in contents) + b"--bound--"
    assert fed(body, cuts, "bound") == ([({}, content) for content in contents], True)


def test_a_part_is_given_out_as_it_comes() -> None:
    decoder = Decoder("cut")
    decoder.feed(b"--cut\r\n\r\n")
    given_out = sum(
        len(event.data) for _ in range(100) for event in decoder.feed(bytes(1000)) if isinstance(event, PartData)
    )
    assert given_out > 99_900


@pytest.mark.parametrize("body", [b"", b"--cut", b"--cut\r\n\r\nhalf", b"--cut\r\n\r\nwhole\r\n--cut", b"no boundary"])
def test_a_body_that_is_cut_off_is_not_complete(body: bytes) -> None:
    assert fed(body, []) == ([], False)


@pytest.mark.parametrize("headers", [b"no header\r\n\r\n", b": empty name\r\n\r\n", b"x" * (LONGEST_HEADERS + 1)])
def test_headers_that_are_none_are_refused(headers: bytes) -> None:
    with pytest.raises(MalformedMessage, match=r"part: .*header"):
        Decoder("cut").feed(b"--cut\r\n" + headers)


@pytest.mark.parametrize("boundary", ["", "a\r\nb", "grün"])
def test_a_boundary_that_is_none_is_refused(boundary: str) -> None:
    with pytest.raises(MalformedMessage, match="its boundary is missing"):
        Decoder(boundary)
