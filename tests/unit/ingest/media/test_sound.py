from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from neopain.domain.identity import BedId, SourceId
from neopain.domain.media import AudioChunk
from neopain.domain.time import TimeQuality, Timing
from neopain.ingest.media.sound import SoundTrack, frame_of_pcm

TimingAt = Callable[[float], Timing]


def tone(*, rate_hz: int, seconds: float, hz: float = 440.0) -> NDArray[np.int16]:
    return np.round(10_000 * np.sin(2 * np.pi * hz * np.arange(int(rate_hz * seconds)) / rate_hz)).astype(np.int16)


def samples(chunks: Sequence[AudioChunk]) -> NDArray[np.int16]:
    return np.concatenate([np.frombuffer(chunk.pcm, "<i2") for chunk in chunks])


@pytest.fixture
def track() -> SoundTrack:
    return SoundTrack(BedId("NICU/1/1"), SourceId("device", "mic"))


def send(
    track: SoundTrack, sound: NDArray[np.int16], timing_at: TimingAt, *, rate_hz: int, chunk: int, begins: float = 0.0
) -> list[AudioChunk]:
    chunks: list[AudioChunk] = []
    for start in range(0, len(sound), chunk):
        pcm = sound[start : start + chunk].tobytes()
        chunks += track.take(frame_of_pcm(pcm, rate_hz=rate_hz), timing_at(begins + start / rate_hz))
    return chunks


@pytest.mark.parametrize(
    ("rate_hz", "chunk"), [(8_000, 777), (11_025, 1_000), (22_050, 2_205), (44_100, 441), (48_000, 4_801)]
)
def test_a_tone_stays_the_same_tone_across_the_borders_of_chunks(
    track: SoundTrack, timing_at: TimingAt, rate_hz: int, chunk: int
) -> None:
    found = samples(send(track, tone(rate_hz=rate_hz, seconds=2), timing_at, rate_hz=rate_hz, chunk=chunk))
    expected = tone(rate_hz=16_000, seconds=2)[: len(found)]
    assert len(found) > 31_900
    assert np.abs(found[200:].astype(int) - expected[200:]).max() < 30


def test_sound_at_16_khz_passes_unchanged(track: SoundTrack, timing_at: TimingAt) -> None:
    sound = tone(rate_hz=16_000, seconds=1)
    chunks = send(track, sound, timing_at, rate_hz=16_000, chunk=1_600) + track.finish()
    assert np.array_equal(samples(chunks), sound)


def test_the_time_of_a_chunk_is_that_of_its_first_sample(track: SoundTrack, timing_at: TimingAt) -> None:
    chunks = send(track, tone(rate_hz=8_000, seconds=1), timing_at, rate_hz=8_000, chunk=800)
    before = 0
    for chunk in chunks:
        assert chunk.timing.aligned == timing_at(before / 16_000).aligned
        before += len(chunk.pcm) // 2


def test_a_click_keeps_its_place_in_time(track: SoundTrack, timing_at: TimingAt) -> None:
    sound = np.zeros(48_000, np.int16)
    sound[24_000] = 30_000
    found = samples(send(track, sound, timing_at, rate_hz=48_000, chunk=4_800))
    assert int(np.abs(found.astype(int)).argmax()) == 8_000


def test_jitter_of_the_chunks_times_does_not_tear_the_sound(track: SoundTrack, timing_at: TimingAt) -> None:
    first = track.take(frame_of_pcm(bytes(3_200), rate_hz=16_000), timing_at(0))
    second = track.take(frame_of_pcm(bytes(3_200), rate_hz=16_000), timing_at(0.115))
    assert first[0].timing.aligned + timedelta(seconds=0.1) == second[0].timing.aligned


def test_after_a_gap_the_sound_lies_at_its_own_time(track: SoundTrack, timing_at: TimingAt) -> None:
    track.take(frame_of_pcm(bytes(3_200), rate_hz=16_000), timing_at(0))
    later = track.take(frame_of_pcm(bytes(3_200), rate_hz=16_000), timing_at(5))
    assert [chunk.timing.aligned for chunk in later] == [timing_at(5).aligned]


def test_what_was_held_back_before_a_gap_is_not_lost(track: SoundTrack, timing_at: TimingAt) -> None:
    first = track.take(frame_of_pcm(bytes(16_000), rate_hz=8_000), timing_at(0))
    rest = track.take(frame_of_pcm(bytes(16_000), rate_hz=8_000), timing_at(5))
    before_gap = [*first, *[chunk for chunk in rest if chunk.timing.aligned < timing_at(2).aligned]]
    assert len(samples(before_gap)) == 16_000


def test_a_change_of_rate_begins_anew(track: SoundTrack, timing_at: TimingAt) -> None:
    track.take(frame_of_pcm(bytes(3_200), rate_hz=16_000), timing_at(0))
    chunks = track.take(frame_of_pcm(bytes(9_600), rate_hz=48_000), timing_at(0.1)) + track.finish()
    assert len(samples(chunks)) == 1_600


def test_receive_times_may_jitter_more_than_a_source_clock(track: SoundTrack, timing_at: TimingAt) -> None:
    def received(seconds: float) -> Timing:
        moment = timing_at(seconds).aligned
        return Timing(moment, moment, TimeQuality.NO_SOURCE_TIME)

    first = track.take(frame_of_pcm(bytes(3_200), rate_hz=16_000), received(0))
    second = track.take(frame_of_pcm(bytes(3_200), rate_hz=16_000), received(0.4))
    assert second[0].timing.aligned - first[0].timing.aligned == timedelta(seconds=0.1)


def test_long_sound_is_cut_into_seconds(track: SoundTrack, timing_at: TimingAt) -> None:
    chunks = track.take(frame_of_pcm(bytes(2 * 40_000), rate_hz=16_000), timing_at(0))
    assert [len(chunk.pcm) // 2 for chunk in chunks] == [16_000, 16_000, 8_000]
    assert chunks[2].timing.aligned == timing_at(2).aligned


def test_stereo_in_floating_point_is_mixed_to_mono(track: SoundTrack, timing_at: TimingAt) -> None:
    both = np.stack([np.full(16_000, 0.5, np.float32), np.zeros(16_000, np.float32)])
    frame = av.AudioFrame.from_ndarray(both, format="fltp", layout="stereo")
    frame.sample_rate = 16_000
    chunks = track.take(frame, timing_at(0)) + track.finish()
    assert samples(chunks)[8_000] == pytest.approx(8_192, abs=2)
