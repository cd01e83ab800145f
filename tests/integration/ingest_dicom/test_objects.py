"""Objects from a sender to their scores."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime

import numpy as np
import pytest

from neopain.bus.bus import Bus
from neopain.bus.streams import SCORES
from neopain.domain.identity import is_recording
from neopain.domain.media import AudioChunk, FaceFrame
from neopain.domain.vitals import VitalKind, VitalsBatch
from neopain.wire.score import decode_score

from ...dicom_objects import BODY_POSITION, FAMILY_NAME, MRN, audio_object, ecg_object, video_object
from .conftest import Door, MakeDoor, Scorer

START = datetime(2026, 3, 2, 7, 0, 0, 250_000, tzinfo=UTC)


async def test_an_echo_is_answered(door: Door) -> None:
    async with door.opened():
        with door.associated([]) as association:
            status = await asyncio.to_thread(association.send_c_echo)
    assert status.Status == 0x0000


async def test_a_video_becomes_frames_and_sound_at_its_acquisition_time(
    make_door: MakeDoor, scorer: Scorer, mp4: bytes
) -> None:
    door = make_door(dicom_face_boxes={"CAMERA1": (0, 0, 100, 100)})
    async with door.opened():
        (status,) = await asyncio.to_thread(door.store, video_object(mp4))
        await door.emptied()
    assert status.Status == 0x0000
    frames = [one for one in scorer.seen["frames"] if isinstance(one, FaceFrame)]
    sound = [one for one in scorer.seen["audio"] if isinstance(one, AudioChunk)]
    assert frames[0].timing.aligned == START
    assert (frames[0].absence, len(frames[0].crop)) == (None, 224 * 224 * 3)
    assert sum(len(one.pcm) for one in sound) == pytest.approx(2 * 2 * 16_000, abs=4096)
    assert str(frames[0].source) == "dicom:CAMERA1"
    assert [tick.window_end for tick in scorer.ticks] == [START.replace(second=1), START.replace(second=2)]


async def test_an_object_is_a_recording_of_its_own_and_leaves_nothing_behind(
    door: Door, bus: Bus, scorer: Scorer
) -> None:
    tone = np.round(8_000 * np.sin(np.arange(16_000) * 0.3)).astype(np.int16)
    async with door.opened():
        await asyncio.to_thread(door.store, audio_object(tone, uid="1.2.3.1"), audio_object(tone, uid="1.2.3.2"))
        await door.emptied()
    scores = [decode_score(entry.payload) for entry in await bus.read_range(SCORES)]
    beds = {score.bed for score in scores}
    assert (len(scores), len(beds), all(is_recording(bed) for bed in beds)) == (4, 2, True)
    assert await bus.active_beds(within=datetime.now(UTC) - START) == set()
    assert [path.name for path in door.spool.rglob("*") if path.is_file()] == ["lock"]


async def test_of_an_ecg_the_heart_beats_are_vitals(door: Door, scorer: Scorer) -> None:
    times = np.arange(12 * 250) / 250
    beats = np.arange(0.3, 11.9, 0.4)
    wave = sum(np.exp(-0.5 * ((times - beat) / 0.008) ** 2) for beat in beats)
    async with door.opened():
        await asyncio.to_thread(door.store, ecg_object(np.round(400 * wave).astype(np.int16)))
        await door.emptied()
    batches = [one for one in scorer.seen["vitals"] if isinstance(one, VitalsBatch)]
    first, last = batches[0].samples, batches[-1].samples
    assert (first[0].kind, first[0].value) == (VitalKind.RR_INTERVAL, pytest.approx(400.0, abs=2))
    assert (first[0].timing.aligned - START).total_seconds() == pytest.approx(0.7, abs=0.005)
    assert (last[1].kind, last[1].value) == (VitalKind.HEART_RATE, pytest.approx(150.0, abs=0.5))


async def test_the_scores_of_an_object_are_kept_under_its_uid_without_its_patient(door: Door, scorer: Scorer) -> None:
    async with door.opened():
        await asyncio.to_thread(door.store, audio_object(np.zeros(24_000, np.int16), uid="1.2.3.44"))
        await door.emptied()
    text = (door.reports / "1.2.3.44.json").read_text()
    report = json.loads(text)
    assert (report["caller"], report["acquired"]) == ("CAMERA1", "2026-03-02T07:00:00.250000+00:00")
    assert [(one["seconds"], one["score"]) for one in report["scores"]] == [(1, 3.0), (2, 3.0), (3, 3.0)]
    assert report["charted"] is False
    assert (FAMILY_NAME in text, MRN in text) == (False, False)


async def test_a_signal_that_no_score_rests_on_is_answered_so(door: Door) -> None:
    signal = ecg_object(np.zeros(250, np.int16))
    signal.SOPClassUID = signal.file_meta.MediaStorageSOPClassUID = BODY_POSITION
    async with door.opened():
        (status,) = await asyncio.to_thread(door.store, signal)
        assert (status.Status, door.waiting()) == (0xB006, [])
    assert status.ErrorComment == "read; no score rests on this signal yet; not kept"


async def test_no_log_line_names_the_patient(
    door: Door, scorer: Scorer, caplog: pytest.LogCaptureFixture, mp4: bytes
) -> None:
    caplog.set_level(logging.DEBUG)
    async with door.opened():
        broken = ecg_object(np.zeros(250, np.int16))
        del broken.WaveformSequence[0].SamplingFrequency
        await asyncio.to_thread(door.store, video_object(mp4), broken)
        await door.emptied()
    told = [f"{record.name} {record.getMessage()} {record.__dict__.get('fields')}" for record in caplog.records]
    assert len([line for line in told if "object_answered" in line]) == 2
    assert not [line for line in told if line.startswith(("pynetdicom", "pydicom"))]
    assert not [line for line in told if FAMILY_NAME in line or MRN in line]
