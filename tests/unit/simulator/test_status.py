"""The status file."""

from __future__ import annotations

import json
from pathlib import Path

from neopain.simulator.status import BedStatus, WardStatus, write_status

BED = BedStatus(
    bed="NICU/R1/1@SIM",
    mrn="SIM01001",
    assigning_authority="NEOPAIN-SIM",
    visit="VSIM01001",
    sex="F",
    gestational_age_days=200,
    procedure="heel lance",
    latent_pain=8.2,
    hl7_sent=5,
    hl7_acknowledged=4,
    hl7_refused=0,
    hl7_waiting=1,
    frames_sent=30,
    frames_accepted=29,
    audio_seconds=3.5,
    beat_batches_accepted=7,
)
WARD = WardStatus(
    seed=1,
    started="2026-07-01T14:30:05+02:00",
    written="2026-07-01T12:30:09+00:00",
    elapsed_seconds=4.0,
    hl7_sent=6,
    hl7_acknowledged=5,
    hl7_refused=0,
    frames_sent=30,
    frames_accepted=29,
    audio_seconds=3.5,
    beds=(BED,),
)


def test_the_file_holds_each_bed_by_its_fields(tmp_path: Path) -> None:
    write_status(WARD, tmp_path / "ward.json")
    bed = json.loads((tmp_path / "ward.json").read_text())["beds"][0]

    assert (bed["bed"], bed["procedure"], bed["latent_pain"]) == ("NICU/R1/1@SIM", "heel lance", 8.2)


def test_the_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "ward.json"
    path.write_text("old")
    with path.open() as reader:
        write_status(WARD, path)

        assert reader.read() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["ward.json"]
