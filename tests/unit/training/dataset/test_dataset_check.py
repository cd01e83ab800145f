"""Looking through a data set: what there is, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from neopain.codecs.manifest import write_manifest
from neopain.codecs.vitals_table import VitalRow, write_vitals
from neopain.domain.annotation import NIPS_ITEMS, Rating, Scale, Segment
from neopain.domain.vitals import VitalKind
from neopain.errors import ConfigurationError
from neopain.training.dataset_check import check_dataset

WriteDataset = Callable[..., tuple[Segment, ...]]


def test_what_there_is_is_counted(tmp_path: Path, write_dataset: WriteDataset) -> None:
    write_dataset(tmp_path, count=3)
    result = check_dataset(tmp_path / "manifest.csv")
    assert result.as_json() == {
        "infants": 3,
        "sites": 1,
        "sessions": 3,
        "segments": 3,
        "segments_with_nips": 3,
        "raters": 2,
        "infants_by_ga_band": {"28-31": 3},
        "segments_by_pattern": {"FCP": 3},
        "ratings_by_scale": {"NIPS": 6},
        "licences": {"none": 3},
        "findings": (),
    }


def test_the_text_has_a_line_for_each_figure(tmp_path: Path, write_dataset: WriteDataset) -> None:
    write_dataset(tmp_path, count=2)
    assert "segments_by_pattern: FCP 2\nratings_by_scale: NIPS 4\nlicences: none 2\nfindings: 0" in (
        check_dataset(tmp_path).as_text()
    )


def test_broken_files_are_findings_in_whatever_process_they_are_found(
    tmp_path: Path, write_dataset: WriteDataset
) -> None:
    write_dataset(tmp_path, count=2)
    (tmp_path / "0.mkv").unlink()
    (tmp_path / "1.wav").write_text("no sound")
    alone = check_dataset(tmp_path)
    assert alone.findings[0] == "segment 'seg-0', video '0.mkv': does not exist"
    assert alone.findings[1].startswith("segment 'seg-1', audio '1.wav': is no video or sound file")
    assert check_dataset(tmp_path, workers=2) == alone


def test_a_file_that_gives_no_modality_is_a_finding(tmp_path: Path, write_dataset: WriteDataset) -> None:
    write_dataset(tmp_path)
    (tmp_path / "0.csv").write_text(write_vitals([VitalRow(20.0, VitalKind.HEART_RATE, 140)]))
    assert check_dataset(tmp_path).findings == ("segment 'seg-0', vitals '0.csv': gives no physiology (stale)",)


def test_a_nips_that_is_not_the_sum_of_its_items_is_a_finding(tmp_path: Path, write_dataset: WriteDataset) -> None:
    (segment,) = write_dataset(tmp_path)
    items = dict.fromkeys(NIPS_ITEMS, 1.0)
    rated = replace(segment, ratings=(Rating(Scale.NIPS, "r1", 5.0, items), Rating(Scale.NIPS, "r2", 6.0, items)))
    (tmp_path / "manifest.csv").write_text(write_manifest([rated]))
    assert check_dataset(tmp_path).findings == ("segment 'seg-0', rater 'r1': NIPS is 5, its items sum to 6",)


def test_a_rating_without_an_infant_is_a_finding(tmp_path: Path, write_dataset: WriteDataset) -> None:
    (segment,) = write_dataset(tmp_path)
    (tmp_path / "manifest.csv").write_text(write_manifest([replace(segment, has_infant=False)]))
    assert check_dataset(tmp_path).findings == ("segment 'seg-0': is rated although it shows no infant",)


def test_a_place_without_a_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is no data set"):
        check_dataset(tmp_path / "gone")
    with pytest.raises(ConfigurationError, match=r"manifest\.csv cannot be read"):
        check_dataset(tmp_path)
