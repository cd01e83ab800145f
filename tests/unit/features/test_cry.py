"""CRY: where the samples lie, what is filled, and when there is too little."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

from neopain.domain.score import Modality, Presence
from neopain.domain.time import TimeQuality
from neopain.features.cry import cry_window

RATE = 16_000


def test_ten_seconds_fill_the_window(chunk: Any, end: datetime) -> None:
    cry = cry_window([chunk(age=10 - index / 2, seconds=0.5) for index in range(20)], end)
    assert cry.presence == Presence(Modality.CRY, True, 1.0)
    assert (cry.samples == 0.5).all()


def test_the_samples_are_float32_from_minus_one_to_one(chunk: Any, end: datetime) -> None:
    cry = cry_window([chunk(age=10, seconds=5, level=-32768), chunk(age=5, seconds=5, level=32767)], end)
    assert cry.samples.dtype == np.float32
    assert (cry.samples.min(), cry.samples.max()) == (-1.0, np.float32(32767 / 32768))


def test_a_sample_lies_at_its_time(chunk: Any, end: datetime) -> None:
    cry = cry_window([chunk(age=4, seconds=3), chunk(age=1, seconds=1, level=8192)], end)
    assert cry.samples[[6 * RATE - 1, 6 * RATE, 9 * RATE - 1, 9 * RATE]].tolist() == [0.0, 0.5, 0.5, 0.25]


def test_a_chunk_that_began_before_the_window_is_cut(chunk: Any, end: datetime) -> None:
    cry = cry_window([chunk(age=10.25, seconds=5)], end)
    assert cry.samples[[0, int(4.75 * RATE) - 1, int(4.75 * RATE)]].tolist() == [0.5, 0.5, 0.0]


def test_a_chunk_that_goes_on_after_the_window_is_cut(chunk: Any, end: datetime) -> None:
    cry = cry_window([chunk(age=4, seconds=5)], end)
    assert cry.presence == Presence(Modality.CRY, True, 0.4)


def test_a_gap_stays_zero_and_is_counted(chunk: Any, end: datetime) -> None:
    cry = cry_window([chunk(age=10, seconds=4), chunk(age=5, seconds=5)], end)
    assert cry.presence.coverage == 0.9
    assert not cry.samples[4 * RATE : 5 * RATE].any()


def test_a_seam_of_ten_milliseconds_is_bridged(chunk: Any, end: datetime) -> None:
    cry = cry_window([chunk(age=10, seconds=5), chunk(age=4.99, seconds=4.99, level=0)], end)
    assert cry.presence.coverage == 1.0
    assert cry.samples[5 * RATE + 80] == np.float32(0.5 * (1 - 81 / 161))


def test_a_gap_of_eleven_milliseconds_is_not_bridged(chunk: Any, end: datetime) -> None:
    cry = cry_window([chunk(age=10, seconds=5), chunk(age=4.989, seconds=4.989)], end)
    assert not cry.samples[5 * RATE : 5 * RATE + 176].any()
    assert cry.presence.coverage < 1.0


def test_three_seconds_are_enough(chunk: Any, end: datetime) -> None:
    assert cry_window([chunk(age=3, seconds=3)], end).presence == Presence(Modality.CRY, True, 0.3)


def test_less_than_three_seconds_are_too_little(chunk: Any, end: datetime) -> None:
    cry = cry_window([chunk(age=2.9, seconds=2.9)], end)
    assert cry.presence == Presence(Modality.CRY, False, 0.29, "too-little-data")
    assert not cry.samples.any()


def test_digital_silence_is_present(chunk: Any, end: datetime) -> None:
    cry = cry_window([chunk(age=10, seconds=10, level=0)], end)
    assert cry.presence == Presence(Modality.CRY, True, 1.0)


def test_no_chunk_is_no_microphone(end: datetime) -> None:
    assert cry_window([], end).presence == Presence(Modality.CRY, False, 0.0, "no-microphone")


def test_a_microphone_whose_clock_is_unusable_is_absent(chunk: Any, end: datetime) -> None:
    cry = cry_window([chunk(age=10, seconds=10, quality=TimeQuality.UNUSABLE)], end)
    assert cry.presence == Presence(Modality.CRY, False, 0.0, "clock-unusable")


def test_two_microphones_are_not_mixed(chunk: Any, end: datetime) -> None:
    whole = chunk(age=10, seconds=10, microphone="b")
    partial = chunk(age=10, seconds=4, level=1000, microphone="a")
    assert (cry_window([whole, partial], end).samples == 0.5).all()


def test_sound_outside_the_window_is_not_heard(chunk: Any, end: datetime) -> None:
    cry = cry_window([chunk(age=12, seconds=2), chunk(age=0, seconds=2)], end)
    assert cry.presence.reason == "no-microphone"
