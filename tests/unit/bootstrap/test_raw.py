"""Raw input made readable, and nothing of it hidden."""

from __future__ import annotations

from neopain.bootstrap.raw import hex_lines, segment_lines, visible


def test_segments_stand_on_lines_and_the_broken_one_is_marked() -> None:
    raw = b"MSH|^~\\&|A\rOBX|1\rOBX|2\n"
    assert list(segment_lines(raw, location="OBX[2]-5")) == [
        "    1  MSH|^~\\&|A\\r",
        "    2  OBX|1\\r",
        ">   3  OBX|2\\n",
    ]


def test_line_ends_of_both_signs_are_one() -> None:
    assert list(segment_lines(b"MSH\r\nPID")) == ["    1  MSH\\r\\n", "    2  PID"]


def test_letters_stay_and_what_cannot_be_seen_is_an_escape() -> None:
    assert visible("Zoë\t\x1b[2J\u202e".encode() + b"\xe9") == "Zoë\\t\\x1b[2J\\u202e\\xe9"


def test_bytes_are_told_sixteen_a_line() -> None:
    assert list(hex_lines(b"0123456789abcdef\x00")) == [
        "000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef",
        f"000010  00{' ' * 47}.",
    ]
