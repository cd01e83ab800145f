from __future__ import annotations

import numpy as np
import pytest

from neopain.features.loudness import FLOOR_DBFS, Level, SoundCondition, SoundWatch, level_of


def test_a_sine_of_full_scale_is_3_db_below_a_square_of_it() -> None:
    sine = np.sin(np.arange(16_000, dtype=np.float32) * 0.1)
    assert level_of(sine).rms_dbfs == pytest.approx(-3.01, abs=0.01)


def test_digital_silence_lies_on_the_floor() -> None:
    assert level_of(np.zeros(16_000, np.float32)) == Level(FLOOR_DBFS, 0.0)


def test_samples_at_either_end_of_the_scale_are_clipped() -> None:
    assert level_of(np.array([1.0, -1.0, 0.5, 0.0], np.float32)).clipped_share == 0.5


def test_a_quiet_room_is_live() -> None:
    watch = SoundWatch()
    assert {watch.judge(Level(-75.0, 0.0)) for _ in range(60)} == {SoundCondition.LIVE}


def test_half_a_minute_of_nothing_but_zeros_is_a_silent_microphone_until_it_sounds() -> None:
    watch = SoundWatch()
    judged = [watch.judge(Level(FLOOR_DBFS, 0.0)) for _ in range(30)]
    assert judged == [SoundCondition.LIVE] * 29 + [SoundCondition.SILENT]
    assert watch.judge(Level(-60.0, 0.0)) is SoundCondition.LIVE


def test_a_second_of_which_more_than_a_hundredth_is_clipped_is_clipped() -> None:
    watch = SoundWatch()
    assert watch.judge(Level(-3.0, 0.01)) is SoundCondition.LIVE
    assert watch.judge(Level(-3.0, 0.02)) is SoundCondition.CLIPPED
