"""DICOM objects to domain values; objects are made by pydicom with literal values."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from neopain.bootstrap.dicom import dicom_info
from neopain.codecs.dicom.acquired import ZoneOrigin
from neopain.codecs.dicom.header import HeaderTooLarge
from neopain.codecs.dicom.instance import TAGS, Instance, read_instance
from neopain.codecs.dicom.uids import SOP_CLASSES, VIDEO_SYNTAXES, Content
from neopain.codecs.dicom.waveform import Code
from neopain.errors import MalformedMessage

from ....dicom_objects import (
    ARTERIAL_PULSE,
    FAMILY_NAME,
    GENERAL_ECG,
    H264,
    H264_FRAGMENTABLE,
    MRN,
    PHOTOGRAPHIC,
    VOICE_AUDIO,
    as_bytes,
    audio_object,
    channel,
    code,
    ecg_object,
    video_object,
    waveform_group,
    waveform_object,
)

RAMP = np.array([0, 400, -400, 1], np.int16)
STREAM = bytes(range(10))


def read(dataset: Dataset, zone: str = "UTC") -> Instance:
    return read_instance(io.BytesIO(as_bytes(dataset)), site_zone=ZoneInfo(zone))


def test_an_ecg_is_read_in_the_unit_of_its_channel() -> None:
    instance = read(ecg_object(RAMP))
    (group,) = instance.groups
    assert (instance.sop_class.content, instance.uid, instance.modality) == (Content.ECG, "1.2.3.20", "ECG")
    assert (group.rate_hz, group.samples, group.seconds, group.bits) == (250.0, 4, 0.016, 16)
    assert group.channels[0].unit == Code("uV", "UCUM", "microvolt")
    assert group.channels[0].source == Code("2:2", "MDC", "Lead II")
    assert group.values(0).tolist() == [0.0, 1000.0, -1000.0, 2.5]


def test_baseline_and_correction_are_applied_and_padding_is_missing() -> None:
    pressure = channel(
        "ART",
        code("2:16", "MDC", "Arterial pressure"),
        ChannelSensitivity="0.5",
        ChannelSensitivityCorrectionFactor="2",
        ChannelBaseline="-10",
        ChannelSensitivityUnitsSequence=code("mm[Hg]", "UCUM", "mmHg"),
    )
    samples = np.array([[50], [-32768], [60]], np.int16)
    group = waveform_group(samples, [pressure], rate_hz=125.0, interpretation="SS", bits=16)
    group.WaveformPaddingValue = b"\x00\x80"
    group.MultiplexGroupTimeOffset = "1500"
    instance = read(waveform_object(ARTERIAL_PULSE, [group], modality="HD"))
    values = instance.groups[0].values(0)
    assert instance.sop_class.content is Content.PULSE
    assert (values[0], values[2], bool(np.isnan(values[1]))) == (40.0, 50.0, True)
    assert instance.groups[0].offset_seconds == 1.5


def test_channels_are_interleaved_sample_by_sample() -> None:
    leads = [channel(label, code(label, "MDC", label)) for label in ("I", "II")]
    samples = np.array([[1, 10], [2, 20], [3, 30]], np.int16)
    group = waveform_group(samples, leads, rate_hz=500.0, interpretation="SS", bits=16)
    (read_group,) = read(waveform_object(GENERAL_ECG, [group])).groups
    assert read_group.values(1).tolist() == [10.0, 20.0, 30.0]
    assert read_group.values(1, 1, 2).tolist() == [20.0]


@pytest.mark.parametrize(
    ("interpretation", "stored", "amplitude"),
    [
        # G.711, tables 1 and 2: code words and the values they decode to, of 32768.
        ("MB", [0xFF, 0x80, 0x00, 0xF0], [0, 32124, -32124, 120]),
        ("AB", [0xD5, 0x55, 0xAA, 0x2A], [8, -8, 32256, -32256]),
        ("UB", [128, 0, 255], [0, -32768, 32512]),
    ],
)
def test_voice_of_eight_bits_is_expanded(interpretation: str, stored: list[int], amplitude: list[int]) -> None:
    microphone = channel("MIC", code("110011", "DCM", "Audio"))
    samples = np.array(stored, np.uint8).reshape(-1, 1)
    group = waveform_group(samples, [microphone], rate_hz=8000.0, interpretation=interpretation, bits=8)
    (read_group,) = read(waveform_object(VOICE_AUDIO, [group], modality="AU")).groups
    assert (read_group.sound() * 32768).tolist() == amplitude


def test_a_video_is_found_and_not_read() -> None:
    instance = read(video_object(STREAM))
    data = as_bytes(video_object(STREAM))
    assert instance.video is not None
    (span,) = instance.video.spans
    assert data[span.offset : span.offset + span.length] == STREAM
    assert (instance.video.codec, instance.video.columns, instance.video.rows) == ("h264", 160, 120)
    assert (instance.video.frames, instance.video.rate_hz) == (30, pytest.approx(15.0, abs=0.001))


def test_fragments_make_one_stream() -> None:
    dataset = video_object(STREAM, syntax=H264_FRAGMENTABLE, fragments=3)
    instance, data = read(dataset), as_bytes(dataset)
    assert instance.video is not None
    assert [span.length for span in instance.video.spans] == [4, 4, 2]
    assert b"".join(data[one.offset : one.offset + one.length] for one in instance.video.spans) == STREAM


@pytest.mark.parametrize("syntax", [one.uid for one in VIDEO_SYNTAXES])
def test_each_video_syntax_is_taken(syntax: str) -> None:
    assert read(video_object(STREAM, syntax=syntax)).syntax.uid == syntax


def test_all_classes_of_the_table_have_a_name_and_a_uid_of_their_own() -> None:
    assert len({one.uid for one in SOP_CLASSES}) == len(SOP_CLASSES) == 18


@pytest.mark.parametrize(
    ("told", "zone", "moment", "origin"),
    [
        (
            {"AcquisitionDateTime": "20260302080000.25+0100"},
            "UTC",
            datetime(2026, 3, 2, 7, 0, 0, 250000, UTC),
            ZoneOrigin.VALUE,
        ),
        (
            {"AcquisitionDateTime": "20260302080000", "TimezoneOffsetFromUTC": "-0500"},
            "Europe/Berlin",
            datetime(2026, 3, 2, 13, tzinfo=UTC),
            ZoneOrigin.OBJECT,
        ),
        (
            {"AcquisitionDate": "20260702", "AcquisitionTime": "080000"},
            "Europe/Berlin",
            datetime(2026, 7, 2, 6, tzinfo=UTC),
            ZoneOrigin.SITE,
        ),
        (
            {"ContentDate": "20260302", "ContentTime": "080000.5", "StudyDate": "20250101", "StudyTime": "000000"},
            "UTC",
            datetime(2026, 3, 2, 8, 0, 0, 500000, UTC),
            ZoneOrigin.SITE,
        ),
    ],
)
def test_the_acquisition_time_is_found_with_its_zone(
    told: dict[str, str], zone: str, moment: datetime, origin: ZoneOrigin
) -> None:
    dataset = ecg_object(RAMP)
    del dataset.AcquisitionDateTime
    for keyword, value in told.items():
        setattr(dataset, keyword, value)
    acquired = read(dataset, zone).acquired
    assert acquired is not None
    assert (acquired.moment, acquired.zone) == (moment, origin)


@pytest.mark.parametrize("told", ["2026", "202603020800", "", "yesterday"])
def test_a_time_that_is_not_told_to_the_second_is_none(told: str) -> None:
    dataset = ecg_object(RAMP)
    dataset["AcquisitionDateTime"]._value = told
    dataset.StudyDate, dataset.StudyTime = "20260302", "080000"
    assert read(dataset).acquired is None


def test_nothing_of_the_patient_is_read() -> None:
    assert not [keyword for keyword in TAGS if keyword.startswith(("Patient", "Issuer", "Other", "Referring"))]
    assert FAMILY_NAME not in repr(read(ecg_object(RAMP)))


@pytest.mark.parametrize(
    ("spoil", "location"),
    [
        (lambda item: delattr(item, "SamplingFrequency"), r"WaveformSequence\[1\]\.SamplingFrequency: is missing"),
        (lambda item: setattr(item, "SamplingFrequency", "0"), "SamplingFrequency: 0 Hz"),
        (lambda item: setattr(item, "NumberOfWaveformSamples", 5), "WaveformData: 8 bytes, expected 10"),
        (lambda item: setattr(item, "NumberOfWaveformChannels", 2), "describes 1 channels"),
        (lambda item: setattr(item, "WaveformSampleInterpretation", "MB"), "MB of 16 bits is not known"),
        (lambda item: delattr(item, "WaveformData"), "WaveformData: 0 bytes"),
    ],
)
def test_a_waveform_that_breaks_a_rule_is_refused_by_its_attribute(
    spoil: Callable[[Dataset], None], location: str
) -> None:
    dataset = ecg_object(RAMP)
    spoil(dataset.WaveformSequence[0])
    with pytest.raises(MalformedMessage, match=location):
        read(dataset)


@pytest.mark.parametrize("missing", [1, 8, 13])
def test_a_video_that_is_cut_off_is_refused(missing: int) -> None:
    data = as_bytes(video_object(STREAM))
    with pytest.raises(MalformedMessage, match="PixelData"):
        read_instance(io.BytesIO(data[:-missing]), site_zone=UTC)


class Watched(io.BytesIO):
    """A file that knows how much of it was read."""

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        self.taken += len(found)
        return found


def video_with_waveforms(samples: int, *, is_undefined_length: bool) -> bytes:
    dataset = video_object(STREAM)
    dataset.WaveformSequence = ecg_object(np.zeros(samples, np.int16)).WaveformSequence
    dataset["WaveformSequence"].is_undefined_length = is_undefined_length
    dataset.WaveformSequence.is_undefined_length = is_undefined_length
    return as_bytes(dataset)


def test_waveforms_in_a_video_are_not_read() -> None:
    file = Watched(video_with_waveforms(4_000_000, is_undefined_length=False))

    instance = read_instance(file, site_zone=UTC)

    assert (instance.groups, instance.video is not None) == ((), True)
    assert file.taken < 10_000


def test_a_video_is_read_behind_waveforms_whose_end_has_to_be_looked_for() -> None:
    instance = read_instance(io.BytesIO(video_with_waveforms(1_000_000, is_undefined_length=True)), site_zone=UTC)

    assert (instance.groups, instance.video is not None) == ((), True)


def test_of_a_videos_header_no_more_is_read_than_may_be_held() -> None:
    file = Watched(video_with_waveforms(4_000_000, is_undefined_length=True))

    with pytest.raises(HeaderTooLarge, match="more than 4194304 bytes of its header"):
        read_instance(file, site_zone=UTC)
    assert file.taken < 4_300_000


def test_a_video_whose_header_ends_in_between_is_no_long_one() -> None:
    data = video_with_waveforms(1_000_000, is_undefined_length=True)
    with pytest.raises(MalformedMessage) as caught:
        read_instance(io.BytesIO(data[:1_000_000]), site_zone=UTC)
    assert not isinstance(caught.value, HeaderTooLarge)


def test_a_waveform_that_claims_to_be_a_video_is_refused_before_it_is_read() -> None:
    dataset = ecg_object(np.zeros(4_000_000, np.int16))
    dataset.file_meta.MediaStorageSOPClassUID, dataset.file_meta.TransferSyntaxUID = PHOTOGRAPHIC, H264
    file = Watched(as_bytes(dataset))

    with pytest.raises(MalformedMessage, match="TransferSyntaxUID"):
        read_instance(file, site_zone=UTC)
    assert file.taken < 10_000


def test_a_video_without_fragments_is_refused() -> None:
    dataset = video_object(STREAM)
    dataset.PixelData = b"\xfe\xff\x00\xe0\x00\x00\x00\x00"
    with pytest.raises(MalformedMessage, match="PixelData: holds no fragment"):
        read(dataset)


def test_other_classes_and_syntaxes_are_refused_by_their_uid() -> None:
    with pytest.raises(MalformedMessage, match=r"SOPClassUID: 1\.2\.840\.10008\.5\.1\.4\.1\.1\.2 is not among"):
        read(waveform_object("1.2.840.10008.5.1.4.1.1.2", []))
    with pytest.raises(MalformedMessage, match=r"TransferSyntaxUID: 1\.2\.840\.10008\.1\.2\.4\.50 is not taken"):
        read(video_object(STREAM, syntax="1.2.840.10008.1.2.4.50"))


def test_a_header_that_breaks_off_before_its_transfer_syntax_is_refused_as_one_without() -> None:
    class_alone = b"\x02\x00\x02\x00UI\x1e\x001.2.840.10008.5.1.4.1.1.9.1.2\x00"
    with pytest.raises(MalformedMessage, match=r"TransferSyntaxUID: is missing"):
        read_instance(io.BytesIO(b"\x00" * 128 + b"DICM" + class_alone), site_zone=UTC)


@pytest.mark.parametrize("data", [b"", b"MSH|^~\\&|", b"\x00" * 128 + b"DICM", b"\x00" * 200])
def test_what_is_no_dicom_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        read_instance(io.BytesIO(data), site_zone=UTC)


WHOLE = as_bytes(ecg_object(RAMP))


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=8))
def test_arbitrary_damage_is_a_refusal_or_an_object_and_nothing_else(place: int, damage: bytes) -> None:
    data = WHOLE[:place] + damage + WHOLE[place + len(damage) :]
    try:
        told = repr(read_instance(io.BytesIO(data), site_zone=UTC))
    except MalformedMessage as error:
        told = str(error)
    assert FAMILY_NAME not in told


def test_the_command_tells_what_an_object_holds_and_nothing_of_the_patient(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ecg.dcm"
    path.write_bytes(as_bytes(ecg_object(RAMP)))
    assert dicom_info(path, zone="UTC", as_json=False) == 0
    text = capsys.readouterr().out
    assert "General ECG Waveform Storage  (ecg, modality ECG)" in text
    assert "acquired         2026-03-02T07:00:00.250000+00:00" in text
    assert "II               MDC 2:2 Lead II: 1 = 2.5 uV, 0 = 0" in text
    assert FAMILY_NAME not in text
    assert MRN not in text


def test_the_command_tells_a_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "video.dcm"
    path.write_bytes(as_bytes(video_object(STREAM)))
    dicom_info(path, zone="UTC", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["video"] == {
        "codec": "h264",
        "columns": 160,
        "rows": 120,
        "frames": 30,
        "rate_hz": pytest.approx(15.0, abs=0.001),
        "bytes": 10,
        "fragments": 1,
    }
    assert told["acquired"]["zone"] == "the value's own offset"


def test_sound_of_padding_is_missing() -> None:
    dataset = audio_object(np.array([16384, -1], np.int16))
    dataset.WaveformSequence[0].WaveformPaddingValue = b"\xff\xff"
    sound = read(dataset).groups[0].sound()
    assert (sound[0], bool(np.isnan(sound[1]))) == (0.5, True)
