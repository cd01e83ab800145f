"""``neopain dashboard link``: an address, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from neopain.cli import run
from neopain.dashboard.links import PATH, Links
from neopain.errors import SignInRefused


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEOPAIN_DASHBOARD_PORT", "8123")
    monkeypatch.setenv("NEOPAIN_DASHBOARD_LINKS", str(tmp_path / "links"))


def test_it_prints_an_address_that_is_good_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["dashboard", "link"]) == 0

    address, word = capsys.readouterr().out.strip().split(PATH)
    links = Links(tmp_path / "links", timedelta(minutes=10))
    links.take(word, now=datetime.now(UTC))

    assert address == "http://127.0.0.1:8123"
    with pytest.raises(SignInRefused, match="used already"):
        links.take(word, now=datetime.now(UTC))


def test_only_its_user_may_enter_the_folder_and_no_link_stands_there(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run(["dashboard", "link"])

    (kept,) = (tmp_path / "links").iterdir()
    assert (tmp_path / "links").stat().st_mode & 0o777 == 0o700
    assert kept.name not in capsys.readouterr().out


def test_where_people_sign_in_otherwise_there_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEOPAIN_DASHBOARD_OPENID_ISSUER", "https://id.example")

    assert run(["dashboard", "link"]) == 2
    assert "people sign in there" in capsys.readouterr().err
