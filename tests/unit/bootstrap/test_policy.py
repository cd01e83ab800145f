"""The policy as ``neopain policy`` shows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neopain.bootstrap.policy import show_policy

FILE = """
name = "p1"

[site.episode]
threshold_by_age = { "<28" = 4.3 }

[[unit]]
name = "NICU"
interval_minutes = 30
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_a_files_policies_are_shown_with_their_equivalents_of_nips(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show_policy(file=file, bed="", as_json=False) == 0

    assert capsys.readouterr().out.splitlines()[:3] == [
        "site: policy p1",
        "  summary         every 15 min, written 20 s after its end",
        "  episode         from 5.0 (NIPS 3.5); <28 weeks 4.3 (NIPS 3.0), held for 10 s",
    ]


def test_the_policy_of_one_bed_is_that_of_its_unit(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_policy(file=file, bed="NICU/1/A@EAST", as_json=True)

    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told["where"], told["name"], told["interval"]) == ("bed NICU/1/A@EAST", "p1/NICU", "PT30M")


def test_without_a_file_it_is_the_one_in_force(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", "postgresql+psycopg2://neopain@localhost/neopain")
    monkeypatch.setenv("NEOPAIN_CHARTING_POLICY_FILE", str(file))

    show_policy(file=None, bed="", as_json=False)

    assert [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")] == [
        "site: policy p1",
        "unit NICU: policy p1/NICU",
    ]


def test_alerts_are_shown_where_there_are_any(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_policy(file=file, bed="", as_json=False)
    assert "  alerts          none" in capsys.readouterr().out.splitlines()
    file.write_text(f"{FILE}\nalert.enabled = true", encoding="utf-8")

    show_policy(file=file, bed="NICU/1/A", as_json=False)

    assert capsys.readouterr().out.splitlines()[10:] == [
        "  alert mild      from 3.6 (NIPS 2.5), held for 2 min",
        "  alert moderate  from 5.0 (NIPS 3.5), held for 1 min",
        "  alert severe    from 6.4 (NIPS 4.5), held for 20 s",
        "  alert's end     1.4 below mild; the next one 5 min later, or higher",
        "  sustained       after 10 min",
        "  escalated       2 times, each after 5 min unanswered",
        "  snoozed         for at most 10 min",
    ]


def test_study_mode_is_shown_where_it_is_on(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(f"{FILE}\nstudy.enabled = true", encoding="utf-8")

    show_policy(file=file, bed="NICU/1/A", as_json=False)

    line = "  study mode      no EHR gets a number, no nurse one, a pair before one has scored"
    assert capsys.readouterr().out.splitlines()[10:] == [line, "  alerts          none"]
