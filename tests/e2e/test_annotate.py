"""``neopain annotate agreement`` from a manifest on disk to resolved labels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neopain import cli
from neopain.codecs.manifest import read_manifest, write_manifest
from neopain.domain.annotation import Availability, Rating, Recorded, Scale, Segment, Subject

from .conftest import in_this_process

SCORES = ((0, 0), (1, 1), (2, 3), (3, 3), (7, 6), (7, 7), (5, 2), (0, 1), (6, 0), (4, 4))
"""Ten segments of five infants; the seventh and the ninth are for a third rater."""


def segment(number: int, *ratings: Rating) -> Segment:
    return Segment(
        subject=Subject(f"inf-{number // 2}", "north"),
        session="s1",
        id=f"seg-{number}",
        start_seconds=0.0,
        end_seconds=30.0,
        recorded={kind: Availability(reason="not-recorded") for kind in Recorded},
        ratings=ratings,
    )


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    segments = [
        segment(number, Rating(Scale.NIPS, "anna", float(first)), Rating(Scale.NIPS, "bert", float(second)))
        for number, (first, second) in enumerate(SCORES)
    ]
    path = tmp_path / "manifest.csv"
    path.write_text(write_manifest(segments), encoding="utf-8")
    return path


def agreement(*arguments: str | Path) -> int:
    """The command with few draws: 2,000 take two seconds of a core."""
    return cli.run(["annotate", "agreement", "--resamples", "50", *(str(argument) for argument in arguments)])


def test_the_command_prints_one_json_object(manifest: Path) -> None:
    done = in_this_process("annotate", "agreement", manifest, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["scale"], told["raters"], told["n_segments"], told["n_infants"]) == ("NIPS", ["anna", "bert"], 10, 5)
    assert [one["segment"] for one in told["disagreements"]] == ["seg-8", "seg-6"]
    pair = told["pairs"][0]
    for figure in (pair["kappa_quadratic"], pair["kappa_linear"], *pair["icc_agreement"].values()):
        assert figure["low"] < figure["value"] < figure["high"]


def test_the_text_names_figures_disagreements_and_what_is_left_out(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert agreement(manifest) == 0
    told = capsys.readouterr().out
    assert "anna and bert: 10 segments of 5 infants" in told
    assert "for a third rater (scores more than 1 apart): 2 segments\n  inf-4 / s1 / seg-8: anna 6, bert 0" in told
    assert "labels: 8 by mean, 0 by median, 2 left out" in told


def test_poor_agreement_is_told_and_is_no_error(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert agreement(manifest) == 0
    assert "BELOW THE LIMIT: anna and bert: ICC(2,1) 0.64 is below 0.75" in capsys.readouterr().out


def test_the_way_from_the_sheet_to_the_labels(manifest: Path, tmp_path: Path) -> None:
    sheet, out = tmp_path / "sheet.csv", tmp_path / "resolved.csv"
    assert agreement(manifest, "--sheet", sheet) == 0
    filled = sheet.read_text(encoding="utf-8").replace("NIPS,,", "NIPS,cora,4")
    sheet.write_text(filled, encoding="utf-8")
    assert agreement(manifest, "--third-rater", sheet, "--out", out) == 0
    labels = {one.id: one.scores(Scale.NIPS) for one in read_manifest(out.read_text(encoding="utf-8"))}
    assert (len(labels), labels["seg-2"], labels["seg-6"]) == (10, {"resolved": 2.5}, {"resolved": 4.0})


def test_unresolved_segments_are_left_out_of_the_labels(manifest: Path, tmp_path: Path) -> None:
    assert agreement(manifest, "--out", tmp_path / "resolved.csv") == 0
    labels = read_manifest((tmp_path / "resolved.csv").read_text(encoding="utf-8"))
    assert [one.id for one in labels] == [f"seg-{number}" for number in (0, 1, 2, 3, 4, 5, 7, 9)]


def test_labels_written_elsewhere_are_told_where_they_belong(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    assert agreement(manifest, "--out", tmp_path / "elsewhere" / "resolved.csv") == 0
    assert "put it into the folder of" in capsys.readouterr().out


def test_a_manifest_of_the_third_rater_is_read_as_a_sheet(manifest: Path, tmp_path: Path) -> None:
    third = tmp_path / "third.csv"
    third.write_text(write_manifest([segment(8, Rating(Scale.NIPS, "cora", 5.0))]), encoding="utf-8")
    assert agreement(manifest, "--third-rater", third, "--out", tmp_path / "resolved.csv") == 0
    labels = read_manifest((tmp_path / "resolved.csv").read_text(encoding="utf-8"))
    assert labels[7].scores(Scale.NIPS) == {"resolved": 5.0}


def test_a_wider_threshold_needs_fewer_third_ratings(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert agreement(manifest, "--threshold", "3", "--json") == 0
    assert [one["segment"] for one in json.loads(capsys.readouterr().out)["disagreements"]] == ["seg-8"]


def test_what_is_not_known_is_null_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "manifest.csv"
    alone = segment(0, Rating(Scale.NIPS, "anna", 1.0), Rating(Scale.NIPS, "bert", 1.0))
    path.write_text(write_manifest([alone]), encoding="utf-8")
    assert agreement(path, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pairs"][0]["icc_agreement"]["by_f"] == {"value": None, "low": None, "high": None}
    assert told["shortfalls"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--scale", "PIPP"), "'PIPP' is not known"),
        (("--scale", "N-PASS pain"), "agreement on N-PASS pain needs two raters"),
        (("--threshold", "9"), "expected 0 to 7"),
        (("--third-rater", "no-such-file.csv"), "no-such-file.csv cannot be read"),
        (("--out", "no-such-folder/resolved.csv"), "no-such-folder is no folder"),
    ],
)
def test_unusable_arguments_are_named_and_exit_2(
    manifest: Path, arguments: tuple[str, ...], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert agreement(manifest, *arguments) == 2
    assert word in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--out", "--sheet"])
def test_the_ratings_are_never_overwritten(manifest: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = manifest.read_bytes()
    assert agreement(manifest, option, manifest) == 2
    assert (manifest.read_bytes(), "is an input" in capsys.readouterr().err) == (before, True)


def test_an_empty_manifest_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text(write_manifest([]), encoding="utf-8")
    assert agreement(path) == 2
    assert "no segments" in capsys.readouterr().err


def test_a_manifest_in_which_nothing_can_be_resolved_gives_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "manifest.csv", tmp_path / "resolved.csv"
    apart = segment(0, Rating(Scale.NIPS, "anna", 0.0), Rating(Scale.NIPS, "bert", 7.0))
    path.write_text(write_manifest([apart]), encoding="utf-8")
    assert (agreement(path, "--out", out), out.exists()) == (2, False)
    assert "no segment has a resolved NIPS label" in capsys.readouterr().err


def test_without_scipy_it_says_how_to_get_it(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("neopain.bootstrap.annotate.find_spec", lambda _: None)
    assert agreement(manifest) == 2
    assert "./neopain install training" in capsys.readouterr().err
