"""A bed's state survives the wire, with everything that holds it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from neopain.domain.census import (
    DEVICE_DISAGREES,
    UPDATE_DISAGREES,
    Arrival,
    BedState,
    CensusEventKind,
    Departure,
    Dispute,
    Infant,
    Release,
)
from neopain.domain.identity import BedId, PatientId
from neopain.domain.vitals import Processing
from neopain.errors import ContractBroken
from neopain.wire.census import decode_bed_state, encode_bed_state
from neopain.wire.v1 import census_pb2 as pb

NOON = datetime(2026, 7, 4, 12, 0, 0, 250000, tzinfo=UTC)
ANNA = Infant((PatientId("77", "HOSP", "MR"),), "V1", 224, NOON - timedelta(days=2), "F")
DISCHARGED = CensusEventKind.DISCHARGED
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
            arrivals=(Arrival(PatientId("77", "HOSP", "MR"), CensusEventKind.TRANSFERRED, BedId("NICU/1/4")),),
            departures=(
                Departure(Infant((PatientId("66", "HOSP"),), formerly=(PatientId("T1"),)), DISCHARGED, NOON),
                Departure(
                    BERT,
                    CensusEventKind.TRANSFERRED,
                    NOON,
                    came=NOON - timedelta(days=1),
                    arrival=Arrival(PatientId("88"), CensusEventKind.ADMITTED, BedId("NICU/1/5")),
                    processing=Processing.TRAINING,
                    disputes=(Dispute("adt", UPDATE_DISAGREES, PatientId("88"), BedId("NICU/1/6")),),
                ),
            ),
            held_since=NOON + timedelta(hours=1),
            overruled=(Dispute("hl7:MON", DEVICE_DISAGREES, PatientId("99")),),
            release=Release("nurse 12", "looked at the band"),
        ),
    ],
)
def test_decoding_what_was_encoded_gives_it_back(state: BedState) -> None:
    assert decode_bed_state(encode_bed_state(state)) == state


def test_bytes_that_are_no_state_break_the_contract() -> None:
    with pytest.raises(ContractBroken):
        decode_bed_state(b"\xff\xff")


def test_who_was_discharged_as_an_older_version_wrote_it_is_still_known() -> None:
    older = pb.BedState(bed="NICU/1/3", since_us=1_783_166_400_000_000, processing=1)  # type: ignore[arg-type]
    older.left.add(value="66", assigning_authority="HOSP", type_code="MR")
    (departure,) = decode_bed_state(older.SerializeToString()).departures
    assert (departure.infant.identifiers, departure.is_final) == ((PatientId("66", "HOSP"),), True)


def test_an_older_version_still_reads_who_was_discharged() -> None:
    state = BedState(BedId("NICU/1/3"), NOON, departures=(Departure(ANNA, DISCHARGED, NOON),))
    assert [one.value for one in pb.BedState.FromString(encode_bed_state(state)).left] == ["77"]
