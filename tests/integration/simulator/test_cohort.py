"""A cohort on disk: what a data scientist gets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import pytest

from neopain import cli
from neopain.codecs.manifest import read_manifest
from neopain.codecs.vitals_table import read_vitals
from neopain.domain.annotation import Recorded, Scale, Segment
from neopain.domain.vitals import VitalKind
from neopain.errors import ConfigurationError
from neopain.simulator import cohort as cohort_module
from neopain.simulator.circumstances import Illness, circumstances
from neopain.simulator.cohort import sessions, write_cohort, write_infant
from neopain.simulator.infant import simulated_infant

Interrupted = tuple[Path, dict[Path, int]]


@pytest.fixture(scope="module", autouse=True)
def _few_looks() -> Iterator[None]:
    """In this process an infant is recorded four times and not sixteen; a worker's are recorded as always."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            cohort_module,
            "sessions",
            lambda infant, around: [replace(one, looks=one.looks[:4]) for one in sessions(infant, around)],
        )
        yield


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Interrupted:
    """Where one infant of two is written, and when each of its files was."""
    folder = tmp_path_factory.mktemp("cohort")
    write_infant(folder, 3, 1)
    return folder, {path: path.stat().st_mtime_ns for path in folder.rglob("*.*")}


@pytest.fixture(scope="module")
def cohort(interrupted: Interrupted) -> Path:
    """Two infants of one seed."""
    folder, _ = interrupted
    write_cohort(folder, seed=3, infants=2, workers=2)
    return folder


@pytest.fixture(scope="module")
def segments(cohort: Path) -> tuple[Segment, ...]:
    return read_manifest((cohort / "manifest.csv").read_text())


def digests(folder: Path) -> dict[str, str]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_every_file_that_the_manifest_names_is_there(cohort: Path, segments: tuple[Segment, ...]) -> None:
    named = [found.path for segment in segments for found in segment.recorded.values() if found.is_there]

    assert len(named) > 60
    assert [path for path in named if not (cohort / path).is_file()] == []


def test_both_raters_rated_every_segment_with_an_infant(segments: tuple[Segment, ...]) -> None:
    rated = [segment for segment in segments if segment.has_infant]

    assert all(sorted(segment.scores(Scale.NIPS)) == ["rater-1", "rater-2"] for segment in rated)
    assert [segment.ratings for segment in segments if not segment.has_infant] == [(), ()]


def test_a_video_holds_the_sixteen_frames_of_a_clip(cohort: Path, segments: tuple[Segment, ...]) -> None:
    path = next(s.recorded[Recorded.VIDEO].path for s in segments if s.recorded[Recorded.VIDEO].is_there)
    with av.open(str(cohort / path)) as container:
        frames = list(container.decode(video=0))

    assert len(frames) == 16
    assert (frames[0].width, frames[0].height) == (224, 224)
    assert float(frames[-1].time) - float(frames[0].time) == pytest.approx(2.0)


def test_the_vitals_of_a_segment_end_where_it_ends(cohort: Path, segments: tuple[Segment, ...]) -> None:
    for segment in segments:
        found = segment.recorded[Recorded.VITALS]
        if found.is_there:
            rows = read_vitals((cohort / found.path).read_text())
            movement = [row.seconds for row in rows if row.kind is VitalKind.MOVEMENT]
            assert max(movement) == pytest.approx(segment.end_seconds, abs=0.26)
            assert max(row.seconds for row in rows) <= segment.end_seconds + 0.001


def test_the_data_set_says_where_it_is_from(cohort: Path) -> None:
    about = json.loads((cohort / "dataset.json").read_text())

    assert (about["seed"], about["infants"], about["simulator"]) == (3, 2, "1")
    assert len(about["sources"]) == 64


def test_the_command_gives_the_same_files_for_the_same_seed(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "cohort"
    assert cli.run(["simulate", "cohort", str(folder), "--seed", "3", "--infants", "1", "--workers", "1"]) == 0

    assert Path(capsys.readouterr().out.strip()) == folder / "manifest.csv"
    assert {segment.subject.id for segment in read_manifest((folder / "manifest.csv").read_text())} == {"SIM03001"}
    assert json.loads((folder / "dataset.json").read_text())["seed"] == 3
    # Who else is in a cohort changes nothing of an infant.
    again = {name: digest for name, digest in digests(folder).items() if "/" in name}
    assert again.items() <= digests(cohort).items()
    assert len(again) > 10


def test_an_interrupted_cohort_goes_on_with_the_infants_that_are_missing(
    cohort: Path, interrupted: Interrupted, segments: tuple[Segment, ...]
) -> None:
    _, written = interrupted
    kept = {path: moment for path, moment in written.items() if path.name != "part.csv"}

    assert len(kept) > 10
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert {segment.subject.id for segment in segments} == {"SIM03001", "SIM03002"}
    assert list(cohort.glob("*/part.csv")) == []


def test_a_folder_with_a_part_of_another_cohort_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text('{"simulator": "1", "seed": 4, "infants": 2}')

    with pytest.raises(ConfigurationError, match="part of another cohort"):
        write_cohort(tmp_path, seed=3, infants=2)


def test_infants_after_surgery_have_hours_of_their_own() -> None:
    infants = [simulated_infant(3, number) for number in range(1, 31)]
    named = {
        circumstances(infant).illness: [session.name for session in sessions(infant, circumstances(infant))]
        for infant in infants
    }

    assert named[Illness.SURGERY] == ["procedures", "postoperative"]
    assert named[Illness.GROWING] == ["procedures"]
