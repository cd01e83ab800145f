from __future__ import annotations

import os
from pathlib import Path

import pytest

from neopain.embedded import account
from neopain.errors import ConfigurationError


def test_an_ordinary_user_runs_postgresql_directly(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(account.os, "geteuid", lambda: 1000)

    chosen = account.choose_account(tmp_path, Path("/wheel/pginstall"))

    assert chosen == account.Account((), tmp_path, Path("/wheel/pginstall/bin"))


def test_the_account_in_a_namespace_is_not_root() -> None:
    assert account.unprivileged().pw_uid != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_that_somebody_else_has_laid_there_is_refused(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(account, "SHARED_FOLDER", tmp_path)
    home = account.handed_folder(Path("/state"), account.unprivileged())
    os.chown(home, 4242, 4242)

    with pytest.raises(ConfigurationError, match="belongs to user id 4242"):
        account.handed_folder(Path("/state"), account.unprivileged())
