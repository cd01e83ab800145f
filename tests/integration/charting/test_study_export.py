"""``neopain study export``: pairs, what has no other side and why, no names, and in the audit trail."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from neopain.charting.agreement import read_study_pairs
from neopain.charting.facts import take_fact
from neopain.charting.statuses import change_status
from neopain.charting.studies import NotHers, OwnScore, keep_own_score
from neopain.charting.unit_of_work import unit_of_work
from neopain.cli import run
from neopain.domain.census import BedState, Infant
from neopain.domain.entry_status import EntryStatus
from neopain.domain.review import NipsItems
from neopain.domain.reviewer import Reviewer
from neopain.domain.study import Study
from neopain.domain.vitals import Processing

from .conftest import NOON

Rows = Callable[[str], list[dict[str, Any]]]
TIMES = ("--from", "2026-10-05", "--to", "2026-10-06")


def score(ward: Any, second: float, nurse: str = "n-17", cry: int = 2) -> str:
    """The id of what a nurse keeps for the second after noon."""
    items = NipsItems(1, cry, 0, 1, 0, 1)
    by = Reviewer(nurse, "https://id", "N. Nurse")
    wanted = OwnScore(ward.bed, ward.infant, NOON + timedelta(seconds=second), items, by)
    with unit_of_work(ward.engine, ward.clock) as unit:
        return keep_own_score(unit, wanted, ward.policy, now=ward.clock.now())[0]


@pytest.fixture
def study(ward: Any, monkeypatch: pytest.MonkeyPatch, database: str) -> Any:
    """Two summaries of ten seconds in study mode, and a score of a nurse at the 20th second."""
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", database)
    ward.policy = replace(ward.policy, study=Study(enabled=True), requested=timedelta(seconds=10))
    ward.clock.advance(40)
    ward.take(ward.score(5, 3.0), ward.score(12, 6.0), ward.score(18, 7.0), ward.score(25, None), ward.score(35))
    score(ward, 20)
    return ward


def exported(capsys: pytest.CaptureFixture[str], *options: str) -> list[dict[str, Any]]:
    assert run(["study", "export", *TIMES, "--format", "jsonl", *options]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_pair_has_both_sides(study: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (pair,) = [row for row in exported(capsys) if row["sort"] == "pair"]

    ours = ("kind", "score", "score_low", "score_high", "score_nips", "modalities", "windows", "model", "weights")
    assert {name: pair[name] for name in ours} == {
        "kind": "on-request",
        "score": 6.5,
        "score_low": 5.5,
        "score_high": 7.5,
        "score_nips": 4.55,
        "modalities": "face",
        "windows": 2,
        "model": "m1",
        "weights": "untrained",
    }
    hers = ("nurse_nips", "nurse_cry", "nurse_arms", "nurse_written", "seen_before", "time", "seconds_between")
    assert {name: pair[name] for name in hers} == {
        "nurse_nips": 5,
        "nurse_cry": 2,
        "nurse_arms": 1,
        "nurse_written": "2026-10-05T12:00:40Z",
        "seen_before": False,
        "time": "2026-10-05T12:00:20Z",
        "seconds_between": 2.0,
    }
    assert (pair["ga_band"], pair["unit"], pair["policy"]) == ("unknown", "NICU", "default")


def test_what_nobody_scored_and_what_we_had_no_window_for_have_a_reason(
    study: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    study.clock.advance(60)
    score(study, 90)

    alone = [row for row in exported(capsys) if row["sort"] != "pair"]
    assert [(row["sort"], row["end"], row["absent_reason"], row["unpaired_reason"]) for row in alone] == [
        ("suggestion-alone", "2026-10-05T12:00:10Z", None, "no nurse scored within this time"),
        ("suggestion-alone", "2026-10-05T12:00:30Z", "no-modality", "no nurse scored within this time"),
        ("nurse-alone", None, None, "no window of this bed in the minute that was scored"),
    ]


def test_a_pair_of_an_infant_that_adt_has_for_a_test_is_test_data(
    study: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    state = BedState(study.bed, NOON, Infant((study.infant,), visit="V1"), processing=Processing.TRAINING)
    take_fact(study.intake, fact_id="test-adt", state=state, arrived=NOON)
    score(study, 25)

    (pair,) = [row for row in exported(capsys) if row["sort"] == "pair" and row["end"] == "2026-10-05T12:00:25Z"]
    assert pair["processing"] == "T"


def test_no_name_and_no_number_of_an_infant_is_in_it(study: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run(["study", "export", *TIMES])
    told = capsys.readouterr().out

    assert told.count("\n") > 1
    for named in (study.infant.value, "N. Nurse", "n-17", study.bed):
        assert named not in told


def test_pseudonyms_are_the_same_with_the_same_key_alone(
    study: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("a secret of sixteen bytes or more")
    first, second = (exported(capsys, "--key", str(key)) for _ in range(2))
    without = exported(capsys)

    assert len({row["infant"] for row in first}) == 1
    assert {row["infant"] for row in first} == {row["infant"] for row in second}
    assert {row["infant"] for row in first} != {row["infant"] for row in without}


def test_csv_in_a_file_of_its_user_alone(study: Any, tmp_path: Path) -> None:
    out = tmp_path / "study.csv"
    assert run(["study", "export", *TIMES, "--out", str(out), "--unit", "NICU"]) == 0

    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert out.stat().st_mode & 0o777 == 0o600
    (pair,) = [row for row in rows if row["sort"] == "pair"]
    assert (pair["nurse_nips"], pair["score"], pair["seen_before"]) == ("5", "6.5", "false")


def test_who_exported_is_in_the_trail(study: Any, capsys: pytest.CaptureFixture[str], rows: Rows) -> None:
    exported(capsys, "--by", "A. Beyer", "--reason", "evaluation")

    (row,) = rows("SELECT * FROM audit WHERE event = 'study_exported'")
    detail = json.loads(row["detail"])
    assert (row["chain"], row["actor"], row["patient"]) == ("reads", "A. Beyer", f"HOSP|{study.infant.value}")
    assert (detail["why"], detail["pairs"], detail["suggestion_alone"]) == ("evaluation", 1, 2)


def test_a_score_that_she_entered_in_error_is_no_pair(
    study: Any, capsys: pytest.CaptureFixture[str], database: str
) -> None:
    own = score(study, 19, nurse="n-18")
    with unit_of_work(study.engine, study.clock) as unit:
        wrong = EntryStatus.ENTERED_IN_ERROR
        change_status(unit, own, wrong, actor="N", cause="review", now=study.clock.now(), reason="another infant")

    reasons = [row["unpaired_reason"] for row in exported(capsys) if row["sort"] == "nurse-alone"]
    assert reasons == ["the nurse entered her score in error"]
    assert len(read_study_pairs(database)) == 1


def test_the_agreement_report_takes_pairs_that_nobody_could_have_seen(study: Any, database: str) -> None:
    score(study, 20, nurse="n-18")
    score(study, 15, nurse="n-19")

    (pair,) = read_study_pairs(database)
    assert (pair.suggested, pair.nips, pair.act.value) == (6.5, 5, "change")


def test_ours_goes_with_the_infant_that_the_census_names_later(study: Any, capsys: pytest.CaptureFixture[str]) -> None:
    study.admit(replace(study.infant, value="MRN-late"), at=-30)

    reasons = [row["unpaired_reason"] for row in exported(capsys) if row["sort"] == "nurse-alone"]
    assert reasons == ["by the census of later that minute was not this infant's"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--from", "2026-10-06", "--to", "2026-10-05"), "is not before"),
        (("--from", "2026-10-05", "--to", "2026-10-06", "--unit", "PICU"), "--unit PICU"),
        (("--from", "2026-10-05", "--to", "2026-10-06", "--unit", "@EAST"), "is no unit"),
        (("--from", "2026-10-05", "--to", "2026-10-06", "--key", "/nowhere"), "cannot be read"),
        (("--from", "2026-10-05", "--to", "2026-10-06", "--out", "/nowhere/study.csv"), "there is no folder"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    study: Any, capsys: pytest.CaptureFixture[str], rows: Rows, options: tuple[str, ...], why: str
) -> None:
    assert run(["study", "export", *options]) == 2

    assert why in capsys.readouterr().err
    assert rows("SELECT count(*) AS rows FROM audit WHERE event = 'study_exported'") == [{"rows": 0}]


@pytest.mark.parametrize("options", [("--from", "soon", "--to", "2026-10-06"), ("--from", "2026-10-05"), ()])
def test_times_are_needed_and_are_times(options: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["study", "export", *options])
    assert ended.value.code == 2


def test_an_infant_that_was_not_there_then_is_not_scored(study: Any) -> None:
    study.infant = replace(study.infant, value="MRN-other")

    with pytest.raises(NotHers, match="another infant"):
        score(study, 10)
