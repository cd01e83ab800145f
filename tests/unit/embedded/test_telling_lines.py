from __future__ import annotations

from neopain.embedded.process import telling_lines


def test_an_error_before_the_last_lines_is_told_first() -> None:
    logged = ["loading", "E1121 08:13:40 no weights", "unloading", "bye"]

    assert telling_lines(logged, last=2) == ["E1121 08:13:40 no weights", "unloading", "bye"]


def test_a_line_is_told_once() -> None:
    assert telling_lines(["FATAL: no space left"]) == ["FATAL: no space left"]


def test_a_long_line_is_cut() -> None:
    assert telling_lines(["abcdef"], width=3) == ["abc"]
