"""A file of records: once each, whole, on the disk, whatever ends the process that writes."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neopain.charting.ehr.record_file import RecordFile
from neopain.errors import MalformedMessage

WRITER = """
import sys
from pathlib import Path
from neopain.charting.ehr.record_file import RecordFile
file = RecordFile(Path(sys.argv[1]))
print(flush=True)
for number in range(int(sys.argv[2])):
    word = f"entry-{number:05}"
    file.add({"entry": word, "text": "x" * 20_000}, unless=lambda: bool(file.find(word)))
"""


def never() -> bool:
    return False


def test_a_record_is_found_by_a_word_of_it(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "unit" / "day.ndjson")
    file.add({"entry": "a"}, unless=never)
    file.add({"entry": "b"}, unless=never)

    assert file.find("b") == [{"entry": "b"}]
    assert file.path.read_text() == '{"entry":"a"}\n{"entry":"b"}\n'


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "unit" / "day.ndjson")
    file.add({"entry": "a"}, unless=never)

    assert (file.path.stat().st_mode & 0o777, file.path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_what_is_there_is_not_added(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "day.ndjson")
    for _ in range(2):
        file.add({"entry": "a"}, unless=lambda: bool(file.find("a")))

    assert file.find("a") == [{"entry": "a"}]


@pytest.mark.parametrize("torn", ['{"entry":"b"', '{"entry":"b"}', "x" * 200_000])
def test_a_line_that_was_cut_off_is_passed_over_and_taken_away(tmp_path: Path, torn: str) -> None:
    file = RecordFile(tmp_path / "day.ndjson")
    file.add({"entry": "a"}, unless=never)
    with file.path.open("a") as handle:
        handle.write(torn)

    assert file.find("b") == []
    file.add({"entry": "c"}, unless=never)
    assert file.path.read_text() == '{"entry":"a"}\n{"entry":"c"}\n'


def test_a_line_that_somebody_changed_is_told_by_its_number(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "day.ndjson")
    file.path.write_text('{"entry":"a"}\nb\n')

    with pytest.raises(MalformedMessage, match="line 2"):
        file.find("b")


def test_a_writer_that_is_killed_loses_and_doubles_nothing(tmp_path: Path) -> None:
    path, moments, entries = tmp_path / "day.ndjson", random.Random(7), 60  # noqa: S311 - moments, no secrets
    for _ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), "1000"], stdout=subprocess.PIPE, env={"PYTHONPATH": "services"}
        )
        with writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(moments.uniform(0.0, 0.1))
            writer.kill()
    command = [sys.executable, "-c", WRITER, str(path), str(entries)]
    subprocess.run(command, check=True, capture_output=True, env={"PYTHONPATH": "services"})

    found = [json.loads(line)["entry"] for line in path.read_text().splitlines()]
    assert len(found) == len(set(found))
    assert set(found) >= {f"entry-{number:05}" for number in range(entries)}
