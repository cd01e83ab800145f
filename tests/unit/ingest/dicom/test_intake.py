"""What an object is answered, and what of it stays; the spool is a real folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from pydicom.dataset import Dataset

from neopain.codecs.dicom.instance import Instance
from neopain.ingest.dicom import intake as intake_module
from neopain.ingest.dicom.intake import Answer, Intake, Status
from neopain.ingest.dicom.spool import Spool
from neopain.ingest.dicom.turn import Turn, TurnNotCome
from neopain.ingest.settings import IngestSettings
from neopain.runtime.clock import SystemClock

from ....dicom_objects import FAMILY_NAME, GENERAL_AUDIO, MRN, PHOTOGRAPHIC, as_bytes, audio_object, video_object

SECOND = np.zeros(8_000, np.int16)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path, reserve_bytes=0) as spool:
        yield spool


def take(spool: Spool, dataset: Dataset, uid: str = "1.2.3.30", *, sop_class: str = GENERAL_AUDIO) -> Answer:
    path = spool.incoming / "tmp.dcm"
    path.write_bytes(as_bytes(dataset))
    intake = Intake(spool, IngestSettings(), SystemClock(), lambda: None)
    return intake.take(path, caller="CAMERA1", sop_class=sop_class, uid=uid)


def test_an_object_that_can_be_scored_is_stored(spool: Spool) -> None:
    assert take(spool, audio_object(SECOND)) == Answer(Status.STORED)
    assert len(spool.waiting()) == 1


def test_an_object_of_another_instance_than_the_requests_is_refused(spool: Spool) -> None:
    assert take(spool, audio_object(SECOND), "9.9.9").status is Status.NOT_ITS_CLASS
    assert spool.waiting() == []


def test_a_comment_names_the_attribute_and_nothing_of_the_patient(spool: Spool) -> None:
    dataset = audio_object(SECOND)
    del dataset.WaveformSequence[0].SamplingFrequency
    answer = take(spool, dataset)
    assert answer == Answer(Status.NOT_UNDERSTOOD, "WaveformSequence[1].SamplingFrequency: is missing")
    assert (FAMILY_NAME in answer.comment, MRN in answer.comment) == (False, False)


def test_a_disk_that_does_not_take_it_is_out_of_resources(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "keep", full)
    assert take(spool, audio_object(SECOND)).status is Status.OUT_OF_RESOURCES


def test_a_fault_of_ours_leaves_the_object_with_its_sender(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(intake_module, "check_media", broken)
    assert take(spool, audio_object(SECOND)).status is Status.FAILED
    assert spool.waiting() == []


def test_a_waveform_whose_turn_does_not_come_stays_with_its_sender(spool: Spool) -> None:
    spool.turn = Turn(patience_seconds=0.0)
    with spool.turn.taken():
        answer = take(spool, audio_object(SECOND))
    assert answer == Answer(Status.OUT_OF_RESOURCES, "other waveforms are being read")
    assert spool.waiting() == []
    assert take(spool, audio_object(SECOND)).status is Status.STORED


def test_a_waveform_is_read_while_no_other_is(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    spool.turn, read = Turn(patience_seconds=0.0), intake_module.read_instance

    def reading(file: BinaryIO, *, site_zone: ZoneInfo) -> Instance:
        with pytest.raises(TurnNotCome), spool.turn.taken():
            pass
        return read(file, site_zone=site_zone)

    monkeypatch.setattr(intake_module, "read_instance", reading)
    assert take(spool, audio_object(SECOND)).status is Status.STORED


def test_the_turn_passes_on_after_an_object_that_cannot_be_read(spool: Spool) -> None:
    spool.turn = Turn(patience_seconds=0.0)
    dataset = audio_object(SECOND)
    del dataset.WaveformSequence[0].SamplingFrequency
    assert take(spool, dataset).status is Status.NOT_UNDERSTOOD
    assert take(spool, audio_object(SECOND)).status is Status.STORED


def test_a_video_whose_header_is_too_long_is_too_large(spool: Spool) -> None:
    dataset = video_object(b"no stream")
    dataset.WaveformSequence = audio_object(np.zeros(3_000_000, np.int16)).WaveformSequence
    dataset["WaveformSequence"].is_undefined_length = True
    dataset.WaveformSequence.is_undefined_length = True

    answer = take(spool, dataset, "1.2.3.10", sop_class=PHOTOGRAPHIC)

    assert answer == Answer(Status.TOO_LARGE, "object: more than 4194304 bytes of its header would have to be read")
    assert spool.waiting() == []


def test_a_video_waits_for_no_waveform(spool: Spool) -> None:
    spool.turn = Turn(patience_seconds=0.0)
    with spool.turn.taken():
        answer = take(spool, video_object(b"no stream"), "1.2.3.10", sop_class=PHOTOGRAPHIC)
    assert answer.status is Status.NOT_UNDERSTOOD
