"""The recorder: what would be charted lies in files, each entry and each of its statuses once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from neopain.charting.deliverer import Deliverer
from neopain.charting.ehr.channel import Located
from neopain.charting.ehr.recorder import RecorderChannel
from neopain.charting.entries import charted_entry
from neopain.charting.retry import RetryPolicy
from neopain.charting.statuses import change_status
from neopain.charting.unit_of_work import unit_of_work
from neopain.domain.entry_status import EntryStatus
from neopain.domain.identity import bed_id
from neopain.errors import ConfigurationError

from ...fhir_validity import require_valid

Rows = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def channel(tmp_path: Path, ward: Any) -> RecorderChannel:
    return RecorderChannel(tmp_path / "records", clock=ward.clock)


@pytest.fixture
def sweep(engine: Engine, ward: Any, channel: RecorderChannel, rows: Rows) -> Callable[[], list[str]]:
    """One round of delivery; returns the states of the rows."""
    deliverer = Deliverer(engine, channel, ward.clock, RetryPolicy())

    def run() -> list[str]:
        for entry_id in deliverer.hand_out():
            deliverer.deliver(entry_id)
        return [row["state"] for row in rows("SELECT state FROM outbox ORDER BY place")]

    return run


def records(folder: Path) -> list[dict[str, Any]]:
    """Every record, file by file; the Observation in each is valid."""
    found = [json.loads(line) for file in sorted(folder.rglob("*.ndjson")) for line in file.read_text().splitlines()]
    for record in found:
        require_valid(record["observation"])
    return found


def test_an_entry_is_recorded_with_whose_it_is_and_confirmed(
    ward: Any, channel: RecorderChannel, sweep: Callable[[], list[str]], rows: Rows
) -> None:
    ward.chart()
    channel.check()

    assert sweep() == ["confirmed"]
    (record,) = records(channel.folder)
    (row,) = rows("SELECT entry_id, ehr_reference FROM outbox")
    assert (record["entry"], record["change"], record["bed"]) == (row["entry_id"], 0, ward.bed)
    assert record["observation"]["subject"] == {
        "type": "Patient",
        "identifier": {"system": "urn:neopain:authority:HOSP", "value": ward.infant.value},
    }
    assert row["ehr_reference"] == "NICU/2026-10-05.ndjson"


def test_each_status_is_one_more_record_and_changes_none(
    ward: Any, channel: RecorderChannel, sweep: Callable[[], list[str]], engine: Engine
) -> None:
    ward.chart()
    sweep()
    first = records(channel.folder)[0]
    with unit_of_work(engine, ward.clock) as unit:
        now = ward.clock.now()
        change_status(unit, first["entry"], EntryStatus.FINAL, actor="N. Nurse", cause="review", now=now)

    assert sweep() == ["confirmed", "confirmed"]
    before, after = records(channel.folder)
    assert before == first
    assert (after["change"], after["observation"]["status"]) == (1, "final")
    assert after["observation"]["note"][-1]["authorString"] == "N. Nurse"


def test_what_is_recorded_is_not_recorded_again(
    ward: Any, channel: RecorderChannel, engine: Engine, sweep: Callable[[], list[str]], rows: Rows
) -> None:
    ward.chart()
    with engine.connect() as connection:
        entry = charted_entry(connection, rows("SELECT entry_id FROM outbox")[0]["entry_id"])
    channel.create(entry, Located(ward.infant.value))

    assert sweep() == ["confirmed"]
    assert len(records(channel.folder)) == 1


def test_units_and_signs_of_their_names_have_files_of_their_own(
    ward: Any, channel: RecorderChannel, sweep: Callable[[], list[str]]
) -> None:
    bed = bed_id(unit="Früh ../2", room="1", bed="1", facility="EAST")
    ward.admit(ward.infant, bed=bed)
    ward.take(ward.score(1, bed=bed), ward.score(15, bed=bed))
    sweep()

    assert [str(file.relative_to(channel.folder)) for file in channel.folder.rglob("*.ndjson")] == [
        "Fr%C3%BCh%20%2E%2E-2@EAST/2026-10-05.ndjson"
    ]


def test_a_disk_that_does_not_take_it_has_entries_wait(
    ward: Any, channel: RecorderChannel, sweep: Callable[[], list[str]]
) -> None:
    ward.chart()
    channel.folder.mkdir()
    (channel.folder / "NICU").write_text("in the way")
    assert sweep() == ["pending"]

    (channel.folder / "NICU").unlink()
    ward.clock.advance(60)
    assert sweep() == ["confirmed"]


def test_a_record_that_somebody_changed_makes_its_entry_one_for_a_person(
    ward: Any, channel: RecorderChannel, sweep: Callable[[], list[str]], rows: Rows
) -> None:
    ward.chart()
    file = channel.folder / "NICU/2026-10-05.ndjson"
    file.parent.mkdir(parents=True)
    (row,) = rows("SELECT entry_id FROM outbox")
    file.write_text(f"{row['entry_id']} was here\n")

    assert sweep() == ["rejected"]


def test_a_folder_that_cannot_be_written_to_refuses_the_start(tmp_path: Path) -> None:
    (tmp_path / "records").write_text("in the way")

    with pytest.raises(ConfigurationError, match="cannot be made"):
        RecorderChannel(tmp_path / "records").check()
