"""A bed's state survives the wire, with everything that holds it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from neopain.domain.census import DEVICE_DISAGREES, BedState, Dispute, Infant
from neopain.domain.identity import BedId, PatientId
from neopain.domain.vitals import Processing
from neopain.errors import ContractBroken
from neopain.wire.census import decode_bed_state, encode_bed_state

NOON = datetime(2026, 7, 4, 12, 0, 0, 250000, tzinfo=UTC)
ANNA = Infant((PatientId("77", "HOSP", "MR"),), "V1", 224, NOON - timedelta(days=2), "F")
BERT = Infant((PatientId("88"), PatientId("9", "LAB", "PI")))


@pytest.mark.parametrize(
    "state",
    [
        BedState(BedId("NICU/1/3"), NOON),
        BedState(BedId("NICU/1/3@GH"), NOON, ANNA, processing=Processing.TRAINING, control_id="4711"),
        BedState(
            BedId("NICU/1/3"),
            NOON,
            ANNA,
            held_reason=DEVICE_DISAGREES,
            rivals=(BERT,),
            disputes=(Dispute("hl7:MON", DEVICE_DISAGREES, PatientId("88", "HOSP")),),
            left=(PatientId("66", "HOSP"),),
        ),
    ],
)
def test_decoding_what_was_encoded_gives_it_back(state: BedState) -> None:
    assert decode_bed_state(encode_bed_state(state)) == state


def test_bytes_that_are_no_state_break_the_contract() -> None:
    with pytest.raises(ContractBroken):
        decode_bed_state(b"\xff\xff")
