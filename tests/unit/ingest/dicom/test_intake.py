"""What an object is answered, and what of it stays; the spool is a real folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from neopain.ingest.dicom import intake as intake_module
from neopain.ingest.dicom.intake import Answer, Intake, Status
from neopain.ingest.dicom.spool import Spool
from neopain.ingest.settings import IngestSettings
from neopain.runtime.clock import SystemClock

from ....dicom_objects import FAMILY_NAME, GENERAL_AUDIO, MRN, as_bytes, audio_object

SECOND = np.zeros(8_000, np.int16)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path, reserve_bytes=0) as spool:
        yield spool


def take(spool: Spool, dataset: Dataset, uid: str = "1.2.3.30") -> Answer:
    path = spool.incoming / "tmp.dcm"
    path.write_bytes(as_bytes(dataset))
    intake = Intake(spool, IngestSettings(), SystemClock(), lambda: None)
    return intake.take(path, caller="CAMERA1", sop_class=GENERAL_AUDIO, uid=uid)


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
