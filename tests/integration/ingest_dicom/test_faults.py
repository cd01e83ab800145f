"""When something breaks: the process is really killed, nobody scores, an object cannot be read."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pynetdicom.association import Association

from neopain.bus.bus import Bus
from neopain.bus.deadletters import list_letters
from neopain.embedded.loopback import free_port
from neopain.embedded.process import Child, Command
from neopain.embedded.state import StateFolder
from neopain.errors import TransientError
from neopain.ingest.dicom import scp
from neopain.ingest.dicom.processing import Processor
from neopain.ingest.dicom.spool import Spool, Spooled
from neopain.ingest.dicom.turn import Turn, TurnNotCome
from neopain.ingest.stream import replay

from ...dicom_objects import as_bytes, audio_object, video_object
from .conftest import Door, MakeDoor, Scorer, until
from .test_refusals import send_half

pytestmark = pytest.mark.usefixtures("abandoned_sockets")

ROOT = Path(__file__).resolve().parents[3]
SECOND = np.zeros(8_000, np.int16)


def process_of(door: Door, folder: Path) -> Child:
    """``neopain ingest dicom`` with the door's settings, not started."""
    address, settings = door.bus.address, door.settings
    env = {
        "PYTHONPATH": str(ROOT / "services"),
        "NEOPAIN_BUS_URL": address.bus_url,
        "NEOPAIN_BUS_MEDIA_URLS": json.dumps(address.media_urls),
        "NEOPAIN_BUS_NAMESPACE": address.namespace,
        "NEOPAIN_INGEST_DICOM_PORT": str(settings.dicom_port),
        "NEOPAIN_INGEST_DICOM_SPOOL": str(settings.dicom_spool),
        "NEOPAIN_INGEST_DICOM_REPORTS": str(settings.dicom_reports),
        "NEOPAIN_INGEST_DICOM_RESERVE_BYTES": "0",
    }
    argv = (sys.executable, "-m", "neopain", "ingest", "dicom")
    return Child(Command("ingest-dicom", argv, env=env, cwd=ROOT), StateFolder(folder))


async def listening(door: Door) -> None:
    async def connects() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", door.settings.dicom_port)
        except OSError:
            return False
        writer.close()
        return True

    deadline = asyncio.get_running_loop().time() + 60
    while not await connects():
        assert asyncio.get_running_loop().time() < deadline, "the door does not listen"
        await asyncio.sleep(0.05)


async def test_what_was_answered_is_scored_after_a_kill_and_what_was_not_is_gone(
    door: Door, bus: Bus, tmp_path: Path
) -> None:
    child = process_of(door, tmp_path / "state")
    await asyncio.to_thread(child.start)
    await listening(door)
    objects = [audio_object(SECOND, uid=uid) for uid in ("1.2.3.71", "1.2.3.72")]
    answers = await asyncio.to_thread(door.store, *objects)
    video = video_object(bytes(1_000_000))
    with door.associated([video]) as sender:
        context = next(one for one in sender.accepted_contexts if one.abstract_syntax != "1.2.840.10008.1.1")
        await asyncio.to_thread(send_half, sender, context.context_id, video)
        await until(lambda: len(door.incoming()) == 1)
        await asyncio.to_thread(child.kill)
        await until(lambda: not sender.is_established)
    left = len(door.waiting())
    scorer = Scorer(bus)
    scoring = asyncio.create_task(scorer.run())
    await asyncio.to_thread(child.start)
    await door.emptied(seconds=60)
    await asyncio.to_thread(child.stop)
    scorer.is_stopped = True
    await scoring
    assert ([one.Status for one in answers], left) == ([0, 0], 2)
    assert sorted(path.name for path in door.reports.iterdir()) == ["1.2.3.71.json", "1.2.3.72.json"]
    assert len({tick.bed for tick in scorer.ticks}) >= 2


async def test_objects_are_taken_while_one_of_several_media_servers_is_away(bus: Bus, tmp_path: Path) -> None:
    address = bus.address
    urls = (*address.media_urls, f"redis://127.0.0.1:{free_port()}/0")
    lacking = Bus(replace(address, media_urls=urls))
    door = Door(lacking, tmp_path)
    async with asyncio.timeout(20), door.opened():
        answers = await asyncio.to_thread(door.store, audio_object(SECOND, uid="1.2.3.73"))
    await lacking.aclose()
    assert ([one.Status for one in answers], len(door.waiting())) == ([0], 1)


def begin_pdu(association: Association, *, length: int = 1000, sent: int = 10) -> None:
    """The head of a P-DATA-TF of that length, and so many bytes of it."""
    association.dul.socket.socket.sendall(struct.pack(">BBL", 0x04, 0, length) + bytes(sent))


def part_of(video: Dataset, sender: Association) -> None:
    """Half an object, and the beginning of one more PDU."""
    context = next(one for one in sender.accepted_contexts if one.abstract_syntax != "1.2.840.10008.1.1")
    send_half(sender, context.context_id, video)
    while not sender.dul.to_provider_queue.empty():
        time.sleep(0.01)
    time.sleep(0.1)
    begin_pdu(sender)
    time.sleep(1.0)  # until the door waits for the rest


def is_stored(door: Door, dataset: Dataset) -> bool:
    """Whether the door has a place, and takes the object."""
    with door.associated([dataset]) as sender:
        return sender.is_established and sender.send_c_store(dataset).Status == 0


async def test_a_sender_that_falls_silent_within_a_pdu_makes_room_and_leaves_nothing(make_door: MakeDoor) -> None:
    door, video = make_door(dicom_idle_seconds=2.0, dicom_most_associations=1), video_object(bytes(1_000_000))
    async with door.opened():
        with door.associated([video]) as silent:
            await asyncio.to_thread(part_of, video, silent)
            await until(lambda: len(door.incoming()) == 1)
            await until(lambda: door.incoming() == [])
            await until(lambda: is_stored(door, audio_object(SECOND)))
        assert len(door.waiting()) == 1


async def test_a_sender_may_pause_within_a_pdu_for_longer_than_within_its_request(
    make_door: MakeDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scp, "NEGOTIATION_SECONDS", 0.3)
    door, video = make_door(dicom_idle_seconds=30.0), video_object(bytes(1_000_000))
    async with door.opened():
        with door.associated([video]) as pausing:
            await asyncio.to_thread(part_of, video, pausing)
            assert (len(door.incoming()), pausing.is_established) == (1, True)


async def test_a_sender_that_falls_silent_within_its_request_makes_room(
    make_door: MakeDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scp, "NEGOTIATION_SECONDS", 0.3)
    door = make_door(dicom_most_associations=1)
    async with door.opened():
        with socket.create_connection(("127.0.0.1", door.settings.dicom_port)) as silent:
            silent.sendall(b"\x01\x00\x00")
            await asyncio.sleep(1.0)
            answers = await asyncio.to_thread(door.store, audio_object(SECOND))
    assert [one.Status for one in answers] == [0]


async def test_whoever_looks_whether_the_port_is_open_holds_no_place(make_door: MakeDoor) -> None:
    door = make_door(dicom_most_associations=1)
    async with door.opened():
        for sent in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x01\x00\xff\xff\xff\xff" + bytes(50)):
            with socket.create_connection(("127.0.0.1", door.settings.dicom_port)) as looking:
                looking.sendall(sent)
            await asyncio.sleep(0.5)
            answers = await asyncio.to_thread(door.store, audio_object(SECOND))
            assert [one.Status for one in answers] == [0]


@pytest.fixture
def kept(door: Door) -> Callable[..., Spooled]:
    """Puts an object into the spool as if it had been answered."""

    def keep(spool: Spool, data: bytes) -> Spooled:
        path = spool.incoming / "tmp1.dcm"
        path.write_bytes(data)
        return spool.keep(path, caller="CAMERA1", received=datetime.now(UTC))

    return keep


Keep = Callable[[Spool, bytes], Spooled]


async def test_without_a_scoring_worker_an_object_waits(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "PATIENCE_SECONDS", 0.1)
    async with door.opened():
        await asyncio.to_thread(door.store, audio_object(SECOND))
        await asyncio.sleep(0.5)
        assert len(door.waiting()) == 1
    (waiting,) = door.waiting()
    assert waiting.name.split(".")[1] == "0"


async def test_a_stop_does_not_wait_for_scores_that_nobody_gives(make_door: MakeDoor) -> None:
    door = make_door(dicom_drain_seconds=20.0)
    async with door.opened():
        await asyncio.to_thread(door.store, audio_object(SECOND))
        await until(lambda: [path.name.split(".")[1] for path in door.waiting()] == ["1"])
        began = time.monotonic()
    assert time.monotonic() - began < 10.0
    (waiting,) = door.waiting()
    assert waiting.name.split(".")[1] == "0"


async def test_an_object_that_cannot_be_scored_is_put_aside_with_a_letter(
    door: Door, bus: Bus, kept: Keep, scorer: Scorer
) -> None:
    spool = Spool(door.spool, reserve_bytes=0)
    kept(spool, b"no DICOM")
    good = kept(spool, as_bytes(audio_object(SECOND)))
    await Processor(bus, spool, door.settings).process_all()
    ((_, letter),) = await list_letters(bus)
    (aside,) = spool.aside()
    spool.close()
    assert (letter.origin, letter.location, letter.raw) == ("dicom", f"aside/{aside.path.name}", b"")
    assert "object: is no DICOM that can be read" in letter.reason
    assert aside.path.read_bytes() == b"no DICOM"
    assert (door.waiting(), good.path.exists()) == ([], False)


async def test_an_object_whose_scoring_ended_the_process_three_times_is_put_aside(
    door: Door, bus: Bus, kept: Keep
) -> None:
    spool = Spool(door.spool, reserve_bytes=0)
    spooled = kept(spool, as_bytes(audio_object(SECOND)))
    for _ in range(3):
        spooled = spool.begin(spooled)
    await Processor(bus, spool, door.settings).process_all()
    ((_, letter),) = await list_letters(bus)
    spool.close()
    assert letter.reason == "its scoring failed or ended the process 3 times"
    assert (door.waiting(), len(list((door.spool / "aside").iterdir()))) == ([], 1)


async def test_a_stop_gives_an_object_back_to_the_spool(make_door: MakeDoor, scorer: Scorer) -> None:
    door = make_door()
    async with door.opened():
        await asyncio.to_thread(door.store, audio_object(np.zeros(8_000 * 600, np.int16)))
        await until(lambda: len(scorer.ticks) > 3)
    (waiting,) = door.waiting()
    assert (waiting.name.split(".")[1], door.incoming()) == ("0", [])


async def test_an_object_whose_scores_cannot_be_kept_waits(
    make_door: MakeDoor, bus: Bus, kept: Keep, scorer: Scorer, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    door = make_door(dicom_reports=tmp_path / "file")
    with Spool(door.spool, reserve_bytes=0) as spool:
        kept(spool, as_bytes(audio_object(SECOND)))
        with pytest.raises(TransientError, match="NEOPAIN_INGEST_DICOM_REPORTS"):
            await Processor(bus, spool, door.settings).process_all()
        assert [one.attempts for one in spool.waiting()] == [0]


async def test_an_object_waits_where_its_turn_to_be_read_does_not_come(door: Door, bus: Bus, kept: Keep) -> None:
    with Spool(door.spool, reserve_bytes=0) as spool:
        kept(spool, as_bytes(audio_object(SECOND)))
        spool.turn = Turn(patience_seconds=0.0)
        with spool.turn.taken(), pytest.raises(TurnNotCome):
            await Processor(bus, spool, door.settings).process_all()
        assert [one.attempts for one in spool.waiting()] == [0]
