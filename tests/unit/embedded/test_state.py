from __future__ import annotations

import stat
from pathlib import Path

import pytest

from neopain.embedded.state import MAX_LOG_BYTES, StateFolder
from neopain.errors import ConfigurationError


def test_a_password_is_made_once_and_kept(tmp_path: Path) -> None:
    first = StateFolder(tmp_path).password("bus")

    assert StateFolder(tmp_path).password("bus") == first
    assert len(first) == 32


def test_two_servers_have_different_passwords(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)

    assert state.password("bus") != state.password("media-0")


def test_only_the_owner_may_read_a_password(tmp_path: Path) -> None:
    StateFolder(tmp_path).password("bus")

    assert stat.S_IMODE((tmp_path / "secrets" / "bus").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_a_log_that_has_grown_too_long_is_set_aside(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    with state.log("bus").open("wb") as log:
        log.truncate(MAX_LOG_BYTES + 1)

    assert not state.log("bus").exists()
    assert (tmp_path / "logs" / "bus.log.1").exists()


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match=r"file/logs cannot be made"):
        StateFolder(tmp_path / "file").folder("logs")
