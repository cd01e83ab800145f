"""Donate-a-cry: what a file's name says becomes a manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neopain.codecs.manifest import read_manifest
from neopain.domain.annotation import Availability, Recorded, Segment
from neopain.errors import ConfigurationError
from neopain.training.adapters.donate_a_cry import import_donate_a_cry
from neopain.training.windows import prepare

Write = Callable[..., Path]

ONE = "0a1b2c3d-0000-4000-8000-00000000000a"
TWO = "F0E1D2C3-0000-4000-8000-00000000000B"
ANDROID = f"{ONE}-1430726196216-1.7-f-04-hu.wav"
IOS = f"{TWO}-1430726196-1.0-m-26-bp.wav"


@pytest.fixture
def record(tmp_path: Path, write_wav: Write) -> Callable[[str], Path]:
    """Puts a recording of 4 s at 8 kHz into the corpus."""

    def put(name: str) -> Path:
        path = tmp_path / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_wav(path, np.full(32_000, 1000, np.int16), rate_hz=8000)

    return put


@pytest.fixture
def imported(tmp_path: Path) -> Callable[[], tuple[Segment, ...]]:
    """Imports the corpus and reads what was written."""

    def run() -> tuple[Segment, ...]:
        return read_manifest(import_donate_a_cry(tmp_path / "corpus", tmp_path / "out").manifest.read_text())

    return run


def test_the_name_says_app_sex_age_and_reason(record: Write, imported: Callable[[], tuple[Segment, ...]]) -> None:
    record(ANDROID)
    (segment,) = imported()
    subject = segment.subject
    assert (subject.id, subject.site, subject.sex, subject.age_days) == (ONE, "donate-a-cry", "female", 14)
    assert (segment.session, segment.procedure, segment.licence) == ("1430726196216", "cry:hungry", "ODbL-1.0")
    assert (segment.start_seconds, segment.end_seconds, segment.ratings) == (0.0, 4.0, ())
    assert segment.recorded == {
        Recorded.VIDEO: Availability(reason="not-recorded"),
        Recorded.AUDIO: Availability(f"audio/{ANDROID}"),
        Recorded.VITALS: Availability(reason="not-recorded"),
    }


def test_uploads_of_ios_are_read_too_and_folders_do_not_matter(
    record: Write, imported: Callable[[], tuple[Segment, ...]]
) -> None:
    record(f"donateacry-ios-upload-bucket/{IOS}")
    record(f"hungry/{ANDROID}")
    found = [(one.subject.id, one.subject.age_days, one.procedure) for one in imported()]
    assert found == [(ONE, 14, "cry:hungry"), (TWO.lower(), 122, "cry:belly-pain")]


def test_the_same_upload_in_two_folders_is_one_segment(
    record: Write, imported: Callable[[], tuple[Segment, ...]]
) -> None:
    record(f"a/{ANDROID}")
    record(f"b/{ANDROID}")
    assert len(imported()) == 1


def test_of_an_upload_and_its_cleaned_copy_the_wav_is_taken(
    record: Write, imported: Callable[[], tuple[Segment, ...]], tmp_path: Path
) -> None:
    raw, cleaned = f"donateacry-ios-upload-bucket/{IOS}".replace(".wav", ".caf"), f"cleaned/belly_pain/{IOS}"
    for name in (raw, cleaned.lower()):
        record(name)

    assert [one.recorded[Recorded.AUDIO].path for one in imported()] == [f"audio/{IOS.lower()}"]
    (told,) = import_donate_a_cry(tmp_path / "corpus", tmp_path / "again").left_out
    assert told == f"{raw}: the same upload as {cleaned.lower()}"


def test_the_sex_of_an_app_whose_uploads_disagree_is_left_open(
    record: Write, imported: Callable[[], tuple[Segment, ...]]
) -> None:
    record(ANDROID)
    record(f"{ONE}-1430726196999-1.7-m-48-ti.wav")
    assert [(one.subject.sex, one.subject.age_days) for one in imported()] == [("", 14), ("", 42)]


def test_what_cannot_be_used_is_left_out_and_told(tmp_path: Path, record: Write) -> None:
    record(ANDROID)
    record("my-own-recording.wav")
    record(IOS).write_bytes(b"no sound")
    result = import_donate_a_cry(tmp_path / "corpus", tmp_path / "out")
    assert (result.segments, len(result.left_out)) == (1, 2)
    assert result.left_out[0] == "my-own-recording.wav: no name of Donate-a-cry"
    assert "is no video or sound file" in result.left_out[1]


def test_the_import_can_be_prepared_as_cries_without_a_label(tmp_path: Path, record: Write) -> None:
    record(ANDROID)
    import_donate_a_cry(tmp_path / "corpus", tmp_path / "out")
    prepared = prepare(tmp_path / "out", tmp_path / "cache")
    assert (prepared.patterns, bool(np.isnan(prepared.labels[0]))) == (("C",), True)
    assert np.flatnonzero(prepared.cry[0])[0] == 6 * 16_000


def test_a_folder_without_such_recordings_is_refused(tmp_path: Path, record: Write) -> None:
    record("my-own-recording.wav")
    with pytest.raises(ConfigurationError, match="holds no recording with a name of Donate-a-cry"):
        import_donate_a_cry(tmp_path / "corpus", tmp_path / "out")


def test_a_corpus_of_which_nothing_can_be_decoded_is_refused(tmp_path: Path, record: Write) -> None:
    record(ANDROID).write_bytes(b"no sound")
    with pytest.raises(ConfigurationError, match=r"no recording below .* can be decoded"):
        import_donate_a_cry(tmp_path / "corpus", tmp_path / "out")


def test_a_data_set_is_not_written_over(tmp_path: Path, record: Write) -> None:
    record(ANDROID)
    import_donate_a_cry(tmp_path / "corpus", tmp_path / "out")
    with pytest.raises(ConfigurationError, match="is there already"):
        import_donate_a_cry(tmp_path / "corpus", tmp_path / "out")
