from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from neopain.domain.identity import BedId, SourceId
from neopain.domain.media import AudioChunk
from neopain.domain.time import TimeQuality, Timing
from neopain.ingest.media.gathering import SoundGathering

from ...conftest import START, timing_of

TimingAt = Callable[[float], Timing]


def chunk(timing: Timing, samples: int, *, value: int = 1) -> AudioChunk:
    return AudioChunk(BedId("NICU/1/1"), SourceId("camera", "cam"), timing, bytes([value, 0]) * samples)


def test_pieces_that_follow_each_other_are_joined_to_a_tenth_of_a_second(timing_at: TimingAt) -> None:
    gathering = SoundGathering()
    ready = [one for number in range(7) for one in gathering.add(chunk(timing_at(number * 0.02), 320))]
    assert [(one.timing.aligned, len(one.pcm)) for one in ready] == [(timing_at(0).aligned, 3200)]
    assert [len(one.pcm) for one in gathering.finish()] == [1280]


def test_a_joined_chunk_was_received_with_its_last_piece(timing_at: TimingAt) -> None:
    gathering = SoundGathering()
    gathering.add(chunk(timing_at(0), 800))
    (joined,) = gathering.add(chunk(timing_at(0.05), 800))
    assert (joined.timing.aligned, joined.timing.received) == (timing_at(0).aligned, timing_at(0.05).received)


def test_a_gap_is_not_bridged(timing_at: TimingAt) -> None:
    gathering = SoundGathering()
    gathering.add(chunk(timing_at(0), 320))
    assert [one.timing.aligned for one in gathering.add(chunk(timing_at(1), 320))] == [timing_at(0).aligned]


def test_sound_before_and_after_the_camera_tells_its_time_is_not_joined(timing_at: TimingAt) -> None:
    gathering = SoundGathering()
    gathering.add(chunk(replace(timing_at(0), quality=TimeQuality.NO_SOURCE_TIME), 320))
    assert len(gathering.add(chunk(timing_at(0.02), 320))) == 1


@given(st.lists(st.integers(1, 4_000), max_size=30))
def test_no_sample_is_lost_or_moved(lengths: list[int]) -> None:
    gathering, begin, ready = SoundGathering(), 0, []
    for length in lengths:
        ready += gathering.add(chunk(timing_of(begin / 16_000), length))
        begin += length
    ready += gathering.finish()
    assert sum(len(one.pcm) // 2 for one in ready) == sum(lengths)
    ends = [(one.timing.aligned - START).total_seconds() * 16_000 + len(one.pcm) // 2 for one in ready]
    begins = [(one.timing.aligned - START).total_seconds() * 16_000 for one in ready]
    assert all(abs(end - begin) < 1 for end, begin in zip(ends, begins[1:], strict=False))
