"""ADT over MLLP: who lies where on the bus, as a hash of beds and a stream of facts."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from neopain.bus.census import Written, read_census, write_beds
from neopain.bus.streams import CENSUS
from neopain.domain.census import DEVICE_DISAGREES, TWO_INFANTS, UPDATE_DISAGREES, BedState
from neopain.domain.identity import PatientId
from neopain.ingest.hl7 import association
from neopain.wire.census import decode_bed_state


async def facts(door: Any) -> list[BedState]:
    return [decode_bed_state(entry.payload) for entry in await door.bus.read_range(CENSUS)]


async def who(door: Any, bed: str) -> str:
    state = await door.bed(bed)
    return state.infant.identifiers[0].value if state and state.infant else ""


async def test_an_admission_is_on_the_bus_when_it_is_acknowledged(door: Any, text: Any) -> None:
    assert (await door.ask(text.adt("A01", control="12")))[1] == "MSA|AA|12"
    (fact,) = await facts(door)
    assert (fact.bed, fact.control_id, await door.bed("NICU/1/3")) == ("NICU/1/3", "12", fact)


async def test_an_admission_of_an_old_sender_names_its_trigger_in_evn_1(door: Any, text: Any) -> None:
    old = text.adt("A01", control="12").replace(b"ADT^A01", b"ADT").replace(b"EVN||", b"EVN|A01|")
    assert (await door.ask(old))[1] == "MSA|AA|12"
    assert await who(door, "NICU/1/3") == "77"


async def test_transfer_and_discharge_follow(door: Any, text: Any) -> None:
    await door.ask(text.adt("A01", control="1"))
    await door.ask(text.adt("A02", control="2", bed="NICU^1^4"))
    assert (await who(door, "NICU/1/3"), await who(door, "NICU/1/4")) == ("", "77")
    await door.ask(text.adt("A03", control="3", bed="NICU^1^4"))
    assert await who(door, "NICU/1/4") == ""


async def test_a_repeated_discharge_does_not_empty_the_bed_after_a_readmission(door: Any, text: Any) -> None:
    for trigger, control in (("A01", "1"), ("A03", "2"), ("A01", "3")):
        await door.ask(text.adt(trigger, control=control))
    assert (await door.ask(text.adt("A03", control="2")))[1] == "MSA|AA|2"
    assert await who(door, "NICU/1/3") == "77"


async def test_a_trigger_that_is_not_applied_is_acknowledged_and_changes_nothing(door: Any, text: Any) -> None:
    await door.ask(text.adt("A01", control="1"))
    for number, trigger in enumerate(("A05", "A21", "A50", "Z01"), start=2):
        assert (await door.ask(text.adt(trigger, control=str(number))))[1] == f"MSA|AA|{number}"
    assert len(await facts(door)) == 1


async def test_a_swap_that_is_acknowledged_and_not_applied_holds_both_beds(door: Any, text: Any) -> None:
    await door.ask(text.adt("A01", control="1", mrn="77", bed="NICU^1^3"))
    await door.ask(text.adt("A01", control="2", mrn="88", bed="NICU^1^4"))
    swap = text.adt("A17", control="3", mrn="77", bed="NICU^1^4")
    other = text.adt("A17", control="3", mrn="88", bed="NICU^1^3")
    rest = [line for line in other.split(b"\r") if line.startswith((b"PID", b"PV1"))]
    answer = await door.ask(b"\r".join([swap.rstrip(b"\r"), *rest, b""]))
    assert answer[1] == "MSA|AA|3"
    assert [(await door.bed(bed)).held_reason for bed in ("NICU/1/3", "NICU/1/4")] == [UPDATE_DISAGREES] * 2


async def test_a_discharge_that_is_cancelled_never_was(door: Any, text: Any) -> None:
    await door.ask(text.adt("A01", control="1"))
    admitted = await door.bed("NICU/1/3")
    await door.ask(text.adt("A03", control="2"))
    assert (await door.ask(text.adt("A13", control="3")))[1] == "MSA|AA|3"
    back = await door.bed("NICU/1/3")
    assert (back.infant, back.since) == (admitted.infant, admitted.since)


async def test_a_merge_renames_the_infant_in_its_bed(door: Any, text: Any) -> None:
    await door.ask(text.adt("A01", control="1", mrn="T1"))
    merge = text.adt("A40", control="2", mrn="77").rstrip(b"\r") + b"\rMRG|T1^^^HOSP^MR\r"
    assert (await door.ask(merge))[1] == "MSA|AA|2"
    assert await who(door, "NICU/1/3") == "77"
    await door.ask(text.vitals(control="3", mrn="T1"))
    assert not (await door.bed("NICU/1/3")).is_held


async def test_two_infants_in_one_bed_hold_it_until_one_leaves(door: Any, text: Any) -> None:
    await door.ask(text.adt("A01", control="1", mrn="77"))
    await door.ask(text.adt("A01", control="2", mrn="88"))
    held = await door.bed("NICU/1/3")
    assert held.held_reason == TWO_INFANTS
    await door.ask(text.adt("A03", control="3", mrn="77"))
    assert (await who(door, "NICU/1/3"), (await door.bed("NICU/1/3")).is_held) == ("88", False)


async def test_a_device_that_names_another_infant_holds_the_bed_until_it_agrees(
    door: Any, text: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(association, "QUIET", timedelta(0))
    await door.ask(text.adt("A01", control="1", mrn="77"))
    await door.ask(text.vitals(control="2", mrn="88"))
    assert (await door.bed("NICU/1/3")).held_reason == DEVICE_DISAGREES
    assert len(await door.batches()) == 1

    numbers = iter(range(3, 1000))

    async def is_free() -> bool:
        await door.ask(text.vitals(control=str(next(numbers)), mrn="77"))
        return not (await door.bed("NICU/1/3")).is_held

    assert await eventually(is_free)


async def test_a_device_that_names_the_infant_by_its_second_number_agrees(door: Any, text: Any) -> None:
    await door.ask(text.adt("A01", control="1", mrn="77"))
    await door.ask(text.vitals(control="2", mrn="X9^^^CENTRAL^MR~77"))
    assert not (await door.bed("NICU/1/3")).is_held
    assert [one.patient for one in await door.batches()] == [PatientId("77", "HOSP")]


async def test_a_device_that_names_nobody_or_the_right_infant_holds_nothing(door: Any, text: Any) -> None:
    await door.ask(text.adt("A01", control="1", mrn="77"))
    await door.ask(text.vitals(control="2", mrn=""))
    await door.ask(text.vitals(control="3", mrn="77"))
    assert not (await door.bed("NICU/1/3")).is_held
    assert len(await facts(door)) == 1


async def test_many_admissions_at_once_over_two_doors_are_all_applied(opening: Any, address: Any, text: Any) -> None:
    async with opening(address) as one, opening(address) as other:
        asked = [
            (one, other)[number % 2].ask(text.adt("A01", control=str(number), bed=f"NICU^1^{number}", mrn=f"M{number}"))
            for number in range(20)
        ]
        answers = await asyncio.gather(*asked)
        assert all(answer[1].startswith("MSA|AA") for answer in answers)
        census = await read_census(one.bus)
        assert {state.infant.identifiers[0].value for state in census.beds.values()} == {f"M{n}" for n in range(20)}
        assert len(await facts(one)) == 20


async def test_a_write_on_an_old_version_changes_nothing(door: Any, text: Any) -> None:
    old = await read_census(door.bus)
    await door.ask(text.adt("A01"))
    state = await door.bed("NICU/1/3")
    assert await write_beds(door.bus, [state], version=old.version, mark="x") is Written.CONFLICT
    assert len(await facts(door)) == 1
