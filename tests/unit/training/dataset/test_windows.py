"""Prepared windows: kept on disk, found again, gone on with after a kill."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neopain.domain.annotation import Segment
from neopain.errors import ConfigurationError
from neopain.training import segment_window, windows
from neopain.training.windows import prepare

WriteDataset = Callable[..., tuple[Segment, ...]]


@pytest.fixture
def prepared_now(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the segments that are prepared, as it happens; blocks are of two."""
    ids: list[str] = []
    make = segment_window.segment_window

    def noting(segment: Segment, folder: Path) -> object:
        ids.append(segment.id)
        return make(segment, folder)

    monkeypatch.setattr(segment_window, "segment_window", noting)
    monkeypatch.setattr(windows, "BLOCK", 2)
    return ids


def test_prepared_tensors_are_those_of_the_segments(tmp_path: Path, write_dataset: WriteDataset) -> None:
    segments = write_dataset(tmp_path / "data", count=3)
    prepared = prepare(tmp_path / "data", tmp_path / "cache")
    for index, segment in enumerate(segments):
        wanted = segment_window.segment_window(segment, tmp_path / "data").window.tensors.by_name()
        found = prepared.tensors(index).by_name()
        # Grey survives JPEG unchanged.
        assert all(np.array_equal(found[name], wanted[name]) for name in wanted)
        assert all(found[name].dtype == wanted[name].dtype for name in wanted)


def test_a_frame_is_the_frame_of_the_clip(tmp_path: Path, write_dataset: WriteDataset) -> None:
    write_dataset(tmp_path / "data", count=2)
    prepared = prepare(tmp_path / "data", tmp_path / "cache")
    assert [int(prepared.frame(1, place)[0, 0, 0]) for place in (0, 7, 15)] == [10, 17, 25]
    assert np.array_equal(prepared.frame(1, 7), prepared.clip(1)[7])


def test_arrays_have_a_row_for_each_window(tmp_path: Path, write_dataset: WriteDataset) -> None:
    write_dataset(tmp_path / "data", count=3)
    prepared = prepare(tmp_path / "data", tmp_path / "cache")
    shapes = [prepared.cry.shape, prepared.vitals.shape, prepared.context.shape, prepared.present.shape]
    assert (len(prepared), shapes) == (3, [(3, 160_000), (3, 10, 120), (3, 22), (3, 3)])


def test_sound_is_taken_by_any_index(tmp_path: Path, write_dataset: WriteDataset) -> None:
    write_dataset(tmp_path / "data", count=3)
    cry = prepare(tmp_path / "data", tmp_path / "cache").cry
    assert (cry[np.array([2, 0]), 5] * 32_768).tolist() == [3.0, 1.0]
    assert (cry[1].dtype, cry[1:].shape) == (np.dtype("float32"), (2, 160_000))


def test_labels_are_means_of_the_raters(tmp_path: Path, write_dataset: WriteDataset) -> None:
    write_dataset(tmp_path / "data")
    prepared = prepare(tmp_path / "data", tmp_path / "cache")
    assert (prepared.labels.tolist(), prepared.items[0, 1], prepared.patterns) == ([5.0], 1.5, ("FCP",))
    assert np.isnan(prepared.sedation).all()
    assert np.isnan(prepared.codes).all()


def test_an_absent_face_is_zeros(tmp_path: Path, write_dataset: WriteDataset) -> None:
    write_dataset(tmp_path / "data")
    (tmp_path / "data" / "0.mkv").unlink()
    prepared = prepare(tmp_path / "data", tmp_path / "cache", strict=False)
    assert (prepared.clip(0).shape, prepared.clip(0).any()) == ((16, 224, 224, 3), False)
    assert (prepared.frame(0, 3).shape, prepared.frame(0, 3).any()) == ((224, 224, 3), False)
    assert (prepared.patterns, prepared.presences[0][0].reason) == (("CP",), "unreadable-file")


def test_a_broken_file_is_refused_with_segment_path_and_reason(tmp_path: Path, write_dataset: WriteDataset) -> None:
    write_dataset(tmp_path / "data", count=2)
    (tmp_path / "data" / "1.wav").write_text("no sound")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"segment 'seg-1', audio '1\.wav': is no video or sound file"):
            prepare(tmp_path / "data", tmp_path / "cache")
    assert [one.path for one in prepare(tmp_path / "data", tmp_path / "cache", strict=False).broken] == ["1.wav"]


def test_what_was_prepared_is_found_again(tmp_path: Path, write_dataset: WriteDataset, prepared_now: list[str]) -> None:
    write_dataset(tmp_path / "data", count=3)
    first = prepare(tmp_path / "data", tmp_path / "cache")
    prepared_now.clear()
    again = prepare(tmp_path / "data", tmp_path / "cache")
    assert (prepared_now, again.folder) == ([], first.folder)


def test_a_changed_file_is_prepared_again(tmp_path: Path, write_dataset: WriteDataset, prepared_now: list[str]) -> None:
    write_dataset(tmp_path / "data")
    first = prepare(tmp_path / "data", tmp_path / "cache")
    os.utime(tmp_path / "data" / "0.wav", ns=(1, 1))
    assert prepare(tmp_path / "data", tmp_path / "cache").folder != first.folder
    assert prepared_now == ["seg-0", "seg-0"]


def test_an_interrupted_preparation_goes_on_at_the_block_that_was_not_finished(
    tmp_path: Path, write_dataset: WriteDataset, prepared_now: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dataset(tmp_path / "data", count=5)
    noting = segment_window.segment_window

    def interrupted(segment: Segment, folder: Path) -> object:
        if segment.id == "seg-3":
            raise KeyboardInterrupt
        return noting(segment, folder)

    with monkeypatch.context() as patch:
        patch.setattr(segment_window, "segment_window", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare(tmp_path / "data", tmp_path / "cache")
    prepared_now.clear()
    prepared = prepare(tmp_path / "data", tmp_path / "cache")
    assert prepared_now == ["seg-2", "seg-3", "seg-4"]
    assert [int(prepared.frame(index, 0)[0, 0, 0]) for index in range(5)] == [0, 10, 20, 30, 40]


def test_progress_is_told_block_by_block(tmp_path: Path, write_dataset: WriteDataset, prepared_now: list[str]) -> None:
    write_dataset(tmp_path / "data", count=3)
    told: list[tuple[int, int]] = []
    prepare(tmp_path / "data", tmp_path / "cache", progress=lambda done, count: told.append((done, count)))
    assert told == [(2, 3), (3, 3)]


def test_several_processes_prepare_the_same(
    tmp_path: Path, write_dataset: WriteDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dataset(tmp_path / "data", count=2)
    alone = prepare(tmp_path / "data", tmp_path / "one")
    monkeypatch.setattr(windows, "BLOCK", 1)
    together = prepare(tmp_path / "data", tmp_path / "two", workers=2)
    assert np.array_equal(alone.vitals, together.vitals)
    assert np.array_equal(alone.clip(1), together.clip(1))


def test_another_process_opens_the_same_files(tmp_path: Path, write_dataset: WriteDataset) -> None:
    write_dataset(tmp_path / "data")
    content = pickle.dumps(prepare(tmp_path / "data", tmp_path / "cache"))
    again = pickle.loads(content)  # noqa: S301 (our own bytes)
    assert (len(content) < 500, again.labels.tolist()) == (True, [5.0])


def test_a_folder_without_a_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"manifest\.csv cannot be read \(No such file or directory\)"):
        prepare(tmp_path, tmp_path / "cache")


def test_a_manifest_without_segments_is_refused(tmp_path: Path, write_dataset: WriteDataset) -> None:
    write_dataset(tmp_path / "data", count=0)
    with pytest.raises(ConfigurationError, match="holds no segment"):
        prepare(tmp_path / "data", tmp_path / "cache")


def test_a_store_of_other_arrays_is_refused(tmp_path: Path, write_dataset: WriteDataset) -> None:
    write_dataset(tmp_path / "data")
    folder = prepare(tmp_path / "data", tmp_path / "cache").folder
    np.save(folder / "vitals.npy", np.zeros((2, 10, 120), np.float32))
    with pytest.raises(ConfigurationError, match="delete the folder and prepare again"):
        prepare(tmp_path / "data", tmp_path / "cache")
