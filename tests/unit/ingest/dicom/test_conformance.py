"""The conformance statement says what the code does."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

import pynetdicom
import pytest

from neopain.codecs.dicom.breath_sources import SHOWS_BREATHS
from neopain.codecs.dicom.instance import TAGS
from neopain.codecs.dicom.uids import NATIVE_SYNTAXES, SOP_CLASSES, VIDEO_SYNTAXES, Content, syntaxes_of
from neopain.ingest.dicom.intake import Status
from neopain.ingest.dicom.scp import LARGEST_PDU_BYTES
from neopain.ingest.dicom.web.store import NOT_STORED

STATEMENT = (Path(__file__).resolve().parents[4] / "docs/conformance/dicom.md").read_text()
FATE = {
    Content.VIDEO: "stored; face, cry, movement",
    Content.AUDIO: "stored; cry",
    Content.PULSE: "stored; pulse interval, pulse rate",
    Content.ECG: "stored; RR interval, heart rate",
    Content.BREATH: "stored; respiratory rate",
    Content.BREATHS: "stored; respiratory rate of the channel that its source says",
    Content.WAVEFORM: "0xB006, not kept",
}


def test_each_class_stands_in_the_statement_with_its_syntaxes_and_what_becomes_of_it() -> None:
    for one in SOP_CLASSES:
        letter = "V" if syntaxes_of(one) is VIDEO_SYNTAXES else "N"
        assert f"| {one.name} | {one.uid} | {letter} | {FATE[one.content]} |" in STATEMENT
    assert STATEMENT.count("| 1.2.840.10008.5.1.4.1.1.") == len(SOP_CLASSES)


def test_each_source_of_breaths_stands_in_the_statement_by_its_code() -> None:
    assert [value for value in SHOWS_BREATHS if value not in STATEMENT] == []


def test_each_transfer_syntax_stands_in_the_statement() -> None:
    for letter, syntaxes in (("N", NATIVE_SYNTAXES), ("V", VIDEO_SYNTAXES)):
        for one in syntaxes:
            assert f"| {letter} | {one.name} | {one.uid} |" in STATEMENT


@pytest.mark.parametrize("status", Status)
def test_each_status_stands_in_the_statement(status: Status) -> None:
    assert f"| 0x{status.value:04X} |" in STATEMENT


@pytest.mark.parametrize("status", [HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.CONFLICT, *NOT_STORED.values()])
def test_each_status_of_the_web_service_stands_in_the_statement(status: HTTPStatus) -> None:
    assert f"| {status.value} | " in STATEMENT


def test_the_implementation_is_named_as_it_names_itself() -> None:
    assert f"{pynetdicom.PYNETDICOM_IMPLEMENTATION_UID}, {pynetdicom.PYNETDICOM_IMPLEMENTATION_VERSION}" in STATEMENT
    assert f"| maximum PDU | {LARGEST_PDU_BYTES} bytes |" in STATEMENT


def test_each_attribute_that_is_read_stands_in_the_statement() -> None:
    told = STATEMENT.replace("AcquisitionDate and -Time", "AcquisitionDate and AcquisitionTime")
    told = told.replace("ContentDate and -Time", "ContentDate and ContentTime")
    assert [keyword for keyword in TAGS if keyword not in told] == []
