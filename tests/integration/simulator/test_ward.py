"""A ward in real time against a listener and a device API."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from neopain.errors import ConfigurationError
from neopain.runtime.service import Running
from neopain.simulator.service import serve_ward
from neopain.simulator.settings import SimulatorSettings
from neopain.wire.v1 import device_pb2 as pb

if TYPE_CHECKING:
    from .conftest import DeviceApi, Listener, Until


@pytest.fixture
def settings(listener: Listener, device_api: DeviceApi, tmp_path: Path) -> SimulatorSettings:
    return SimulatorSettings(
        beds=2,
        seed=1,
        hl7_port=listener.port,
        device_target=device_api.target,
        status_path=tmp_path / "ward.json",
        status_seconds=0.1,
        discharges=True,
    )


@contextlib.asynccontextmanager
async def opened(settings: SimulatorSettings) -> AsyncIterator[Running]:
    """The ward, while it runs; stopped and finished after the block."""
    running = Running()
    task = asyncio.create_task(serve_ward(running, settings=settings))
    try:
        yield running
    finally:
        running.stop()
        await asyncio.wait_for(task, 20)


def of_type(listener: Listener, message_type: str) -> list[str]:
    return [message for message in listener.messages if message.split("|")[8].startswith(message_type)]


async def test_the_infants_are_admitted_before_their_monitors_speak(
    listener: Listener, settings: SimulatorSettings, until: Until
) -> None:
    async with opened(settings):
        await until(lambda: len(listener.messages) >= 4)

    assert [message.split("|")[8] for message in listener.messages[:4]] == ["ADT^A01^ADT_A01"] * 2 + [
        "ORU^R01^ORU_R01"
    ] * 2


async def test_each_bed_sends_frames_sound_and_beats(
    device_api: DeviceApi, settings: SimulatorSettings, until: Until
) -> None:
    beds = {"NICU/R1/1@SIM", "NICU/R1/2@SIM"}
    async with opened(settings):
        await until(lambda: {one.bed for one in device_api.frames} == beds)
        await until(lambda: {one.bed for one in device_api.audio} == beds)
        await until(lambda: {one.bed for one in device_api.vitals} == beds)

    assert {len(one.pcm) for one in device_api.audio} == {16_000}
    assert {one.sample_rate_hz for one in device_api.audio} == {16_000}


async def test_a_bed_s_devices_say_that_they_are_a_simulator_s(
    device_api: DeviceApi, settings: SimulatorSettings, until: Until
) -> None:
    async with opened(settings.model_copy(update={"beds": 1})):
        await until(lambda: len(device_api.frames) > 0)

    assert device_api.metadata["neopain-processing"] == "T"
    assert device_api.metadata["neopain-device"] == "simulator NICU/R1/1@SIM"


async def test_a_frame_is_a_jpeg_with_the_face_in_its_box(
    device_api: DeviceApi, settings: SimulatorSettings, until: Until
) -> None:
    async with opened(settings):
        await until(lambda: len(device_api.frames) > 0)
    frame = device_api.frames[0]
    picture = cv2.imdecode(np.frombuffer(frame.data, np.uint8), cv2.IMREAD_COLOR)

    assert frame.format == pb.PIXEL_FORMAT_JPEG
    assert picture is not None
    assert picture.shape == (frame.height, frame.width, 3)
    assert frame.face.width > 100


async def test_the_sound_of_a_bed_has_no_gap(device_api: DeviceApi, settings: SimulatorSettings, until: Until) -> None:
    async with opened(settings):
        await until(lambda: len(device_api.audio) >= 6)
    starts = [one.source_us for one in device_api.audio if one.bed == "NICU/R1/1@SIM"]

    assert {after - before for before, after in pairwise(starts)} == {500_000}


async def test_no_beat_is_sent_twice_or_left_out(
    device_api: DeviceApi, settings: SimulatorSettings, until: Until
) -> None:
    async with opened(settings):
        await until(lambda: len(device_api.vitals) >= 8)
    beats = [value for one in device_api.vitals if one.bed == "NICU/R1/1@SIM" for value in one.values]
    steps = [after.source_us - before.source_us for before, after in pairwise(beats)]

    assert len(beats) >= 3
    assert np.allclose([step / 1000 for step in steps], [value.value for value in beats[1:]], atol=0.01)


async def test_the_status_agrees_with_what_the_servers_took(
    listener: Listener, device_api: DeviceApi, settings: SimulatorSettings, until: Until
) -> None:
    async with opened(settings):
        await until(lambda: len(device_api.frames) >= 10)
    assert settings.status_path is not None
    status = json.loads(settings.status_path.read_text())

    assert status["hl7_sent"] == status["hl7_acknowledged"] == len(listener.messages)
    assert status["frames_accepted"] == len(device_api.frames)
    assert status["audio_seconds"] == len(device_api.audio) / 2


async def test_the_status_names_bed_infant_and_truth(settings: SimulatorSettings, until: Until) -> None:
    path = settings.status_path
    assert path is not None
    async with opened(settings):
        await until(lambda: path.exists() and json.loads(path.read_text())["beds"][0]["hl7_acknowledged"] > 0)
        bed = json.loads(path.read_text())["beds"][0]

    assert (bed["bed"], bed["mrn"], bed["assigning_authority"]) == ("NICU/R1/1@SIM", "SIM01001", "NEOPAIN-SIM")
    assert bed["procedure"] == "baseline"
    assert bed["latent_pain"] == pytest.approx(0.4)
    assert datetime.fromisoformat(json.loads(path.read_text())["started"]).utcoffset() is not None


async def test_a_ward_that_closes_may_discharge_its_infants(
    listener: Listener, settings: SimulatorSettings, until: Until
) -> None:
    async with opened(settings):
        await until(lambda: len(of_type(listener, "ADT^A01")) == 2)

    assert len(of_type(listener, "ADT^A03")) == 2


async def test_the_infants_stay_unless_told_otherwise(
    listener: Listener, settings: SimulatorSettings, until: Until
) -> None:
    async with opened(settings.model_copy(update={"discharges": False})):
        await until(lambda: len(of_type(listener, "ADT^A01")) == 2)

    assert of_type(listener, "ADT^A03") == []


async def test_no_two_messages_share_a_control_id(
    listener: Listener, settings: SimulatorSettings, until: Until
) -> None:
    async with opened(settings):
        await until(lambda: len(listener.messages) >= 8)

    assert len(set(listener.received)) == len(listener.received)
    assert max(len(control_id) for control_id in listener.received) <= 20


async def test_a_status_path_in_no_folder_refuses_to_start(settings: SimulatorSettings, tmp_path: Path) -> None:
    nowhere = settings.model_copy(update={"status_path": tmp_path / "nowhere" / "ward.json"})

    with pytest.raises(ConfigurationError, match=r"NEOPAIN_SIMULATOR_STATUS_PATH: .*nowhere is no folder"):
        await serve_ward(Running(), settings=nowhere)
