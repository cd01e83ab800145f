"""IHE PCIM at the door: a device-patient association becomes a fact of its bed, and holds it where ADT disagrees."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from neopain.bus.census import BedReader, last_contradiction
from neopain.bus.streams import VITALS
from neopain.domain.census import ASSOCIATION_DISAGREES, CensusEventKind
from neopain.domain.identity import BedId, PatientId, SourceId
from neopain.domain.vitals import Processing
from neopain.ingest.hl7.association import Association, Said

NOON = datetime(2026, 7, 4, 12, tzinfo=UTC)


async def test_an_association_that_agrees_is_a_fact_of_the_bed_and_no_vitals(door: Any, text: Any) -> None:
    await door.ask(text.adt("A01", mrn="77"))
    assert (await door.ask(text.association("77")))[1] == "MSA|CA|7"
    state = await door.bed("NICU/1/3")
    assert (state.is_held, state.source) == (False, "hl7:DPAR/GH")
    assert [(one.device, one.patient) for one in state.associations] == [("device:PUMP7|1234", PatientId("77", "HOSP"))]
    assert await door.bus.read_range(VITALS, bed=BedId("NICU/1/3")) == []


async def test_one_that_contradicts_adt_holds_the_bed_until_it_ends(door: Any, text: Any) -> None:
    await door.ask(text.adt("A01", mrn="77"))
    await door.ask(text.association("88"))
    assert (await door.bed("NICU/1/3")).held_reason == ASSOCIATION_DISAGREES
    await door.ask(text.association("88", value="198334", control="8"))
    state = await door.bed("NICU/1/3")
    assert (state.is_held, state.infant.identifiers[0].value, state.associations) == (False, "77", ())


async def test_a_device_that_was_not_freed_holds_the_bed_of_the_next_infant(door: Any, text: Any) -> None:
    await door.ask(text.adt("A01", mrn="77"))
    await door.ask(text.association("77"))
    await door.ask(text.adt("A03", mrn="77", control="2"))
    await door.ask(text.adt("A01", mrn="88", control="3"))
    assert (await door.bed("NICU/1/3")).held_reason == ASSOCIATION_DISAGREES


async def test_an_association_that_cannot_be_read_is_refused_and_kept(door: Any, text: Any) -> None:
    await door.ask(text.adt("A01", mrn="77"))
    answer = await door.ask(text.association("77", device=""))
    assert answer[1].startswith("MSA|CE|7|PRT-10: the device of the association is required")
    assert (await door.bed("NICU/1/3")).associations == ()


def said(bed: BedId, moment: datetime, number: str = "77") -> Said:
    return Said(bed, (PatientId(number, "HOSP"),), SourceId("hl7", "MON"), Processing.PRODUCTION, moment)


async def test_beds_are_looked_up_again_when_the_census_has_changed_and_not_before(
    door: Any, text: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[BedId] = []
    look_up = BedReader.read

    async def watched(reader: BedReader, bed: BedId) -> Any:
        read.append(bed)
        return await look_up(reader, bed)

    monkeypatch.setattr(BedReader, "read", watched)
    await door.ask(text.adt("A01", control="1"))
    one, two = BedId("NICU/1/3"), BedId("NICU/1/4")
    known = Association(door.bus)

    async def judged(bed: BedId, second: float) -> CensusEventKind | None:
        moment = NOON + timedelta(seconds=second)
        found = await known.judge(said(bed, moment))
        assert known.is_settled(said(bed, moment)) is (found is None)
        return found

    assert [await judged(bed, second) for second in (0, 1.5, 3, 4.5) for bed in (one, two)] == [None] * 8
    assert read == [one, two]
    assert not known.is_settled(said(one, NOON + timedelta(seconds=6)))
    await door.ask(text.adt("A01", control="2", mrn="88", bed="NICU^1^4"))
    assert [await judged(bed, 5) for bed in (one, two)] == [None, None]
    assert [await judged(bed, 6) for bed in (one, two)] == [None, CensusEventKind.CONTRADICTED]
    assert read == [one, two, one, two]


async def test_a_device_at_another_listener_that_disagrees_keeps_the_bed_held(door: Any, text: Any) -> None:
    await door.ask(text.adt("A01", control="1"))
    await door.ask(text.vitals(control="2", mrn="88"))
    state = await door.bed("NICU/1/3")
    (source,) = {one.source for one in state.disputes}
    gateway, bed = SourceId("hl7", source.removeprefix("hl7:")), BedId("NICU/1/3")
    here, there = Association(door.bus), Association(door.bus)

    async def judged(listener: Association, second: float, number: str) -> CensusEventKind | None:
        one = said(bed, NOON + timedelta(days=1000, seconds=second), number)._replace(source=gateway)
        # Whoever takes the short way has nothing to tell anybody.
        return None if listener.is_settled(one) else await listener.judge(one)

    for second in range(0, 400, 50):
        assert await judged(there, second, "88") is None
        assert await judged(here, second + 1, "77") is None
    assert await judged(here, 469, "77") is None
    assert await judged(here, 471, "77") is CensusEventKind.CONFIRMED


async def test_a_listener_whose_clock_was_ahead_holds_no_bed_until_then_and_goes_on_telling(
    door: Any, text: Any
) -> None:
    await door.ask(text.adt("A01", control="1"))
    await door.ask(text.vitals(control="2", mrn="88"))
    (dispute,) = (await door.bed("NICU/1/3")).disputes
    gateway, bed = SourceId("hl7", dispute.source.removeprefix("hl7:")), BedId("NICU/1/3")
    ahead, here = Association(door.bus), Association(door.bus)

    async def judged(listener: Association, second: float, number: str) -> CensusEventKind | None:
        return await listener.judge(said(bed, NOON + timedelta(seconds=second), number)._replace(source=gateway))

    async def forget() -> None:
        # As after ten minutes.
        await door.bus.durable.delete(door.bus.key("census", "contradicted", str(gateway), bed))

    await judged(ahead, 86_400, "88")
    assert await judged(here, -121, "77") is None
    assert await judged(here, 0, "77") is None
    await forget()
    assert await judged(here, 121, "77") is CensusEventKind.CONFIRMED

    await judged(ahead, 130, "88")
    assert await last_contradiction(door.bus, bed, gateway) == NOON + timedelta(seconds=130)
