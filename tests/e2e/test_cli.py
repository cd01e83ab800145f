"""What the command line says to wrong arguments."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from .conftest import in_this_process

Command = Callable[..., "subprocess.Popen[str]"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "COMMAND"),
        (("demo", "--seconds", "0"), "not a number above 0"),
        (("demo", "--beds", "0"), "not a number from 1 to 64"),
        (("score",), "nothing to score"),
        (("score", "--video", "no-such-file.mp4"), "no-such-file.mp4"),
        (("score", "--video", "x.mp4", "--face-box", "1,2,3"), "X,Y,W,H"),
        (("scoring", "nurse"), "nurse"),
        (("policy", "--file", "no-such-policy.toml"), "no-such-policy.toml"),
        (("beds", "chart", "NICU/1/A"), "--by"),
        (("disclosures", "4711", "--by", "A"), "--reason"),
        (("disclosures", "4711", "--by", "A", "--reason", "B", "--since", "noon"), "no ISO 8601 date or time"),
    ],
)
def test_wrong_arguments_are_named_and_exit_2(arguments: tuple[str, ...], word: str) -> None:
    done = in_this_process(*arguments)
    assert (done.returncode, word in done.stderr) == (2, True), done.stderr


def test_a_service_without_settings_names_the_variable(neopain: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEOPAIN_BUS_URL", raising=False)
    process = neopain("scoring", "ticker")
    _, told = process.communicate(timeout=30)
    assert (process.returncode, "NEOPAIN_BUS_URL" in told) == (2, True), told


@pytest.mark.parametrize("part", [("scoring", "ticker"), ("ingest", "device"), ("ingest", "dicom")])
def test_a_service_of_pictures_and_sound_without_a_media_server_names_the_variable(
    neopain: Command, monkeypatch: pytest.MonkeyPatch, part: tuple[str, str]
) -> None:
    monkeypatch.setenv("NEOPAIN_BUS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("NEOPAIN_BUS_MEDIA_URLS", "[]")
    process = neopain(*part)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, "NEOPAIN_BUS_MEDIA_URLS: this process needs" in told) == (2, True), told
