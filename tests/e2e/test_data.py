"""``neopain data``, as a data scientist types it."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import pytest

from .conftest import in_this_process

UPLOAD = "0a1b2c3d-0000-4000-8000-00000000000a-1430726196216-1.7-f-04-hu.wav"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus of one recording of 4 s."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    with wave.open(str(folder / UPLOAD), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\1\0" * 32_000)
    return folder


def test_an_imported_corpus_passes_its_check(tmp_path: Path, corpus: Path) -> None:
    imported = in_this_process("data", "import", "donate-a-cry", corpus, tmp_path / "out")
    assert (imported.returncode, imported.stdout) == (0, f"{tmp_path}/out/manifest.csv: 1 segments\n")
    checked = in_this_process("data", "check", tmp_path / "out", "--json")
    summary = json.loads(checked.stdout)
    assert (checked.returncode, summary["segments_by_pattern"], summary["findings"]) == (0, {"C": 1}, [])


def test_a_broken_file_is_told_and_ends_with_1(tmp_path: Path, corpus: Path) -> None:
    in_this_process("data", "import", "donate-a-cry", corpus, tmp_path / "out")
    (tmp_path / "out" / "audio" / UPLOAD).unlink()
    checked = in_this_process("data", "check", tmp_path / "out" / "manifest.csv")
    assert (checked.returncode, f"audio 'audio/{UPLOAD}': does not exist" in checked.stdout) == (1, True)


def test_a_wrong_manifest_is_told_with_its_line_and_ends_with_2(tmp_path: Path, corpus: Path) -> None:
    in_this_process("data", "import", "donate-a-cry", corpus, tmp_path / "out")
    manifest = tmp_path / "out" / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("audio/", "../audio/"))
    checked = in_this_process("data", "check", manifest)
    assert (checked.returncode, "manifest line 2, column audio" in checked.stderr) == (2, True)


def test_a_corpus_without_recordings_ends_with_2(tmp_path: Path) -> None:
    imported = in_this_process("data", "import", "donate-a-cry", tmp_path, tmp_path / "out")
    assert (imported.returncode, "holds no recording with a name of Donate-a-cry" in imported.stderr) == (2, True)


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # of wfdb, when it is imported
def test_a_record_without_beats_ends_with_2(tmp_path: Path) -> None:
    imported = in_this_process("data", "import", "wfdb", tmp_path / "gone", tmp_path / "out")
    assert (imported.returncode, "--annotator SUFFIX" in imported.stderr) == (2, True)
