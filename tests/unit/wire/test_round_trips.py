"""decode(encode(x)) = x for every value that lies on the bus, and nothing but ``ContractBroken`` for other bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neopain.domain.census import (
    Arrival,
    BedState,
    CensusEventKind,
    Departure,
    DeviceAssociation,
    Dispute,
    Infant,
    Release,
)
from neopain.domain.deadletter import DeadLetter, Replay, ReplayOutcome
from neopain.domain.drugs import Basis, DrugClass, DrugFact, DrugMark
from neopain.domain.identity import BedId, PatientId, SourceId
from neopain.domain.media import AudioChunk, FaceAbsence, FaceFrame, MovementSample
from neopain.domain.query import Disclosure
from neopain.domain.receipt import Receipt, Stored
from neopain.domain.score import Estimate, Modality, ModelVersion, Outcome, Presence, Score, Weights
from neopain.domain.time import TimeQuality, Timing
from neopain.domain.vitals import Baseline, Processing, Validity, VitalKind, VitalSample, VitalsBatch
from neopain.domain.window import Tick
from neopain.errors import ContractBroken
from neopain.wire.census import decode_bed_state, encode_bed_state
from neopain.wire.deadletter import decode_dead_letter, decode_replay, encode_dead_letter, encode_replay
from neopain.wire.disclosure import decode_disclosure, encode_disclosure
from neopain.wire.drugs import decode_drug, encode_drug
from neopain.wire.media import (
    decode_audio,
    decode_frame,
    decode_movement,
    encode_audio,
    encode_frame,
    encode_movement,
)
from neopain.wire.receipt import decode_receipts, encode_receipts
from neopain.wire.score import decode_score, decode_tick, encode_score, encode_tick
from neopain.wire.vitals import (
    decode_baseline,
    decode_batch,
    encode_baseline,
    encode_batch,
    encode_kind,
    encode_repeated,
)

LAWS = settings(max_examples=60, deadline=None)

words = st.text(max_size=12)
beds = st.builds(BedId, words)
moments = st.datetimes(timezones=st.just(UTC))
numbers = st.floats(allow_nan=False)
small_numbers = st.floats(allow_nan=False, width=32)
patients = st.builds(PatientId, words, words, words)
sources = st.builds(SourceId, words, words)
timings = st.builds(Timing, moments, moments, st.sampled_from(TimeQuality), st.none() | moments, words)
processings = st.sampled_from(Processing)


def several(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A tuple of up to four."""
    return st.lists(values, max_size=4).map(tuple)


samples = st.builds(VitalSample, st.sampled_from(VitalKind), numbers, timings, st.sampled_from(Validity), words)
batches = st.builds(
    VitalsBatch, beds, sources, several(samples), processings, st.none() | patients, words, several(words)
)
baselines = st.builds(
    Baseline, beds, moments, numbers, st.dictionaries(st.sampled_from(VitalKind), numbers, max_size=4)
)
frames = st.builds(
    FaceFrame, beds, sources, timings, st.binary(max_size=64), st.none() | st.sampled_from(FaceAbsence), processings
)
chunks = st.builds(AudioChunk, beds, sources, timings, st.binary(max_size=64), processings)
movements = st.builds(MovementSample, beds, sources, timings, small_numbers, processings)
infants = st.builds(
    Infant,
    several(patients),
    words,
    st.none() | st.integers(0, 400),
    st.none() | moments,
    words,
    st.lists(patients, max_size=1).map(tuple),
)
places = st.none() | st.text(min_size=1, max_size=12).map(BedId)
disputes = st.builds(Dispute, words, words, patients, places)
arrivals = st.builds(Arrival, patients, st.sampled_from(CensusEventKind), beds)
departures = st.builds(
    Departure,
    infants,
    st.sampled_from(CensusEventKind),
    moments,
    st.none() | moments,
    st.none() | arrivals,
    processings,
    st.lists(disputes, max_size=1).map(tuple),
)
bed_states = st.builds(
    BedState,
    beds,
    moments,
    st.none() | infants,
    words,
    processings,
    words,
    several(infants),
    several(disputes),
    st.lists(arrivals, max_size=1).map(tuple),
    st.lists(departures, max_size=2).map(tuple),
    st.none() | moments,
    st.lists(disputes, max_size=1).map(tuple),
    st.none() | st.builds(Release, words, words),
    words,
    st.lists(st.builds(DeviceAssociation, words, patients, moments), max_size=2).map(tuple),
)
ticks = st.builds(Tick, beds, moments, moments, st.dictionaries(words, words, max_size=4))
by_modality = st.dictionaries(st.sampled_from(Modality), numbers, max_size=4)
estimates = st.builds(Estimate, numbers, numbers, numbers, numbers, numbers, by_modality, by_modality)
presences = st.builds(Presence, st.sampled_from(Modality), st.booleans(), small_numbers, words)
scores = st.builds(
    Score,
    beds,
    moments,
    st.sampled_from(Outcome),
    st.builds(ModelVersion, words, st.sampled_from(Weights)),
    several(presences),
    moments,
    st.none() | estimates,
    words,
    words,
    processings,
    several(patients),
    numbers,
    st.lists(
        st.builds(
            DrugMark,
            st.sampled_from(DrugClass).map(lambda one: one.value),
            words,
            st.sampled_from(Basis).map(lambda one: one.value),
            moments,
        ),
        max_size=2,
    ).map(tuple),
    st.dictionaries(words, words, max_size=2),
    st.none() | moments,
)
drugs = st.builds(
    DrugFact,
    words,
    several(patients),
    st.lists(st.sampled_from(DrugClass), max_size=2).map(tuple),
    words,
    words,
    words,
    words,
    st.sampled_from(Basis),
    moments,
    moments,
    st.none() | moments,
    st.timedeltas(timedelta(0), timedelta(days=7)),
    words,
    words,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    words,
    words,
    processings,
)
letters = st.builds(
    DeadLetter, words, sources, st.binary(max_size=64), words, words, moments, words, words, words, several(words)
)
disclosures = st.builds(
    Disclosure, sources, words, words, words, moments, several(patients), words, words, several(patients), several(beds)
)
replays = st.builds(Replay, words, st.sampled_from(ReplayOutcome), words, words, moments, sources, words, words)
entry_ids = st.builds("{}-{}".format, st.integers(0, 2**53), st.integers(0, 2**32))
receipts = st.lists(
    st.builds(
        Receipt,
        sources,
        words,
        moments,
        st.integers(0, 2**31),
        words,
        words,
        st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=1)),
        words,
        st.none() | st.timedeltas(min_value=timedelta(days=-4000000), max_value=timedelta(days=4000000)),
        several(st.builds(Stored, beds, entry_ids, st.booleans(), moments, moments)),
    ),
    min_size=1,
    max_size=4,
)

PAIRS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    "VitalsBatch": (batches, encode_batch, decode_batch),
    "Baseline": (baselines, encode_baseline, decode_baseline),
    "FaceFrame": (frames, encode_frame, decode_frame),
    "AudioChunk": (chunks, encode_audio, decode_audio),
    "MovementSample": (movements, encode_movement, decode_movement),
    "BedState": (bed_states, encode_bed_state, decode_bed_state),
    "Tick": (ticks, encode_tick, decode_tick),
    "Score": (scores, encode_score, decode_score),
    "DrugFact": (drugs, encode_drug, decode_drug),
    "DeadLetter": (letters, encode_dead_letter, decode_dead_letter),
    "Replay": (replays, encode_replay, decode_replay),
    "Disclosure": (disclosures, encode_disclosure, decode_disclosure),
    "Receipts": (receipts, encode_receipts, decode_receipts),
}


@pytest.mark.parametrize("name", PAIRS)
@LAWS
@given(data=st.data())
def test_what_is_encoded_is_decoded_as_it_was(name: str, data: st.DataObject) -> None:
    values, encode, decode = PAIRS[name]
    value = data.draw(values)
    assert decode(encode(value)) == value


@pytest.mark.parametrize("name", PAIRS)
@LAWS
@given(data=st.data())
def test_a_damaged_message_breaks_the_contract_or_is_one(name: str, data: st.DataObject) -> None:
    values, encode, decode = PAIRS[name]
    whole = bytearray(encode(data.draw(values)))
    for _ in range(data.draw(st.integers(1, 4))):
        if whole:
            whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(whole))
    except ContractBroken:
        return


@pytest.mark.parametrize("name", PAIRS)
def test_bytes_of_something_else_break_the_contract(name: str) -> None:
    with pytest.raises(ContractBroken):
        PAIRS[name][2](b"MSH|^~\\&|MONITOR")


@LAWS
@given(batch=batches, kinds=st.frozensets(st.sampled_from(VitalKind)))
def test_a_batch_is_decoded_with_the_wanted_kinds_only(batch: VitalsBatch, kinds: frozenset[VitalKind]) -> None:
    found = decode_batch(encode_batch(batch), kinds=kinds).samples
    assert found == tuple(sample for sample in batch.samples if sample.kind in kinds)


@LAWS
@given(
    batches, timings | st.builds(Timing, moments, moments, st.sampled_from(TimeQuality), moments, st.text(max_size=200))
)
def test_a_batch_put_together_from_what_is_repeated_is_the_same_batch(batch: VitalsBatch, timing: Timing) -> None:
    same = replace(batch, samples=tuple(replace(one, timing=timing) for one in batch.samples))
    before = encode_batch(replace(batch, samples=(), control_id=""))
    kinds = tuple(encode_kind(one.kind, one.validity, one.code) for one in same.samples)
    encoded = encode_repeated(before, same.control_id, kinds, [one.value for one in same.samples], timing)
    assert decode_batch(encoded) == same


def test_a_word_of_a_newer_version_is_named() -> None:
    from neopain.wire.v1 import media_pb2

    data = media_pb2.FaceFrame(absence="face-on-the-moon", timing={"quality": 1}).SerializeToString()
    with pytest.raises(ContractBroken, match="FaceAbsence has no value 'face-on-the-moon'"):
        decode_frame(data)


@pytest.mark.parametrize("length", [0, 60, 64, 65, 127, 128, 300, 20_000])
def test_a_sample_with_texts_of_any_length_comes_back(length: int) -> None:
    moment = datetime(2026, 7, 4, 12, tzinfo=UTC)
    timing = Timing(moment, moment, TimeQuality.SOURCE, moment, "0" * length)
    sample = VitalSample(VitalKind.SPO2, 0.0, timing, Validity.QUESTIONABLE, "7" * length)
    batch = VitalsBatch(BedId("NICU/1/1"), SourceId("hl7", "MON"), (sample, sample), Processing.PRODUCTION)
    assert decode_batch(encode_batch(batch)) == batch
