from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from neopain import __version__
from neopain.bootstrap import train
from neopain.bootstrap.train import Teller, code_version


def told_in_a_log(monkeypatch: pytest.MonkeyPatch, *, seconds: float) -> list[str]:
    """What a log hears of three units of work that take so many seconds each."""
    now = [0.0]
    monkeypatch.setattr(train.time, "monotonic", lambda: now[0])
    out = io.StringIO()
    with Teller(Console(file=out, force_terminal=False)) as teller:
        teller.begin("face", 3.0, 0.0)
        for done in (1.0, 2.0, 3.0):
            now[0] += seconds
            teller.advance(done, "loss 1.500")
    return out.getvalue().splitlines()


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told_in_a_log(monkeypatch, seconds=15.0) == [
        "neopain: face: 0 of 3",
        "neopain: face: 2 of 3, loss 1.500",
    ]


def test_a_log_hears_of_quick_work_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told_in_a_log(monkeypatch, seconds=1.0) == ["neopain: face: 0 of 3"]


def test_a_terminal_gets_a_bar_with_the_time_left() -> None:
    out = io.StringIO()
    with Teller(Console(file=out, force_terminal=True, width=120)) as teller:
        teller.begin("video", 4.0, 1.0)
        teller.advance(2.0, "loss 0.700")
    last = out.getvalue()
    assert "video" in last
    assert "50%" in last
    assert "loss 0.700" in last
    assert re.search(r"\d:\d\d:\d\d|-:--:--", last)


def test_the_code_is_named_by_version_and_commit() -> None:
    assert re.fullmatch(re.escape(__version__) + r"(\+[0-9a-f]{12})?", code_version())
