"""``neopain fhir check``: whether the EHR of the settings can be charted to, by exit code and one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from neopain.cli import run


@pytest.fixture(autouse=True)
def database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", "postgresql+psycopg2://neopain@localhost/neopain")


def test_an_ehr_that_does_not_answer_is_told_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEOPAIN_CHARTING_EHR_URL", "http://127.0.0.1:1/fhir")

    assert run(["fhir", "check"]) == 1
    assert "GET metadata: ConnectError" in capsys.readouterr().err


def test_a_channel_that_can_be_charted_to_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("NEOPAIN_CHARTING_EHR_CHANNEL", "recorder")
    monkeypatch.setenv("NEOPAIN_CHARTING_RECORDER_FOLDER", str(tmp_path / "records"))

    assert run(["fhir", "check"]) == 0
    assert "can be charted to by recorder" in capsys.readouterr().out


def test_a_setting_that_is_missing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fhir", "check"]) == 2
    assert "NEOPAIN_CHARTING_EHR_URL is not set" in capsys.readouterr().err
