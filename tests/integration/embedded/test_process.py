from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from neopain.embedded.process import GUARD, Child, Command
from neopain.embedded.state import StateFolder
from neopain.errors import ConfigurationError

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
WITH_GRANDCHILD = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)"


def test_a_stopped_child_is_gone_with_its_guard(python, tree_of, all_gone) -> None:
    child = python("")
    pids = {child.pid, child.guard_pid}

    child.stop()

    assert all_gone(pids)
    assert not child.is_alive()


def test_a_child_that_ignores_the_stop_signal_is_killed_after_its_grace(python, all_gone) -> None:
    child = python(STUBBORN, grace_seconds=0.2)
    pid = child.pid

    child.stop()

    assert all_gone({pid})


def test_a_grandchild_in_a_session_of_its_own_is_stopped_too(python, tree_of, all_gone) -> None:
    child = python(WITH_GRANDCHILD)
    pids = tree_of(child.guard_pid)
    assert len(pids) == 2

    child.stop()

    assert all_gone(pids)


def test_a_killed_child_takes_its_orphans_with_it(python, tree_of, all_gone) -> None:
    child = python(WITH_GRANDCHILD)
    pids = tree_of(child.guard_pid)

    child.kill()

    assert all_gone(pids)
    assert child.wait() == 128 + signal.SIGKILL


def test_kill_9_of_the_guard_kills_the_child(python, all_gone) -> None:
    child = python("")

    os.kill(child.guard_pid, signal.SIGKILL)

    assert all_gone({child.pid})


def test_after_kill_9_of_the_guard_stop_ends_the_grandchildren(python, tree_of, all_gone) -> None:
    child = python("import subprocess; subprocess.Popen(['sleep', '600'])")
    pids = tree_of(child.guard_pid)
    os.kill(child.guard_pid, signal.SIGKILL)

    child.stop()

    assert all_gone(pids)


def test_an_exit_code_is_handed_on(state: StateFolder) -> None:
    child = Child(Command("short", (sys.executable, "-c", "raise SystemExit(7)")), state)
    child.start()

    assert child.wait(10) == 7
    child.stop()


def test_a_restarted_child_is_another_process(python) -> None:
    child = python("")
    first = child.pid

    child.restart()

    assert child.is_alive()
    assert child.pid != first


def test_environment_and_folder_reach_the_child(state: StateFolder, tmp_path: Path) -> None:
    code = "import os; print(os.environ['WARD'], os.getcwd(), flush=True)"
    child = Child(Command("told", (sys.executable, "-c", code), env={"WARD": "NICU 2"}, cwd=tmp_path), state)
    child.start()
    child.wait(10)

    assert child.log_tail() == f"NICU 2 {tmp_path}"
    child.stop()


def test_a_child_that_ends_before_it_is_ready_is_told_with_its_last_lines(state: StateFolder) -> None:
    child = Child(Command("broken", (sys.executable, "-c", "print('no disk'); raise SystemExit(3)")), state)
    child.start()

    with pytest.raises(ConfigurationError, match=r"(?s)broken ended with code 3 before it was ready.*no disk"):
        child.wait_until(lambda: False, timeout_seconds=20)
    child.stop()


def test_a_program_that_does_not_exist_is_named(state: StateFolder) -> None:
    child = Child(Command("missing", ("/no/such/server",)), state)
    child.start()

    with pytest.raises(ConfigurationError, match="cannot start /no/such/server"):
        child.wait_until(lambda: False, timeout_seconds=20)
    child.stop()


def test_two_children_of_one_name_do_not_share_a_state_folder(python, state: StateFolder, monkeypatch) -> None:
    child = python("")
    monkeypatch.setattr("neopain.embedded.process.LOCK_WAIT_SECONDS", 0.2)
    second = Child(child.command, state)

    with pytest.raises(ConfigurationError, match="is held by another running server"):
        second.start()
    assert child.is_alive()
    second.stop()


def test_a_child_does_not_start_twice(python) -> None:
    child = python("")

    with pytest.raises(ConfigurationError, match="runs already"):
        child.start()


def test_what_a_killed_child_leaves_behind_is_removed(state: StateFolder, tmp_path: Path, all_gone) -> None:
    leftover = tmp_path / "region-1"
    code = f"open({str(leftover)!r}, 'w').close(); import time; time.sleep(600)"
    child = Child(Command("leaver", (sys.executable, "-c", code), remove=(f"{tmp_path}/region-*",)), state)
    child.start()
    child.wait_until(leftover.exists, timeout_seconds=20)

    child.kill()

    assert not leftover.exists()
    child.stop()


def test_a_child_whose_leftovers_were_in_a_folder_that_is_gone_ends_with_its_own_code(
    state: StateFolder, tmp_path: Path
) -> None:
    child = Child(Command("leaver", (sys.executable, "-c", "exit(3)"), remove=(f"{tmp_path}/gone/region-*",)), state)
    child.start()

    assert child.wait(10) == 3
    child.stop()


def test_a_guard_starts_without_what_would_make_it_slow() -> None:
    start = (sys.executable, "-I", "-S", "-X", "importtime", str(GUARD))
    told = subprocess.run(start, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stderr
    imported = {line.rpartition("|")[2].strip() for line in told.splitlines()}

    assert "guard: standard input ended before the order" in told
    assert {"ctypes", "json", "select"} <= imported
    assert not {"logging", "pathlib", "subprocess", "typing"} & imported


SERVERS_UNDER_A_PARENT = """
import pathlib, sys, time
from neopain.embedded.ehr import Ehr
from neopain.embedded.postgres import Postgres
from neopain.embedded.state import StateFolder
from neopain.embedded.valkey import Valkey

state = StateFolder(pathlib.Path({state!r}))
for server in (Valkey.bus(state), Postgres(state), Ehr(state)):
    server.start()
print("ready", flush=True)
time.sleep(600)
"""


def test_kill_9_of_the_parent_leaves_no_child_and_no_grandchild(
    parent_process, tree_of, all_gone, state: StateFolder, npm_packages
) -> None:
    parent = parent_process(SERVERS_UNDER_A_PARENT.format(state=str(state.root)))
    pids = tree_of(parent.pid)
    assert len(pids) > 6 + 3  # a guard and a server each, and PostgreSQL's own processes

    parent.kill()

    assert all_gone(pids)


def test_a_forked_copy_of_the_parent_does_not_keep_the_servers_alive(parent_process, tree_of, all_gone, state) -> None:
    script = f"""
import os, pathlib, time
from neopain.embedded.state import StateFolder
from neopain.embedded.valkey import Valkey
Valkey.bus(StateFolder(pathlib.Path({str(state.root)!r}))).start()
if os.fork() == 0:
    time.sleep(5)
    os._exit(0)
print("ready", flush=True)
time.sleep(600)
"""
    parent = parent_process(script)
    servers = {pid for guard in tree_of(parent.pid) for pid in tree_of(guard)}
    assert len(servers) == 1

    parent.kill()

    assert all_gone(servers)
