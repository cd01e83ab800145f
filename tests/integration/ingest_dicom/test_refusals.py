"""Who is not let in, what is not taken, and that nothing of it stays."""

from __future__ import annotations

import asyncio
import io
import socket
from collections import namedtuple
from collections.abc import Callable

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode

from neopain.errors import ConfigurationError
from neopain.ingest.dicom import spool as spool_module
from neopain.ingest.dicom.scp import StorageScp

from ...dicom_objects import audio_object, video_object
from .conftest import Door, MakeDoor, until

pytestmark = pytest.mark.usefixtures("abandoned_sockets")

SILENCE = np.zeros(16_000, np.int16)
Usage = namedtuple("Usage", ("total", "used", "free"))


async def test_only_callers_on_the_list_are_let_in(make_door: MakeDoor) -> None:
    door = make_door(dicom_callers=["CAMERA1"])
    async with door.opened():
        with door.associated([], caller="CAMERA2") as stranger:
            refused = (stranger.is_rejected, stranger.acceptor.primitive.diagnostic)
        with door.associated([], caller="CAMERA1") as known:
            admitted = known.is_established
    assert refused == (True, 0x03)
    assert admitted


async def test_another_title_than_ours_is_not_answered_for(make_door: MakeDoor) -> None:
    door = make_door(dicom_ae_title="OTHER")
    async with door.opened():
        with door.associated([]) as association:
            assert (association.is_rejected, association.acceptor.primitive.diagnostic) == (True, 0x07)


async def test_without_a_list_the_door_opens_on_this_machine_alone(make_door: MakeDoor) -> None:
    with pytest.raises(ConfigurationError, match=r"would let anybody in on 0\.0\.0\.0"):
        async with make_door(dicom_host="0.0.0.0").opened():  # noqa: S104 - refused is what is tested
            pass


async def test_without_a_spool_the_door_does_not_open(make_door: MakeDoor) -> None:
    with pytest.raises(ConfigurationError, match="set NEOPAIN_INGEST_DICOM_SPOOL"):
        async with make_door(dicom_spool=None).opened():
            pass


async def test_a_spool_belongs_to_one_process(door: Door, make_door: MakeDoor) -> None:
    async with door.opened():
        with pytest.raises(ConfigurationError, match="in use by another process"):
            async with make_door().opened():
                pass


async def test_with_a_low_disk_senders_are_rejected_and_an_echo_is_answered(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with door.opened():
        monkeypatch.setattr(spool_module.shutil, "disk_usage", lambda _: Usage(100, 100, 0))
        with door.associated([audio_object(SILENCE)]) as sender:
            reject = sender.acceptor.primitive
        with door.associated([]) as other:
            echo = await asyncio.to_thread(other.send_c_echo)
    assert (reject.result, reject.result_source, reject.diagnostic) == (2, 3, 2)
    assert echo.Status == 0x0000


async def test_an_object_that_comes_while_the_disk_gets_low_is_refused_and_gone(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with door.opened():
        with door.associated([audio_object(SILENCE)]) as sender:
            monkeypatch.setattr(StorageScp, "watch", lambda _: None)
            monkeypatch.setattr(spool_module.shutil, "disk_usage", lambda _: Usage(100, 100, 0))
            status = await asyncio.to_thread(sender.send_c_store, audio_object(SILENCE))
    assert (status.Status, status.ErrorComment) == (0xA700, "the spool's disk is low")
    assert (door.waiting(), door.incoming()) == ([], [])


@pytest.mark.parametrize(
    ("make", "status", "comment"),
    [
        (lambda: video_object(b"no video at all" * 9), 0xC000, "object: is no video or sound file"),
        (lambda: audio_object(SILENCE, rate_hz=100.0), 0xC000, "object: sound at 100 Hz"),
        (lambda: audio_object(np.zeros(80_000, np.int16)), 0xA701, "waveforms above 100000 bytes are not taken"),
    ],
)
async def test_what_cannot_be_scored_stays_with_its_sender(
    make_door: MakeDoor, make: Callable[[], Dataset], status: int, comment: str
) -> None:
    door = make_door(dicom_largest_waveform_bytes=100_000)
    async with door.opened():
        (answer,) = await asyncio.to_thread(door.store, make())
        left = (door.waiting(), door.incoming())
    assert (answer.Status, str(answer.ErrorComment).startswith(comment)) == (status, True), answer.ErrorComment
    assert left == ([], [])


async def cut_off(door: Door, *, abort: bool) -> None:
    """Sends half of a video, then aborts (A-ABORT) or hangs up; returns when the half has arrived."""
    stream = bytes(1_000_000)
    with door.associated([video_object(stream)]) as sender:
        context = next(one for one in sender.accepted_contexts if one.abstract_syntax != "1.2.840.10008.1.1")
        await asyncio.to_thread(send_half, sender, context.context_id, video_object(stream))
        await until(lambda: [path.stat().st_size > 100_000 for path in door.incoming()] == [True])
        if abort:
            await asyncio.to_thread(sender.abort)
        else:
            sender.dul.socket.socket.shutdown(socket.SHUT_RDWR)


def send_half(sender: Association, context_id: int, dataset: Dataset) -> None:
    """A C-STORE request and the first half of its data set, as PS3.8 annex E cuts them."""
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    request.DataSet = io.BytesIO(encode(dataset, False, True))
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    parts = list(message.encode_msg(context_id, 16_382))
    for part in parts[: len(parts) // 2]:
        sender.dul.send_pdu(part)


@pytest.mark.parametrize("abort", [True, False])
async def test_an_association_that_ends_in_the_middle_of_an_object_leaves_nothing(door: Door, abort: bool) -> None:
    async with door.opened():
        await cut_off(door, abort=abort)
        await until(lambda: door.incoming() == [])
        assert door.waiting() == []


async def test_an_association_that_fills_the_disk_is_aborted(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    async with door.opened():
        stream = bytes(1_000_000)
        with door.associated([video_object(stream)]) as sender:
            context = next(one for one in sender.accepted_contexts if one.abstract_syntax != "1.2.840.10008.1.1")
            await asyncio.to_thread(send_half, sender, context.context_id, video_object(stream))
            await until(lambda: len(door.incoming()) == 1)
            monkeypatch.setattr(spool_module.shutil, "disk_usage", lambda _: Usage(100, 100, 0))
            await until(lambda: sender.is_aborted)
    assert door.incoming() == []
