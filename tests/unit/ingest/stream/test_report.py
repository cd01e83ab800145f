from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from neopain.domain.identity import recording_bed
from neopain.domain.score import Estimate, Modality, ModelVersion, Outcome, Presence, Score, Weights
from neopain.ingest.stream.recording import RecordedFile
from neopain.ingest.stream.replay import RecordingReport, TimedScore
from neopain.ingest.stream.report import NOTICE, as_json_object, as_table

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
PRESENCES = (
    Presence(Modality.FACE, False, reason="no-face-box"),
    Presence(Modality.CRY, True, 1.0),
    Presence(Modality.PHYSIOLOGY, False, reason="no-monitor"),
    Presence(Modality.MOVEMENT, True, 1.0),
)


def timed(
    seconds: int, estimate: Estimate | None, *, reason: str = "", weights: Weights = Weights.UNTRAINED
) -> TimedScore:
    outcome = Outcome.SCORED if estimate else Outcome.ABSTAINED
    end = START + timedelta(seconds=seconds)
    model = ModelVersion("neopain-1", weights)
    return TimedScore(seconds, Score(recording_bed("x"), end, outcome, model, PRESENCES, end, estimate, reason))


@pytest.fixture
def report() -> RecordingReport:
    return RecordingReport(
        started=START,
        files=(RecordedFile("video", Path("cot.mp4"), 0.0), RecordedFile("audio", Path("cry.wav"), 1.5)),
        scores=(timed(1, None, reason="too-little-data"), timed(61, Estimate(4.26, 2.0, 6.71))),
        notes=("cry.wav: the sound breaks off (end of file)",),
    )


def test_the_table_shows_time_score_interval_present_and_absent(report: RecordingReport) -> None:
    lines = as_table(report).splitlines()
    rows = [line for line in lines if line.strip().startswith(("0:01 ", "1:01 "))]
    assert "none (too-little-data)" in rows[0]
    assert "4.3  [2.0-6.7]" in rows[1]
    assert "cry, movement" in rows[1]
    assert rows[1].endswith("face: no-face-box; physiology: no-monitor")


@pytest.mark.parametrize("weights", Weights)
def test_the_columns_of_the_table_begin_below_one_another_and_never_touch(
    report: RecordingReport, weights: Weights
) -> None:
    scores = (timed(3599, None), timed(3600, Estimate(9.99, 3.0, 10.0), weights=weights))
    lines = as_table(replace(report, scores=scores)).splitlines()
    rows = [line for line in lines if line.lstrip().startswith(("time ", "59:59 ", "60:00 "))]
    for first in ("score of 10", "present", "absent"):
        column = rows[0].index(first)
        assert [row[column - 2 : column] for row in rows] == ["  ", "  ", "  "]
        assert all(row[column] != " " for row in rows)


def test_the_table_says_what_the_weights_are_worth_and_that_it_is_investigational(report: RecordingReport) -> None:
    table = as_table(report)
    assert "model neopain-1, weights: untrained" in table
    assert table.endswith(NOTICE)


def test_the_table_names_the_files_and_what_could_not_be_used(report: RecordingReport) -> None:
    lines = as_table(report).splitlines()
    assert "audio cry.wav  (begins at 0:01.5)" in lines
    assert "note: cry.wav: the sound breaks off (end of file)" in lines


def test_the_json_object_says_the_same_to_a_machine(report: RecordingReport) -> None:
    found = json.loads(json.dumps(as_json_object(report)))
    assert found["files"][1] == {"role": "audio", "path": "cry.wav", "begins_seconds": 1.5}
    assert found["scores"][1] == {
        "seconds": 61,
        "window_end": "2026-03-02T08:01:01+00:00",
        "outcome": "scored",
        "score": 4.26,
        "low": 2.0,
        "high": 6.71,
        "present": ["cry", "movement"],
        "absent": {"face": "no-face-box", "physiology": "no-monitor"},
        "model": "neopain-1",
        "weights": "untrained",
        "by_modality": {},
        "attention": {},
        "distance": 0.0,
    }
    assert found["charted"] is False


def test_a_window_without_a_number_has_null_and_a_reason_in_json(report: RecordingReport) -> None:
    first = as_json_object(report)["scores"][0]
    assert (first["score"], first["outcome"], first["reason"]) == (None, "abstained", "too-little-data")
