"""What a device's PID means for the bed it stands at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from neopain.domain.census import DEVICE_DISAGREES, BedState, CensusEventKind, Dispute, Infant
from neopain.domain.identity import BedId, PatientId, SourceId
from neopain.domain.vitals import Processing
from neopain.ingest.hl7.association import Association, Said, verdict

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
    assert verdict(state, source, (named,)) is expected


SHARED = PatientId("5", "STATE", "PI")
KNOWN = BedState(BedId("NICU/1/1"), NOON, Infant((ANNA, SHARED)))


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ((PatientId("X9", "CENTRAL"), ANNA), None),
        ((BERT, ANNA), None),
        ((PatientId("X9", "CENTRAL"), PatientId("8", "LAB")), CensusEventKind.CONTRADICTED),
        ((BERT, SHARED), CensusEventKind.CONTRADICTED),
        ((PatientId("5", "STATE"),), None),
    ],
    ids=["its second number", "with another's", "none of them", "one that two have", "alone, of any type"],
)
def test_of_several_numbers_one_that_is_the_infant_s_agrees(
    named: tuple[PatientId, ...], expected: CensusEventKind | None
) -> None:
    assert verdict(KNOWN, MONITOR, named) is expected


def changes(known: Association, state: BedState, named: PatientId, second: int, processing: str = "P") -> bool:
    """Whether what the gateway says then is told to the census; the other listeners were told just now."""
    known.asked = NOON + timedelta(seconds=second)
    known.noted[state.bed, MONITOR] = known.asked
    known.beds[state.bed] = state
    return not known.is_settled(Said(state.bed, (named,), MONITOR, Processing(processing), known.asked))


@pytest.mark.parametrize("is_known", [True, False], ids=["this process has heard it", "it was told before a restart"])
def test_a_device_that_agrees_does_not_speak_for_another_behind_the_same_gateway(is_known: bool) -> None:
    known = Association(cast("Any", None))
    assert not is_known or changes(known, OCCUPIED, BERT, 0)
    for second in range(0, 600, 30):
        assert not changes(known, DISPUTED, ANNA, second + 5)
        assert not changes(known, DISPUTED, BERT, second + 10)
    assert not changes(known, DISPUTED, ANNA, 699)
    assert changes(known, DISPUTED, ANNA, 700)


@pytest.mark.parametrize("processing", ["T", "D"])
def test_a_device_under_test_says_nothing_of_an_infant_of_production(processing: str) -> None:
    known = Association(cast("Any", None))
    assert not changes(known, OCCUPIED, BERT, 0, processing)
    assert not changes(known, DISPUTED, ANNA, 500, processing)
