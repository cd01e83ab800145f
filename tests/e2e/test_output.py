"""Commands whose standard output takes no more: real processes on a full disk and on a pipe that nobody reads."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from neopain import __version__, cli

from .conftest import ROOT, SERVICES

FULL = (1, "neopain: standard output cannot be written (No space left on device): what was printed is not complete\n")
GONE = (141, "")
BUFFERED, UNBUFFERED = "", "1"
COMMANDS = [("--version",), ("charting", "--help"), ("codes",), ("codes", "--json")]
"""The parser's own texts; a command that prints less than a buffer takes, and one that prints more."""


@pytest.fixture(autouse=True)
def settings(bus_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the commands: a bus that nothing was sent to."""
    told = {
        "BUS_URL": bus_url,
        "BUS_MEDIA_URLS": "[]",
        "BUS_NAMESPACE": f"output-{uuid.uuid4().hex}",
        "ROOT": str(ROOT),
    }
    for name, value in told.items():
        monkeypatch.setenv(f"NEOPAIN_{name}", value)
    monkeypatch.setenv("PYTHONPATH", str(SERVICES))


def end_of(arguments: tuple[str, ...], stdout: int, unbuffered: str = BUFFERED) -> tuple[int, str]:
    """Exit code and standard error of a command."""
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    argv = [sys.executable, "-m", "neopain", *arguments]
    done = subprocess.run(argv, check=False, env=env, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60)
    return done.returncode, done.stderr


@pytest.mark.parametrize("unbuffered", [BUFFERED, UNBUFFERED])
@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_full_disk_is_told_in_one_line(arguments: tuple[str, ...], unbuffered: str) -> None:
    with Path("/dev/full").open("wb") as full:
        assert end_of(arguments, full.fileno(), unbuffered) == FULL


@pytest.mark.parametrize("unbuffered", [BUFFERED, UNBUFFERED])
@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_reader_that_has_gone_ends_a_command_quietly(arguments: tuple[str, ...], unbuffered: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert end_of(arguments, writer, unbuffered) == GONE
    finally:
        os.close(writer)


def test_what_is_printed_is_whole_where_it_is_taken(tmp_path: Path) -> None:
    printed = tmp_path / "codes"
    with printed.open("wb") as file:
        assert end_of(("codes",), file.fileno()) == (0, "")
    lines = printed.read_text(encoding="utf-8").splitlines()
    assert len(lines) > 100
    assert all(line.startswith("known  ") for line in lines)


def test_a_command_without_a_standard_output_does_what_it_does() -> None:
    shell = f"{sys.executable} -m neopain --version >&-"
    done = subprocess.run(["/bin/sh", "-c", shell], check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


def test_a_caller_whose_standard_output_is_no_file_gets_what_is_printed_and_keeps_it() -> None:
    own = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(own), pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert (end.value.code, own.buffer.getvalue()) == (0, f"neopain {__version__}\n".encode())


def test_a_callers_own_lines_stand_where_it_printed_them(tmp_path: Path) -> None:
    with (tmp_path / "printed").open("w", encoding="utf-8") as own, contextlib.redirect_stdout(own):
        print("before")
        with pytest.raises(SystemExit):
            cli.main(["--version"])
        assert sys.stdout is own
        print("after")
    assert (tmp_path / "printed").read_text(encoding="utf-8") == f"before\nneopain {__version__}\nafter\n"


def test_a_callers_full_disk_is_its_own_to_use_again() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full, contextlib.redirect_stdout(full):
        with pytest.raises(SystemExit) as end:
            cli.main(["--version"])
        assert (end.value.code, Path(f"/proc/self/fd/{full.fileno()}").readlink()) == (1, Path("/dev/full"))
