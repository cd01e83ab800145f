"""``neopain demo`` as a newcomer runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from neopain.dashboard.links import Links
from neopain.embedded.state import StateFolder

from ..ehr_packages import share_ehr_packages
from ..servers import trusted
from .conftest import in_this_process

Command = Callable[..., "subprocess.Popen[str]"]
Descendants = Callable[[int], dict[int, str]]
START_SECONDS = 90


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory, state_dir: Path) -> Path:
    """Of all runs here, one after the other."""
    folder = tmp_path_factory.mktemp("demo")
    share_ehr_packages(state_dir, StateFolder(folder))
    return folder


@pytest.fixture(scope="module")
def finished(neopain: Command, state: Path) -> tuple[int, dict[str, Any], str]:
    """One unattended run of 20 s: exit code, summary, what was told.

    Another where the machine was too busy to score a single window of them.
    """
    for _ in range(3):
        process = neopain("demo", "--seconds", "20", "--json", "--no-dashboard", "--state", str(state))
        out, told = process.communicate(timeout=START_SECONDS + 60)
        assert process.returncode in {0, 1}, told
        summary: dict[str, Any] = json.loads(out.splitlines()[-1])
        if summary["scores"]:
            break
    return process.returncode, summary, told


def test_every_bed_is_charted_in_the_ehr_and_the_audit_holds(finished: tuple[int, dict[str, Any], str]) -> None:
    code, summary, told = finished
    assert (code, summary["beds"], summary["beds_charted"], summary["audit_verified"]) == (0, 2, 2, True), told


def test_each_entry_is_one_observation_in_the_ehr(finished: tuple[int, dict[str, Any], str]) -> None:
    _, summary, _ = finished
    assert summary["observations_in_ehr"] == summary["entries"] > 0


def test_triton_itself_counts_an_inference_for_each_score(finished: tuple[int, dict[str, Any], str]) -> None:
    _, summary, _ = finished
    assert summary["triton_inferences"] >= summary["scores"] > 0
    # Both beds have a window a second; beside other tests some come too late, and are told as missed.
    assert summary["scores"] + summary["missed"] >= 20


def test_everything_the_ward_sent_has_arrived(finished: tuple[int, dict[str, Any], str]) -> None:
    _, summary, _ = finished
    # Two beds: about one message a second each, 7.5 frames a second each, sound throughout.
    assert summary["hl7_acknowledged"] >= 24
    assert summary["frames"] >= 144
    assert summary["audio_seconds"] >= 24


def test_the_demo_says_what_its_weights_are_worth(finished: tuple[int, dict[str, Any], str]) -> None:
    _, summary, _ = finished
    assert summary["weights"] == "trained on the simulator"


@dataclass(frozen=True)
class Interrupted:
    """A run whose EHR was killed and that was then ended by Ctrl-C."""

    code: int
    summary: dict[str, Any]
    told: str
    left: list[int]
    infants: int
    """Whom the FHIR API told of, before."""
    seen: int
    """Whom somebody saw who had signed in to the dashboard."""


@pytest.fixture(scope="module")
def interrupted(neopain: Command, descendants: Descendants, state: Path, stand_in_services: Path) -> Interrupted:
    """The EHR dies once everything runs; then the person presses Ctrl-C."""
    run = neopain("demo", "--beds", "1", "--json", "--state", str(state), services=stand_in_services)
    with _not_left_behind(run) as process:
        _await_descendant(process, descendants, "scoring ticker")
        family = descendants(process.pid)
        infants = _infants_by_api(state)
        seen = _infants_by_dashboard(state)
        os.kill(_await_descendant(process, descendants, "server.mjs"), signal.SIGKILL)
        process.send_signal(signal.SIGINT)
        out, told = process.communicate(timeout=60)
    left = [pid for pid in family if _is_alive(pid)]
    return Interrupted(process.returncode, json.loads(out.splitlines()[-1]), told, left, infants, seen)


def test_with_the_ehr_dead_the_demo_fails(interrupted: Interrupted) -> None:
    assert (interrupted.code, interrupted.summary["observations_in_ehr"]) == (1, 0), interrupted.told


def test_the_fhir_api_answers_a_token_made_as_the_demo_says(interrupted: Interrupted) -> None:
    assert interrupted.infants == 1
    assert "fhir-api.env; ./neopain api token" in interrupted.told


def test_the_dashboard_lets_in_by_a_link_that_only_the_person_is_told(interrupted: Interrupted) -> None:
    assert interrupted.seen == 1
    assert "/sign-in/once/" in interrupted.told
    assert "sign-in" not in json.dumps(interrupted.summary)


def test_ctrl_c_leaves_no_process_behind(interrupted: Interrupted) -> None:
    assert interrupted.left == []


def test_kill_9_of_the_demo_leaves_no_process_behind(
    neopain: Command, descendants: Descendants, state: Path, stand_in_services: Path
) -> None:
    run = neopain("demo", "--beds", "1", "--no-dashboard", "--state", str(state), services=stand_in_services)
    with _not_left_behind(run) as process:
        # All servers and services are there but the ticker and what comes after it.
        _await_descendant(process, descendants, "charting beat")
        family = descendants(process.pid)
    deadline = time.monotonic() + 20
    while (left := {pid: line for pid, line in family.items() if _is_alive(pid)}) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == {}


@contextmanager
def _not_left_behind(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Kills it in the end, whatever became of the test."""
    with process:
        try:
            yield process
        finally:
            process.kill()


def _infants_by_api(state: Path) -> int:
    """How many Patients the demo's API has; its token comes from the file that the demo names."""
    settings = _told_settings(state)
    with pytest.MonkeyPatch.context() as environment:
        for name, value in settings.items():
            environment.setenv(name, value)
        token = in_this_process("api", "token").stdout.strip()
    url = f"http://127.0.0.1:{settings['NEOPAIN_CHARTING_API_PORT']}/fhir/R4/Patient"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30, verify=trusted())
    return len(answer.json()["entry"])


def _infants_by_dashboard(state: Path) -> int:
    """How many Patients the dashboard passes on to somebody who came by a link."""
    settings = _told_settings(state)
    url = f"http://127.0.0.1:{settings['NEOPAIN_DASHBOARD_PORT']}"
    links = Links(Path(settings["NEOPAIN_DASHBOARD_LINKS"]), timedelta(minutes=1))
    with httpx.Client(timeout=30, verify=trusted()) as browser:
        browser.get(links.make(url, now=datetime.now(UTC)), follow_redirects=False)
        return len(browser.get(f"{url}/fhir/Patient").json()["entry"])


def _told_settings(state: Path) -> dict[str, str]:
    deadline = time.monotonic() + START_SECONDS
    while not (told := state / "fhir-api.env").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    return dict(line.partition("=")[::2] for line in told.read_text().splitlines())


def _await_descendant(process: subprocess.Popen[str], descendants: Descendants, words: str) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        for pid, line in descendants(process.pid).items():
            if words in line and "guard.py" not in line:
                return pid
        time.sleep(0.1)
    process.kill()
    raise AssertionError(f"no process with {words!r} appeared: {process.communicate()[1]}")


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
