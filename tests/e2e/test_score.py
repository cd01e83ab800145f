"""``neopain score`` with a simulated infant's files: the same line as the demo's, and nothing charted."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from neopain.simulator.infant import simulated_infant
from neopain.simulator.recording import Recording, write_recording

from .conftest import SERVICES

Command = Callable[..., "subprocess.Popen[str]"]
RECORDED_SECONDS = 5
LIMIT_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the command."""

    code: int
    result: dict[str, Any]
    told: str
    state: Path

    @property
    def last(self) -> dict[str, Any]:
        """The last second's window."""
        last: dict[str, Any] = self.result["scores"][-1]
        return last


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Five seconds of an infant at rest: every modality is present from three seconds on."""
    started = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    return write_recording(
        simulated_infant(1, 1), tmp_path_factory.mktemp("recording"), RECORDED_SECONDS, started=started
    )


@pytest.fixture(scope="module")
def score(neopain: Command, recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Scores those files of the recording that are named, with the code of a checkout."""
    box = ",".join(
        str(side) for side in (recording.face.x, recording.face.y, recording.face.width, recording.face.height)
    )
    files = {
        "video": ("--video", str(recording.video), "--face-box", box),
        "audio": ("--audio", str(recording.audio)),
        "hl7": ("--hl7", str(recording.hl7)),
    }

    def run(*names: str, services: Path = SERVICES) -> Run:
        state = tmp_path_factory.mktemp("score")
        given = [argument for name in names for argument in files[name]]
        process = neopain("score", *given, "--json", "--state", str(state), services=services)
        out, told = process.communicate(timeout=LIMIT_SECONDS)
        assert process.returncode == 0, told
        return Run(process.returncode, json.loads(out.splitlines()[-1]), told, state)

    return run


@pytest.fixture(scope="module")
def whole(score: Callable[..., Run]) -> Run:
    """All three files."""
    return score("video", "audio", "hl7")


def test_every_second_is_scored_once(whole: Run) -> None:
    assert [one["seconds"] for one in whole.result["scores"]] == [1, 2, 3, 4, 5]


def test_all_four_modalities_are_present_in_the_end(whole: Run) -> None:
    assert whole.last["outcome"] == "scored"
    assert (whole.last["present"], whole.last["absent"]) == (["face", "cry", "physiology", "movement"], {})


def test_a_score_has_an_interval_around_it(whole: Run) -> None:
    assert 0 <= whole.last["low"] <= whole.last["score"] <= whole.last["high"] <= 10


def test_each_score_says_what_its_weights_were_trained_on(whole: Run) -> None:
    assert {one["weights"] for one in whole.result["scores"]} == {"trained on the simulator"}


def test_nothing_is_charted_and_nothing_is_there_to_chart_to(whole: Run) -> None:
    assert whole.result["charted"] is False
    assert {log.stem for log in (whole.state / "logs").iterdir()} == {"bus", "media-0", "triton", "scoring-worker"}


def test_a_file_that_is_not_given_is_an_absence_with_a_reason(
    score: Callable[..., Run], stand_in_services: Path
) -> None:
    run = score("hl7", services=stand_in_services)
    absent = {"face": "no-camera", "movement": "no-camera", "cry": "no-microphone"}
    assert (run.last["outcome"], run.last["absent"]) == ("scored", absent)
