"""What holds for single senders, at the door: who may connect, how they are answered, their zone, facility and bed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

SOURCES = """
[[source]]
name = "quiet"
application = "QUIET"
acknowledgement = "never"

[[source]]
name = "committing"
application = "COMMIT"
acknowledgement = "commit"

[[source]]
name = "vs8"
networks = ["127.0.0.0/8"]
application = "VS8"
acknowledgement = "original"
zone = "Europe/Berlin"
default_facility = "WEST"
bed = "NICU/9/9@WEST"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sources.toml"
    path.write_text(SOURCES)
    return path


def vitals(application: str, *, accept: str, apply: str, zone: str = "", bed: str = "NICU^1^3") -> bytes:
    """An ORU^R01 with a heart rate at noon, its times with or without an offset, MSH-15 and -16 as given."""
    lines = [
        rf"MSH|^~\&|{application}|N|||20260704120005{zone}||ORU^R01^ORU_R01|7|P|2.6|||{accept}|{apply}",
        *([f"PV1||I|{bed}"] if bed else []),
        f"OBR|1||||||20260704120000{zone}",
        "OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC||142|/min|||||R",
    ]
    return "".join(f"{line}\r" for line in lines).encode()


@pytest.mark.parametrize(
    ("application", "asked", "answer"),
    [
        ("OTHER", ("AL", "NE"), "MSA|CA|7"),
        ("OTHER", ("", ""), "MSA|AA|7"),
        ("VS8", ("AL", "NE"), "MSA|AA|7"),
        ("COMMIT", ("", ""), "MSA|CA|7"),
        ("COMMIT", ("NE", "AL"), "MSA|CA|7"),
    ],
)
async def test_a_source_is_answered_as_the_site_says(
    opening: Any, address: Any, file: Path, *, application: str, asked: tuple[str, str], answer: str
) -> None:
    async with opening(address, hl7_sources=file) as door:
        assert (await door.ask(vitals(application, accept=asked[0], apply=asked[1])))[1] == answer


async def test_a_source_that_wants_no_answers_gets_none_and_is_stored(
    opening: Any, address: Any, file: Path, eventually: Any
) -> None:
    async with opening(address, hl7_sources=file) as door:
        connection = await door.connect()
        await connection.write(b"\x0b" + vitals("QUIET", accept="AL", apply="AL") + b"\x1c\x0d")

        async def is_stored() -> bool:
            return len(await door.batches()) == 1

        assert await eventually(is_stored)
        # The next answer on this connection is that to the next message.
        assert (await connection.ask(vitals("OTHER", accept="", apply="")))[1] == "MSA|AA|7"


async def test_a_refusal_is_answered_as_the_site_says_too(opening: Any, address: Any, file: Path) -> None:
    async with opening(address, hl7_sources=file) as door:
        answer = await door.ask(b"MSH|^~\\&|COMMIT|N|||20260704120005||ORU^R02|7|P|2.6\r")
        assert answer[1].startswith("MSA|CR|7")


async def test_a_source_has_its_zone_facility_and_bed(opening: Any, address: Any, file: Path) -> None:
    async with opening(address, hl7_sources=file, site_zone="America/New_York") as door:
        await door.ask(vitals("VS8", accept="", apply=""))
        await door.ask(vitals("VS8", accept="", apply="", bed=""))
        await door.ask(vitals("OTHER", accept="", apply=""))
        zoned = [await door.batches(bed) for bed in ("NICU/1/3@WEST", "NICU/9/9@WEST", "NICU/1/3")]
    times = [[sample.timing.source.isoformat() for batch in one for sample in batch.samples] for one in zoned]
    assert times == [
        ["2026-07-04T10:00:00+00:00"],
        ["2026-07-04T10:00:00+00:00"],
        ["2026-07-04T16:00:00+00:00"],
    ]


async def test_an_address_that_is_not_listed_is_closed_unread_and_counted(
    opening: Any, address: Any, text: Any
) -> None:
    def refused() -> float:
        return REGISTRY.get_sample_value("neopain_ingest_closed_total", {"why": "address not allowed"}) or 0.0

    before = refused()
    async with opening(address, hl7_allowed_networks=["10.20.0.0/16"]) as door:
        connection = await door.connect()
        assert await connection.is_closed()
    assert refused() - before == 1
    async with opening(address, hl7_allowed_networks=["10.20.0.0/16", "127.0.0.0/8"]) as door:
        assert (await door.ask(text.vitals(control="1")))[1] == "MSA|AA|1"
