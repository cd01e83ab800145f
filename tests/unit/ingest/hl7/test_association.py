"""What a device's PID means for the bed it stands at."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from neopain.domain.census import DEVICE_DISAGREES, BedState, CensusEventKind, Dispute, Infant
from neopain.domain.identity import BedId, PatientId, SourceId
from neopain.ingest.hl7.association import verdict

NOON = datetime(2026, 7, 4, 12, 0, tzinfo=UTC)
ANNA, BERT, CLEO = PatientId("77", "HOSP"), PatientId("88", "HOSP"), PatientId("99", "HOSP")
MONITOR, PUMP = SourceId("hl7", "MON"), SourceId("hl7", "PUMP")
EMPTY = BedState(BedId("NICU/1/1"), NOON)
OCCUPIED = BedState(BedId("NICU/1/1"), NOON, Infant((ANNA,)))
SHARED = BedState(BedId("NICU/1/1"), NOON, Infant((ANNA,)), rivals=(Infant((BERT,)),))
DISPUTED = BedState(BedId("NICU/1/1"), NOON, Infant((ANNA,)), disputes=(Dispute("hl7:MON", DEVICE_DISAGREES, BERT),))

DECIDED = BedState(BedId("NICU/1/1"), NOON, Infant((ANNA,)), overruled=(Dispute("hl7:MON", DEVICE_DISAGREES, BERT),))


@pytest.mark.parametrize(
    ("state", "source", "named", "expected"),
    [
        (EMPTY, MONITOR, BERT, None),
        (OCCUPIED, MONITOR, ANNA, None),
        (OCCUPIED, MONITOR, PatientId("77"), None),
        (OCCUPIED, MONITOR, BERT, CensusEventKind.CONTRADICTED),
        (SHARED, MONITOR, BERT, None),
        (DISPUTED, MONITOR, BERT, None),
        (DISPUTED, MONITOR, CLEO, CensusEventKind.CONTRADICTED),
        (DISPUTED, PUMP, BERT, CensusEventKind.CONTRADICTED),
        (DISPUTED, MONITOR, ANNA, CensusEventKind.CONFIRMED),
        (DISPUTED, PUMP, ANNA, None),
        (DECIDED, MONITOR, BERT, None),
        (DECIDED, MONITOR, CLEO, CensusEventKind.CONTRADICTED),
    ],
)
def test_a_device_contradicts_confirms_or_changes_nothing(
    state: BedState, source: SourceId, named: PatientId, expected: CensusEventKind | None
) -> None:
    assert verdict(state, source, named) is expected
