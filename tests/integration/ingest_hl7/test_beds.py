"""``neopain beds``: who lies where, and a person's release of a held bed as a fact on the bus."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from neopain.bus.streams import CENSUS
from neopain.cli import run
from neopain.domain.census import DEVICE_DISAGREES, TWO_INFANTS, Release
from neopain.wire.census import decode_bed_state

Command = Callable[..., Any]


@pytest.fixture
def beds(address: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``neopain beds ...`` on the test's bus; gives exit code, output and errors."""
    monkeypatch.setenv("NEOPAIN_BUS_URL", address.bus_url)
    monkeypatch.setenv("NEOPAIN_BUS_MEDIA_URLS", json.dumps(address.media_urls))
    monkeypatch.setenv("NEOPAIN_BUS_NAMESPACE", address.namespace)

    async def beds(*arguments: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(run, ["beds", *arguments])
        return (code, *capsys.readouterr())

    return beds


async def test_beds_are_listed_with_what_holds_them_and_since_when(door: Any, text: Any, beds: Command) -> None:
    await door.ask(text.adt("A01", control="1", mrn="77"))
    await door.ask(text.adt("A01", control="2", mrn="88", bed="NICU^1^4"))
    await door.ask(text.vitals(control="3", mrn="99"))
    code, out, _ = await beds()
    held, free = out.splitlines()
    held_since = (await door.bed("NICU/1/3")).held_since
    assert (code, free) == (0, "NICU/1/4  88|HOSP  since 2026-07-04 11:59:00Z")
    assert held.startswith("NICU/1/3  77|HOSP  since 2026-07-04 11:59:00Z  HELD since ")
    assert held.endswith(f"{held_since:%H:%M:%S}Z: {DEVICE_DISAGREES}")
    _, out, _ = await beds("--held", "--json")
    (told,) = [json.loads(line) for line in out.splitlines()]
    assert (told["bed"], told["infants"], told["held_reason"]) == ("NICU/1/3", ["77|HOSP"], DEVICE_DISAGREES)
    assert [one["patient"] for one in told["disputes"]] == ["99|HOSP"]


async def test_the_device_that_holds_a_bed_is_listed(door: Any, text: Any, beds: Command) -> None:
    await door.ask(text.adt("A01", mrn="77"))
    await door.ask(text.association("88"))
    _, out, _ = await beds("--held", "--json")
    (told,) = [json.loads(line) for line in out.splitlines()]
    assert [(one["source"], one["patient"]) for one in told["disputes"]] == [("device:PUMP7|1234", "88|HOSP")]


async def test_a_release_is_a_fact_that_says_who_and_why(door: Any, text: Any, beds: Command) -> None:
    await door.ask(text.adt("A01", control="1", mrn="77"))
    await door.ask(text.vitals(control="2", mrn="88"))
    code, out, _ = await beds("release", "NICU/1/3", "--by", "nurse 12", "--reason", "looked at the band")
    assert (code, out.strip()) == (0, "NICU/1/3  77|HOSP  since 2026-07-04 11:59:00Z")
    last = decode_bed_state((await door.bus.read_range(CENSUS))[-1].payload)
    assert (last.release, last.is_held) == (Release("nurse 12", "looked at the band"), False)


async def test_the_device_that_was_decided_against_does_not_hold_the_bed_again(
    door: Any, text: Any, beds: Command
) -> None:
    await door.ask(text.adt("A01", control="1", mrn="77"))
    await door.ask(text.vitals(control="2", mrn="88"))
    await beds("release", "NICU/1/3", "--by", "nurse 12", "--reason", "looked at the band")
    facts = len(await door.bus.read_range(CENSUS))
    await door.ask(text.vitals(control="3", mrn="88"))
    assert len(await door.bus.read_range(CENSUS)) == facts


async def test_of_two_infants_a_person_must_say_which_lies_there(door: Any, text: Any, beds: Command) -> None:
    await door.ask(text.adt("A01", control="1", mrn="77"))
    await door.ask(text.adt("A01", control="2", mrn="88"))
    said = ("release", "NICU/1/3", "--by", "nurse 12", "--reason", "looked at the band")
    code, _, err = await beds(*said)
    assert (code, "say with --infant which of 77|HOSP, 88|HOSP lies there" in err) == (2, True)
    assert (await door.bed("NICU/1/3")).held_reason == TWO_INFANTS
    assert (await beds(*said, "--infant", "99"))[0] == 2
    code, out, _ = await beds(*said, "--infant", "88")
    assert (code, out.split()[1]) == (0, "88|HOSP")


@pytest.mark.parametrize(("bed", "word"), [("NICU/1/3", "is not held"), ("NICU/9/9", "is in no message so far")])
async def test_there_is_nothing_to_release_of_a_free_or_unknown_bed(
    door: Any, text: Any, beds: Command, bed: str, word: str
) -> None:
    await door.ask(text.adt("A01", control="1"))
    code, _, err = await beds("release", bed, "--by", "nurse 12", "--reason", "looked")
    assert (code, word in err) == (2, True)


async def test_a_release_by_nobody_or_for_no_reason_is_refused(beds: Command) -> None:
    with pytest.raises(SystemExit):
        await beds("release", "NICU/1/3", "--by", " ", "--reason", "looked")
    with pytest.raises(SystemExit):
        await beds("release", "NICU/1/3", "--by", "nurse 12")
