from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import pytest

from neopain.bus.bus import Bus
from neopain.bus.connection import BusAddress
from neopain.bus.streams import SCORES, VITALS, WINDOW_STREAMS
from neopain.domain.identity import recording_bed
from neopain.domain.media import FaceBox
from neopain.domain.score import Outcome, Score
from neopain.domain.vitals import VitalKind
from neopain.errors import BusUnavailable, InferenceUnavailable
from neopain.ingest.stream import replay
from neopain.ingest.stream.recording import open_recording
from neopain.ingest.stream.replay import TimedScore, score_recording

Write = Callable[..., Path]
BOX = FaceBox(0, 0, 40, 40)


class Scorer(Protocol):
    windows: list[Any]
    fault: Callable[[Score], Score | None]


async def test_every_second_of_the_longest_file_gets_its_score(
    bus: Bus, scorer: Scorer, write_wav: Write, write_mp4: Write
) -> None:
    report = await score_recording(bus, open_recording(video=write_mp4(2), audio=write_wav(4.5), face_box=BOX))
    assert [timed.seconds for timed in report.scores] == [1, 2, 3, 4]
    assert [timed.score.estimate.value for timed in report.scores if timed.score.estimate] == [3.0, 3.0, 3.0, 3.0]


async def test_a_window_has_all_sound_up_to_its_end_without_a_gap(bus: Bus, scorer: Scorer, write_wav: Write) -> None:
    await score_recording(bus, open_recording(audio=write_wav(6)))
    sound = scorer.windows[4].sound
    for (begin, length), (following, _) in pairwise(sound):
        assert begin + length / 16_000 == pytest.approx(following, abs=0.001)
    assert sound[0][0] == -5.0
    assert sound[-1][0] + sound[-1][1] / 16_000 >= 0.0


async def test_a_window_has_the_frames_of_its_last_two_seconds(bus: Bus, scorer: Scorer, write_mp4: Write) -> None:
    await score_recording(bus, open_recording(video=write_mp4(6), face_box=BOX))
    last_two = [seconds for seconds in scorer.windows[-1].frames if -2.001 <= seconds <= 0]
    assert len(last_two) == 15
    assert last_two[0] == pytest.approx(-2.0, abs=0.01)


async def test_windows_lie_where_the_hl7_values_lie_on_the_calendar(bus: Bus, scorer: Scorer, write_hl7: Write) -> None:
    report = await score_recording(bus, open_recording(hl7=[write_hl7(0, 1, 2, 3, 4)]))
    assert report.started == datetime(2026, 3, 2, 8, tzinfo=UTC)
    assert report.scores[0].score.window_end == datetime(2026, 3, 2, 8, 0, 1, tzinfo=UTC)
    assert scorer.windows[3].vitals == [-4.0, -3.0, -2.0, -1.0, 0.0]


async def test_what_no_window_needs_any_more_is_removed(bus: Bus, scorer: Scorer, write_wav: Write) -> None:
    await score_recording(bus, open_recording(audio=write_wav(30)))
    oldest = min(begin for begin, _ in scorer.windows[-1].sound)
    assert -14.5 < oldest < -10.0


async def test_nothing_of_a_recording_stays_on_the_streams(
    bus: Bus, scorer: Scorer, write_wav: Write, write_mp4: Write, write_hl7: Write
) -> None:
    recording = open_recording(video=write_mp4(2), audio=write_wav(2), hl7=[write_hl7(0, 1)], face_box=BOX)
    await score_recording(bus, recording)
    assert scorer.windows[-1].entries > 0
    for stream in WINDOW_STREAMS:
        assert await bus.read_range(stream, bed=recording.bed) == []


async def test_a_recording_is_no_active_bed(bus: Bus, scorer: Scorer, write_wav: Write) -> None:
    await score_recording(bus, open_recording(audio=write_wav(2)))
    assert await bus.active_beds(within=replay.SLOW_SPAN) == set()


async def test_a_long_silence_between_values_is_skipped(bus: Bus, scorer: Scorer, write_hl7: Write) -> None:
    report = await score_recording(bus, open_recording(hl7=[write_hl7(0, 7200, 7201)]))
    assert [timed.seconds for timed in report.scores] == [1, 2, 3, 7200, 7201]


async def test_a_baseline_is_published_for_each_minute_of_the_recording(
    bus: Bus, scorer: Scorer, write_hl7: Write
) -> None:
    await score_recording(bus, open_recording(hl7=[write_hl7(*range(0, 125, 5))]))
    (first, second) = scorer.windows[-1].baselines
    assert first.computed == datetime(2026, 3, 2, 8, 1, tzinfo=UTC)
    assert second.computed == datetime(2026, 3, 2, 8, 2, tzinfo=UTC)
    assert second.medians == {VitalKind.HEART_RATE: 150.0}
    assert second.span_seconds == 120.0


async def test_a_blood_pressure_goes_on_from_baseline_to_baseline_for_an_hour(
    bus: Bus, scorer: Scorer, write_hl7: Write
) -> None:
    path = write_hl7(0, *range(1000, 1081, 5))
    mean = "OBX|2|NM|150023^MDC_PRESS_BLD_NONINV_MEAN^MDC|2|42|266016^MDC_DIM_MMHG^MDC|||||R|||20260302080000+0000\n"
    first, _, rest = path.read_text().partition("MSH|^~\\&|MON|WARD|||20260302081640")
    path.write_text(f"{first}{mean}MSH|^~\\&|MON|WARD|||20260302081640{rest}")
    await score_recording(bus, open_recording(hl7=[path]))
    (baseline,) = scorer.windows[-1].baselines
    assert baseline.computed == datetime(2026, 3, 2, 8, 18, tzinfo=UTC)
    assert baseline.pressure is not None
    assert baseline.pressure.value == 42.0


async def test_a_window_without_a_number_is_reported_with_its_reason(
    bus: Bus, scorer: Scorer, write_wav: Write
) -> None:
    scorer.fault = lambda score: replace(score, outcome=Outcome.MISSED, estimate=None, reason="too-late")
    report = await score_recording(bus, open_recording(audio=write_wav(1)))
    assert [(timed.score.outcome, timed.score.reason) for timed in report.scores] == [(Outcome.MISSED, "too-late")]


async def test_scores_of_other_beds_are_not_taken(bus: Bus, scorer: Scorer, write_wav: Write) -> None:
    await score_recording(bus, open_recording(audio=write_wav(2)))
    report = await score_recording(bus, open_recording(audio=write_wav(1)))
    assert len(report.scores) == 1
    assert len(await bus.read_range(SCORES)) == 3


async def test_each_score_is_told_as_it_comes(bus: Bus, scorer: Scorer, write_wav: Write) -> None:
    heard: list[TimedScore] = []
    report = await score_recording(bus, open_recording(audio=write_wav(3)), on_score=heard.append)
    assert heard == list(report.scores)


async def test_without_a_scoring_worker_the_reader_is_told(
    bus: Bus, write_wav: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "PATIENCE_SECONDS", 0.2)
    recording = open_recording(audio=write_wav(3))
    with pytest.raises(InferenceUnavailable, match=r"no score for the window at 1 s within 0\.2 s"):
        await score_recording(bus, recording)
    for stream in WINDOW_STREAMS:
        assert await bus.read_range(stream, bed=recording.bed) == []


async def test_without_a_bus_the_reader_is_told(write_wav: Write) -> None:
    bus = Bus(BusAddress("redis://127.0.0.1:1/0", ("redis://127.0.0.1:1/0",)))
    with pytest.raises(BusUnavailable):
        await score_recording(bus, open_recording(audio=write_wav(1)))
    await bus.aclose()


async def test_what_an_interrupted_recording_leaves_on_the_bus_goes_by_itself(bus: Bus) -> None:
    bed = recording_bed("interrupted")
    await bus.publish(VITALS, b"", bed=bed)
    left_ms = await bus.durable.pttl(bus.stream_key(VITALS, bed))
    assert 0 < left_ms <= 3_600_000
