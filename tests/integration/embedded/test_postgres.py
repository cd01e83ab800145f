from __future__ import annotations

import os
import shutil
from pathlib import Path

import psycopg2
import pytest

from neopain.embedded import account
from neopain.embedded.postgres import Postgres, installation
from neopain.embedded.state import StateFolder

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may take another account")


def query(url: str, statement: str) -> object:
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None
    finally:
        connection.close()


def test_it_serves_on_tcp_only(database_url: str) -> None:
    assert query(database_url, "SHOW unix_socket_directories") == ""
    assert query(database_url, "SHOW listen_addresses") == "127.0.0.1"


def test_it_is_utc_and_unicode(database_url: str) -> None:
    assert query(database_url, "SHOW timezone") == "UTC"
    assert query(database_url, "SELECT upper('mädchen')") == "MÄDCHEN"


def test_nobody_enters_with_a_wrong_password(database_url: str) -> None:
    address = database_url.rpartition("@")[2]

    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(f"postgresql://neopain:guess@{address}")


def test_a_login_by_a_password_of_random_bits_repeats_no_hash(database_url: str) -> None:
    kept = "SELECT string_agg(DISTINCT split_part(rolpassword, ':', 1), ' ') FROM pg_authid WHERE rolcanlogin"

    assert query(database_url, kept) == "SCRAM-SHA-256$1"


@pytest.mark.parametrize("end", [Postgres.stop, Postgres.kill])
def test_committed_rows_survive(state: StateFolder, end) -> None:
    with Postgres(state) as server:
        query(server.url, "CREATE TABLE entry AS SELECT 4711 AS id")
        end(server)
        server.restart()

        assert query(server.url, "SELECT id FROM entry") == 4711


def test_an_interrupted_first_start_is_repaired(state: StateFolder) -> None:
    unfinished = state.folder("postgres") / "data.part"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18")

    with Postgres(state) as server:
        assert query(server.url, "SELECT 1") == 1


@needs_root
def test_root_may_run_it_as_another_account_where_namespaces_are_forbidden(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch, tree_of, all_gone
) -> None:
    refused = account.Account(("false",), state.root, installation())
    monkeypatch.setattr(account, "in_user_namespace", lambda *_: refused)
    chosen = account.choose_account(state.folder("postgres"), installation())
    try:
        with Postgres(state, account=chosen) as server:
            assert Path(f"/proc/{server.child.pid}").stat().st_uid == account.unprivileged().pw_uid
            assert query(server.url, "SELECT 1") == 1
            os.kill(server.child.guard_pid, 9)
            assert all_gone({server.child.pid})
    finally:
        shutil.rmtree(chosen.folder)
