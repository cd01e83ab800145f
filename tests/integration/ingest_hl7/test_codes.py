"""Codes that no table knows are listed with source, unit and number, and the site's file makes them known."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from neopain.bootstrap.codes import list_codes
from neopain.bus.bus import Bus
from neopain.bus.unknown_codes import MOST_CODES, SeenCode, add_unknown, list_unknown
from neopain.domain.identity import SourceId
from neopain.errors import ConfigurationError
from neopain.ingest.hl7.vitals import read_codes

NOW = datetime(2026, 7, 4, 12, tzinfo=UTC)
SITE = "system,code,name,kind,rank\nEHC,4711,HR,heart_rate,0\n"


def message(control: str) -> bytes:
    lines = [
        rf"MSH|^~\&|MON|NICU|||20260704120005+0000||ORU^R01^ORU_R01|{control}|P|2.6",
        "PV1||I|NICU^1^3",
        "OBX|1|NM|4711^Puls^EHC||142|1^bpm^EHC|||||R|||20260704120000+0000",
    ]
    return "".join(f"{line}\r" for line in lines).encode()


@pytest.fixture
async def bus(address: Any) -> AsyncIterator[Bus]:
    """The bus of this test."""
    one = Bus(address)
    yield one
    await one.aclose()


def seen(code: str, *, seconds: float = 0.0, count: int = 1) -> SeenCode:
    return SeenCode(SourceId("hl7", "MON"), "EHC", code, "Puls", "bpm", count, NOW + timedelta(seconds=seconds))


async def test_an_unknown_code_is_listed_with_its_source_and_unit_and_how_often_it_came(
    opening: Any, address: Any, bus: Bus
) -> None:
    async with opening(address) as door:
        for control in ("1", "2", "3"):
            assert (await door.ask(message(control)))[1] == f"MSA|AA|{control}"
    (found,) = await list_unknown(bus)
    assert (found.source, found.system, found.code, found.name, found.unit, found.count) == (
        SourceId("hl7", "MON/NICU"),
        "EHC",
        "4711",
        "Puls",
        "bpm",
        3,
    )


async def test_the_site_s_file_makes_a_code_known(opening: Any, address: Any, bus: Bus, tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text(SITE)
    async with opening(address, vital_codes=path) as door:
        await door.ask(message("1"))
        (batch,) = await door.batches()
    assert [(one.value, one.code) for one in batch.samples] == [(142.0, "4711")]
    assert await list_unknown(bus) == []


async def test_a_known_code_in_an_unknown_unit_and_one_that_its_name_contradicts_are_listed(
    opening: Any, address: Any, bus: Bus
) -> None:
    async with opening(address) as door:
        for control, old, new in (
            ("1", b"4711^Puls^EHC||142|1^bpm^EHC", b"147842^MDC_ECG_HEART_RATE^MDC||142|1^furlong^EHC"),
            ("2", b"4711^Puls^EHC", b"147842^MDC_PULS_OXIM_SAT_O2^MDC"),
        ):
            assert (await door.ask(message(control).replace(old, new)))[1] == f"MSA|AA|{control}"
    listed = {(one.system, one.code, one.name, one.unit, one.count) for one in await list_unknown(bus)}
    assert listed == {
        ("MDC", "147842", "MDC_ECG_HEART_RATE", "furlong", 1),
        ("MDC", "147842", "MDC_PULS_OXIM_SAT_O2", "bpm", 1),
    }


async def test_of_a_full_list_the_code_that_was_not_seen_for_longest_goes(bus: Bus) -> None:
    await add_unknown(bus, [seen(str(number), seconds=number) for number in range(MOST_CODES)])
    await add_unknown(bus, [seen("0", seconds=5000), seen("new", seconds=6000, count=7)])
    listed = {one.code: one.count for one in await list_unknown(bus)}
    assert len(listed) == MOST_CODES
    assert (listed["0"], listed["new"], listed.get("1")) == (2, 7, None)


def test_the_command_prints_the_registry_in_force_and_what_it_does_not_know(
    address: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import asyncio

    async def put() -> None:
        bus = Bus(address)
        furlong = SeenCode(SourceId("hl7", "MON"), "MDC", "147842", "MDC_ECG_HEART_RATE", "furlong", 1, NOW)
        others = [replace(furlong, unit="bpm"), replace(furlong, unit="bpm", name="MDC_PULS_OXIM_SAT_O2")]
        await add_unknown(bus, [seen("4711"), seen("9"), furlong, *others])
        await bus.aclose()

    asyncio.run(put())
    path = tmp_path / "codes.csv"
    path.write_text(SITE)
    monkeypatch.setenv("NEOPAIN_BUS_URL", address.bus_url)
    monkeypatch.setenv("NEOPAIN_BUS_MEDIA_URLS", json.dumps(list(address.media_urls)))
    monkeypatch.setenv("NEOPAIN_BUS_NAMESPACE", address.namespace)
    monkeypatch.setenv("NEOPAIN_INGEST_VITAL_CODES", str(path))
    assert list_codes(only_unknown=False, as_json=True) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    known = [(one["system"], one["code"], one["kind"]) for one in rows if one["status"] == "known"]
    assert ("EHC", "4711", "heart_rate") in known
    assert ("MDC", "147842", "heart_rate") in known
    unknown = {(one["status"], one["code"], one["unit"], one["source"]) for one in rows if one["status"] != "known"}
    assert unknown == {
        ("unknown", "9", "bpm", "hl7:MON"),
        ("unit unknown", "147842", "furlong", "hl7:MON"),
        ("code and name differ", "147842", "bpm", "hl7:MON"),
    }


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="NEOPAIN_INGEST_VITAL_CODES"):
        read_codes(tmp_path / "none.csv")
