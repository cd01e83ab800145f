"""``neopain dead-letters``: what was rejected is shown as it came, and a person puts it in again without harm."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from neopain.bus.deadletters import list_letters, list_replays, put_aside
from neopain.bus.streams import CENSUS, DRUGS, VITALS
from neopain.cli import run
from neopain.codecs.mllp import Frame
from neopain.domain.deadletter import DeadLetter, ReplayOutcome
from neopain.domain.identity import BedId, SourceId
from neopain.ingest.hl7.intake import Intake
from neopain.ingest.hl7.sender import Sender
from neopain.ingest.hl7.sources import SourceFacts, Sources
from neopain.ingest.settings import IngestSettings
from neopain.runtime.clock import SystemClock

Command = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[3]
BY = ("--by", "engineer 3", "--reason", "the bed is set now")
BED = {"NEOPAIN_INGEST_HL7_BED_BY_SENDER": json.dumps({"127.0.0.1": "NICU/1/9"})}


@pytest.fixture
def environment(address: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands' bus is the test's."""
    monkeypatch.setenv("NEOPAIN_BUS_URL", address.bus_url)
    monkeypatch.setenv("NEOPAIN_BUS_MEDIA_URLS", json.dumps(address.media_urls))
    monkeypatch.setenv("NEOPAIN_BUS_NAMESPACE", address.namespace)


@pytest.fixture
def letters(environment: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``neopain dead-letters ...``; gives exit code, output lines and errors."""

    async def letters(*arguments: str, **settings: str) -> tuple[int, list[str], str]:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        code = await asyncio.to_thread(run, ["dead-letters", *arguments])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return letters


async def the_letter(door: Any) -> str:
    ((letter_id, _),) = await list_letters(door.bus)
    return str(letter_id)


async def test_a_letter_is_shown_with_its_diagnosis_and_every_sign_visible(
    door: Any, text: Any, letters: Command
) -> None:
    await door.ask(text.vitals(control="17", bed="").replace(b"MDC||142", b"MDC|\x07\xff|142"))
    code, out, _ = await letters("show", await the_letter(door))
    assert code == 0
    assert out[2:7] == [
        "origin      hl7",
        "source      hl7:MON/NICU at 127.0.0.1",
        "control id  17",
        "place       PV1-3",
        "rule        the bed is required; a sender that cannot name it needs one in NEOPAIN_INGEST_HL7_SOURCES",
    ]
    assert out[8].startswith("    1  MSH|^~\\&|MON|NICU|")
    assert out[8].endswith("|2.6\\r")
    assert out[10] == "    3  OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|\\x07\\xff|142|/min|||||R\\r"


async def test_a_message_whose_bytes_may_be_halves_of_characters_is_refused_by_its_control_id_and_kept(
    door: Any, text: Any
) -> None:
    raw = text.adt("A01", control="9").replace(b"X^Y", "育".encode("big5"))
    answer = await door.ask(raw)
    assert answer[1].startswith("MSA|AR|9")
    ((_, letter),) = await list_letters(door.bus)
    assert (letter.location, letter.raw) == ("MSH-18", raw)


async def test_an_unknown_letter_is_named_and_nothing_is_replayed(door: Any, letters: Command) -> None:
    assert (await letters("show", "1-0"))[0] == 2
    code, _, err = await letters("replay", "1-0", *BY)
    assert (code, "no dead letter has the id 1-0" in err) == (2, True)


async def test_once_the_sender_has_its_bed_the_message_is_stored_as_the_listener_would_have(
    door: Any, text: Any, letters: Command
) -> None:
    await door.ask(text.vitals(control="17", bed=""))
    letter_id = await the_letter(door)
    code, out, _ = await letters("replay", letter_id, *BY, **BED)
    assert (code, out) == (0, [f"{letter_id}  accepted"])
    (batch,) = await door.batches("NICU/1/9")
    ((_, letter),) = await list_letters(door.bus)
    assert (batch.control_id, str(batch.source), batch.samples[0].value) == ("17", "hl7:MON/NICU", 142.0)
    assert batch.samples[0].timing.received == letter.received


async def test_a_sender_that_is_told_by_its_certificate_is_known_again(
    door: Any, text: Any, letters: Command, tmp_path: Path
) -> None:
    settings, sender = IngestSettings(), Sender("127.0.0.1", ("gateway.east.example",))
    intake = Intake(door.bus, settings, SystemClock(), Sources((), SourceFacts(UTC)))
    await intake.take(Frame(text.vitals(control="17", bed="")), sender)
    letter_id = await the_letter(door)
    _, out, _ = await letters("show", letter_id)
    assert out[4] == "certificate gateway.east.example"
    file, authority = tmp_path / "sources.toml", tmp_path / "senders.pem"
    file.write_text('[[source]]\nname = "gw"\ncertificates = ["gateway.east.example"]\nbed = "NICU/1/9@EAST"\n')
    files = {"NEOPAIN_INGEST_HL7_SOURCES": str(file), "NEOPAIN_INGEST_HL7_TLS_CLIENT_CA": str(authority)}
    code, out, _ = await letters("replay", letter_id, *BY, **files)
    assert (code, out) == (0, [f"{letter_id}  accepted"])
    assert len(await door.batches("NICU/1/9@EAST")) == 1


async def test_who_replayed_it_and_why_is_a_fact_before_and_after(door: Any, text: Any, letters: Command) -> None:
    await door.ask(text.vitals(control="17", bed=""))
    await letters("replay", await the_letter(door), *BY, **BED)
    begun, ended = await list_replays(door.bus)
    assert (begun.outcome, ended.outcome) == (ReplayOutcome.BEGUN, ReplayOutcome.ACCEPTED)
    assert (ended.by, ended.reason, ended.control_id) == ("engineer 3", "the bed is set now", "17")


async def test_what_is_still_wrong_is_rejected_again_and_stays(door: Any, text: Any, letters: Command) -> None:
    await door.ask(text.vitals(control="17", bed=""))
    letter_id = await the_letter(door)
    code, out, _ = await letters("replay", letter_id, *BY)
    assert (code, out[0].startswith(f"{letter_id}  rejected  PV1-3: the bed is required")) == (1, True)
    assert await the_letter(door) == letter_id
    code, out, _ = await letters("replay", letter_id, *BY, **BED)
    assert (code, out) == (0, [f"{letter_id}  accepted"])


async def test_a_second_replay_of_what_was_accepted_does_nothing(door: Any, text: Any, letters: Command) -> None:
    await door.ask(text.vitals(control="17", bed=""))
    letter_id = await the_letter(door)
    await letters("replay", letter_id, *BY, **BED)
    code, out, _ = await letters("replay", letter_id, *BY)
    assert (code, out[0].startswith(f"{letter_id}  replayed before  accepted at ")) == (0, True)
    assert len(await door.batches("NICU/1/9")) == 1
    assert len(await list_replays(door.bus)) == 2


async def test_all_of_one_rule_are_replayed_and_others_left(door: Any, text: Any, letters: Command) -> None:
    for control in ("1", "2"):
        await door.ask(text.vitals(control=control, bed=""))
    await door.ask(text.vitals(control="3").replace(b"ORU^R01^ORU_R01", b"SIU^S12"))
    code, out, _ = await letters("replay", "--all", "--rule", "pv1-3: the bed is", "--json", *BY, **BED)
    assert (code, [json.loads(line)["outcome"] for line in out]) == (0, ["accepted", "accepted"])
    _, listed, _ = await letters("list")
    assert [line.endswith("[replayed: accepted]") for line in listed] == [True, True, False]


@pytest.mark.parametrize("arguments", [(), ("--all",), ("--rule", "x"), ("1-0", "--all", "--rule", "x")])
async def test_a_replay_names_letters_or_a_rule_and_not_both(letters: Command, arguments: tuple[str, ...]) -> None:
    code, _, err = await letters("replay", *arguments, *BY)
    assert (code, "--all --rule" in err) == (2, True)


async def put_old(door: Any, message: bytes, *, age: timedelta, **changes: Any) -> str:
    letter = DeadLetter(
        origin="hl7",
        source=SourceId("hl7", "MON/NICU"),
        raw=message,
        location="PID-3",
        reason="a rule of before",
        received=datetime.now(UTC) - age,
        control_id="9",
        address="127.0.0.1",
    )
    return await put_aside(door.bus, replace(letter, **changes))


async def test_vitals_whose_windows_are_closed_are_not_applied(door: Any, text: Any, letters: Command) -> None:
    letter_id = await put_old(door, text.vitals(control="9"), age=timedelta(minutes=11))
    code, out, _ = await letters("replay", letter_id, *BY)
    assert (code, "not applied  its vitals are older than 10 min" in out[0]) == (1, True)
    assert await door.batches() == []


async def test_an_admission_is_applied_when_nothing_was_told_since(door: Any, text: Any, letters: Command) -> None:
    letter_id = await put_old(door, text.adt("A01", control="9", mrn="77"), age=timedelta(hours=5))
    code, out, _ = await letters("replay", letter_id, *BY)
    assert (code, out) == (0, [f"{letter_id}  accepted"])
    assert (await door.bed("NICU/1/3")).infant.identifiers[0].value == "77"


@pytest.mark.parametrize(
    ("since", "told"),
    [
        (("A01", "77", "NICU^1^4"), "bed NICU/1/4 has changed since"),  # it was moved on
        (("A01", "88", "NICU^1^3"), "bed NICU/1/3 has changed since"),  # another lies there now
        (("A01", "88", "NICU^1^4"), ""),  # nothing of this bed or infant
    ],
)
async def test_an_old_admission_must_not_undo_what_was_told_since(
    door: Any, text: Any, letters: Command, since: tuple[str, str, str], told: str
) -> None:
    trigger, mrn, bed = since
    letter_id = await put_old(door, text.adt("A01", control="9", mrn="77"), age=timedelta(hours=5))
    await door.ask(text.adt(trigger, control="10", mrn=mrn, bed=bed))
    facts = len(await door.bus.read_range(CENSUS))
    code, out, _ = await letters("replay", letter_id, *BY)
    assert (code, told in out[0], "not applied" in out[0]) == (int(bool(told)), True, bool(told))
    assert (len(await door.bus.read_range(CENSUS)) == facts) is bool(told)


async def test_bytes_that_were_cut_off_are_never_believed(door: Any, text: Any, letters: Command) -> None:
    fault = "the message has no end block (0x1C) and breaks off within a segment"
    letter_id = await put_old(door, text.vitals(control="9"), age=timedelta(0), fault=fault)
    code, out, _ = await letters("replay", letter_id, *BY)
    assert (code, "not replayable" in out[0], fault in out[0]) == (1, True, True)
    assert (await door.batches(), await list_replays(door.bus)) == ([], [])


async def test_what_is_no_hl7_message_is_shown_and_refused_with_the_reason(door: Any, letters: Command) -> None:
    letter_id = await put_old(door, b"\x0a\x03NICU", age=timedelta(0), origin="ticks", location="", control_id="")
    _, out, _ = await letters("show", letter_id)
    assert out[-1].startswith("000000  0a 03 4e 49 43 55 ")
    assert out[-1].endswith(" ..NICU")
    code, out, _ = await letters("replay", letter_id, *BY)
    assert (code, out[0]) == (
        1,
        f"{letter_id}  not replayable  its window is over: a score made now would be of a window whose data are no "
        "longer kept",
    )


async def test_a_replay_that_is_killed_at_any_moment_can_be_repeated_and_stores_everything_once(
    door: Any, text: Any, letters: Command, eventually: Any
) -> None:
    for control in range(30):
        await door.ask(text.vitals(control=str(control), bed=""))
    env = {**os.environ, **BED, "PYTHONPATH": str(ROOT / "services")}
    argv = [sys.executable, "-m", "neopain", "dead-letters", "replay", "--all", "--rule", "bed is required", *BY]
    process = await asyncio.to_thread(subprocess.Popen, argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    async def has_begun() -> bool:
        return len(await door.batches("NICU/1/9")) >= 3 or process.poll() is not None

    assert await eventually(has_begun, seconds=180)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(await list_letters(door.bus)) == 30
    code, out, _ = await letters("replay", "--all", "--rule", "bed is required", *BY, **BED)
    assert (code, len(out)) == (0, 30)
    batches = await door.batches("NICU/1/9")
    assert sorted(int(one.control_id) for one in batches) == list(range(30))


async def test_drugs_may_be_replayed_however_late(door: Any, text: Any, letters: Command) -> None:
    message = (
        b"MSH|^~\\&|PHARM|H|||20260704120005+0000||RAS^O17|9|P|2.5\rPID|||77^^^HOSP^MR\rORC|RE|O1\r"
        b"RXA|0|1|20260704120000+0000||N02AA01^morphine^ATC|1|mg\r"
    )
    letter_id = await put_old(door, message, age=timedelta(days=3))
    assert (await letters("replay", letter_id, *BY))[:2] == (0, [f"{letter_id}  accepted"])
    assert len(await door.bus.read_range(DRUGS)) == 1
    assert await door.bus.read_range(VITALS, bed=BedId("NICU/1/3")) == []
