"""Infants are known again by their recordings, and no two are taken for one."""

from __future__ import annotations

import os
import shutil
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neopain.domain.annotation import Availability, Recorded, Segment, Subject
from neopain.training.fingerprints import fingerprints, noted, read_note


def segment(infant: str, number: int, recorded: dict[Recorded, Availability]) -> Segment:
    return Segment(Subject(infant, "north"), "s", f"{infant}-{number}", 0.0, 30.0, recorded, ())


def sound(path: Path, *, seed: int | None) -> Availability:
    """Noise of that seed, or silence."""
    samples = np.zeros(16_000, "<i2") if seed is None else np.random.default_rng(seed).integers(-9000, 9000, 16_000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.astype("<i2").tobytes())
    return Availability(path.name)


@pytest.fixture
def segments(tmp_path: Path) -> list[Segment]:
    """Two infants, each heard twice."""
    return [
        segment(infant, number, {Recorded.AUDIO: sound(tmp_path / f"{infant}-{number}.wav", seed=seed + number)})
        for infant, seed in (("a", 10), ("b", 20))
        for number in range(2)
    ]


def test_copied_later_and_told_of_otherwise_they_are_the_same(segments: list[Segment], tmp_path: Path) -> None:
    copied = shutil.copytree(tmp_path, tmp_path / "copied")
    for path in copied.iterdir():
        os.utime(path, (1, 1))
    renamed = [replace(one, subject=Subject(one.subject.id * 2, "south"), id=f"x{one.id}") for one in segments]

    found = fingerprints(segments, tmp_path)

    assert len(found) == 2
    assert fingerprints(renamed, copied) == found
    assert fingerprints(segments[2:], tmp_path) < found


def test_two_who_are_silent_alike_are_not_one(tmp_path: Path) -> None:
    recorded = {Recorded.AUDIO: sound(tmp_path / "silence.wav", seed=None)}
    assert fingerprints([segment("a", 1, recorded), segment("b", 1, recorded)], tmp_path) == frozenset()


def test_a_file_that_is_not_there_or_cannot_be_read_is_none(segments: list[Segment], tmp_path: Path) -> None:
    gone = {Recorded.VIDEO: Availability("gone.mp4"), Recorded.VITALS: Availability(reason="lost")}
    more = [replace(one, recorded=one.recorded | gone) for one in segments]
    assert fingerprints(more, tmp_path) == fingerprints(segments, tmp_path)


def test_what_is_noted_is_read_again() -> None:
    assert read_note(noted({"b1", "a2"})) == {"a2", "b1"}
    assert read_note({"data": "x"}) == read_note({"fingerprints": 7}) == frozenset()
