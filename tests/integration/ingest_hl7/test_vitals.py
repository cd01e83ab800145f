"""Vitals over MLLP: what is acknowledged is on the bus, once, in order, with its bed."""

from __future__ import annotations

from typing import Any

from neopain.bus.deadletters import list_letters
from neopain.domain.identity import PatientId, SourceId
from neopain.domain.time import TimeQuality
from neopain.domain.vitals import Processing, VitalKind


async def test_an_acknowledged_message_is_on_the_bus(door: Any, text: Any) -> None:
    assert (await door.ask(text.vitals(control="4711", mrn="77")))[1] == "MSA|AA|4711"
    (batch,) = await door.batches()
    assert (batch.bed, batch.source, batch.control_id) == ("NICU/1/3", SourceId("hl7", "MON/NICU"), "4711")
    assert batch.patient == PatientId("77", "HOSP")
    (sample,) = batch.samples
    assert (sample.kind, sample.value, sample.timing.source_text) == (
        VitalKind.HEART_RATE,
        142.0,
        "20260704120000+0000",
    )
    assert sample.timing.quality is TimeQuality.UNUSABLE


async def test_messages_sent_at_once_are_stored_and_answered_in_their_order(door: Any, text: Any) -> None:
    connection = await door.connect()
    messages = [text.vitals(control=str(number), value=str(100 + number)) for number in range(20)]
    await connection.write(b"".join(b"\x0b" + message + b"\x1c\x0d" for message in messages))
    answers = [(await connection.answer())[1] for _ in messages]
    assert answers == [f"MSA|AA|{number}" for number in range(20)]
    assert [batch.samples[0].value for batch in await door.batches()] == [100.0 + number for number in range(20)]


async def test_a_message_in_single_bytes_is_one_message(door: Any, text: Any) -> None:
    connection = await door.connect()
    for byte in b"\x0b" + text.vitals() + b"\x1c\x0d":
        await connection.write(bytes([byte]))
    assert (await connection.answer())[1] == "MSA|AA|1"


async def test_a_repeated_message_is_acknowledged_again_and_stored_once(door: Any, text: Any) -> None:
    first, second = await door.ask(text.vitals()), await door.ask(text.vitals())
    assert (first[1], second[1]) == ("MSA|AA|1", "MSA|AA|1")
    assert len(await door.batches()) == 1


async def test_two_messages_with_one_control_id_are_two(door: Any, text: Any) -> None:
    await door.ask(text.vitals(value="142"))
    await door.ask(text.vitals(value="143"))
    assert [batch.samples[0].value for batch in await door.batches()] == [142.0, 143.0]


async def test_a_monitor_that_sends_no_time_and_always_the_same_does_not_repeat_itself(door: Any) -> None:
    message = b"MSH|^~\\&|||||||ORU^R01|103|P|2.3.1\rPV1||I|NICU^1^3\rOBX||NM|HR||142|/min\r"
    await door.ask(message)
    await door.ask(message)
    batches = await door.batches()
    assert [batch.samples[0].timing.quality for batch in batches] == [TimeQuality.NO_SOURCE_TIME] * 2
    assert batches[0].source == SourceId("hl7", "127.0.0.1")


async def test_vitals_without_a_bed_are_refused_and_kept_raw(door: Any, text: Any) -> None:
    message = text.vitals(control="9", bed="")
    answer = await door.ask(message)
    assert answer[1].startswith("MSA|AE|9|PV1-3: the bed is required")
    assert answer[2].startswith("ERR||PV1^1^3|101^Required field missing^HL70357|E")
    ((_, letter),) = await list_letters(door.bus)
    assert (letter.raw, letter.location, letter.control_id) == (message, "PV1-3", "9")


async def test_a_refused_message_that_is_sent_again_is_kept_once(door: Any, text: Any) -> None:
    for _ in range(3):
        assert (await door.ask(text.vitals(bed="")))[1].startswith("MSA|AE|1")
    assert len(await list_letters(door.bus)) == 1


async def test_the_site_gives_a_bed_to_a_sender_that_names_none(opening: Any, address: Any, text: Any) -> None:
    async with opening(address, hl7_bed_by_sender={"127.0.0.1": "NICU/1/9"}) as door:
        assert (await door.ask(text.vitals(bed="")))[1] == "MSA|AA|1"
        assert len(await door.batches("NICU/1/9")) == 1


async def test_the_site_s_bed_goes_before_a_unit_alone_and_not_before_a_bed(
    opening: Any, address: Any, text: Any
) -> None:
    async with opening(address, hl7_bed_by_sender={"127.0.0.1": "NICU/1/9"}) as door:
        for control, bed in (("1", "NICU^^^EAST"), ("2", "NICU^1"), ("3", "^^BED 3")):
            assert (await door.ask(text.vitals(control=control, bed=bed)))[1] == f"MSA|AA|{control}"
        assert [len(await door.batches(bed)) for bed in ("NICU/1/9", "NICU/1/", "//BED 3")] == [1, 1, 1]


async def test_the_site_s_bed_is_not_given_to_a_message_about_several_infants(
    opening: Any, address: Any, text: Any
) -> None:
    two = text.vitals(bed="", mrn="77") + b"PID|||88^^^HOSP^MR\rOBX|1|NM|HR||150|/min\r"
    async with opening(address, hl7_bed_by_sender={"127.0.0.1": "NICU/1/9"}) as door:
        assert (await door.ask(two))[1].startswith("MSA|AE|1|PV1-3")
        assert await door.batches("NICU/1/9") == []


async def test_a_message_about_two_beds_is_stored_for_each(door: Any, text: Any) -> None:
    two = text.vitals(mrn="77") + b"PID|||88^^^HOSP^MR\rPV1||I|NICU^1^4\rOBX|1|NM|HR||150|/min\r"
    assert (await door.ask(two))[1] == "MSA|AA|1"
    assert [len(await door.batches(bed)) for bed in ("NICU/1/3", "NICU/1/4")] == [1, 1]


async def test_training_messages_are_taken_and_flagged(door: Any, text: Any) -> None:
    await door.ask(text.vitals().replace(b"|P|2.6", b"|T|2.6"))
    (batch,) = await door.batches()
    assert batch.processing is Processing.TRAINING


async def test_a_message_without_vitals_is_acknowledged_and_makes_no_bed_active(door: Any) -> None:
    laboratory = b"MSH|^~\\&|LAB||||20260704||ORU^R01|5|P|2.3\rPV1||I|NICU^1^3\rOBX|1|NM|718-7^Hb^LN||140|g/L|||||F\r"
    assert (await door.ask(laboratory))[1] == "MSA|AA|5"
    assert await door.batches() == []


async def test_enhanced_mode_is_answered_with_a_commit(door: Any, text: Any) -> None:
    assert (await door.ask(text.vitals().replace(b"|P|2.6", b"|P|2.6|||AL|NE")))[1] == "MSA|CA|1"


async def test_a_sender_that_wants_no_answer_gets_none(door: Any, text: Any) -> None:
    connection = await door.connect()
    await connection.write(b"\x0b" + text.vitals(control="1").replace(b"|P|2.6", b"|P|2.6|||NE|NE") + b"\x1c\x0d")
    assert (await connection.ask(text.vitals(control="2")))[1] == "MSA|AA|2"
    assert len(await door.batches()) == 2
