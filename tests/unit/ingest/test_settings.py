"""Settings of ingest: what the site may say, and what is refused before anything starts."""

from __future__ import annotations

import pytest

from neopain.errors import ConfigurationError
from neopain.ingest.settings import IngestSettings
from neopain.runtime.settings import read_settings


def test_beds_by_sender_are_read_from_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEOPAIN_INGEST_HL7_BED_BY_SENDER", '{"10.0.0.5": "NICU/1/3"}')
    assert read_settings(IngestSettings).hl7_bed_by_sender == {"10.0.0.5": "NICU/1/3"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NEOPAIN_INGEST_SITE_ZONE", "Mars/Olympus"),
        ("NEOPAIN_INGEST_SITE_ZONE", "../etc"),
        ("NEOPAIN_INGEST_HL7_PORT", "0"),
        ("NEOPAIN_INGEST_HL7_BED_BY_SENDER", '{"a": 1}'),
        ("NEOPAIN_INGEST_DICOM_AE_TITLE", "A" * 17),
        ("NEOPAIN_INGEST_DICOM_AE_TITLE", "A\\B"),
        ("NEOPAIN_INGEST_DICOM_CALLERS", '["CAMERA1", " "]'),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        read_settings(IngestSettings)
