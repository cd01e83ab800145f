"""The hash of an audit row: the same for the same content, another for any other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from neopain.charting.audit.chain import BEGINNING, Content, row_hash

ROW = Content(
    chain="charting",
    position=1,
    recorded=datetime(2026, 11, 21, 12, 0, 0, 5, tzinfo=UTC),
    event="entry_charted",
    actor="charting consumer",
    entry_id="e1",
    patient="HOSP|1",
    detail='{"value":5.0}',
)


def test_the_hash_of_a_known_row_stays_what_it_was() -> None:
    # sha256 of 64 zeros, LF, and the row as JSON with sorted keys and no spaces; a change here breaks stored chains.
    assert row_hash(ROW, BEGINNING) == "384f1369d4c8c23744e880c3ec199735265ad9d5fae9f7e42b4c608f82a1381d"


@pytest.mark.parametrize(
    "change",
    [
        {"chain": "reads"},
        {"position": 2},
        {"recorded": ROW.recorded + timedelta(microseconds=1)},
        {"event": "entry_held"},
        {"actor": "somebody"},
        {"entry_id": "e2"},
        {"patient": "HOSP|2"},
        {"detail": '{"value":5.1}'},
    ],
)
def test_any_other_content_has_another_hash(change: dict[str, Any]) -> None:
    assert row_hash(ROW._replace(**change), BEGINNING) != row_hash(ROW, BEGINNING)


def test_another_previous_hash_gives_another_hash() -> None:
    assert row_hash(ROW, "1" * 64) != row_hash(ROW, BEGINNING)


def test_the_zone_that_a_database_answers_in_does_not_matter() -> None:
    elsewhere = ROW._replace(recorded=ROW.recorded.astimezone(timezone(timedelta(hours=2))))

    assert row_hash(elsewhere, BEGINNING) == row_hash(ROW, BEGINNING)
