"""From an object's file to what its recording gives."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

from neopain.domain.media import AudioChunk, FaceFrame
from neopain.domain.vitals import VitalKind, VitalsBatch
from neopain.errors import UnreadableRecording
from neopain.ingest.dicom.opening import Origin, open_recording, read_object
from neopain.ingest.stream.recording import Recording

from ....dicom_objects import (
    ARTERIAL_PULSE,
    H264_FRAGMENTABLE,
    MULTI_RESPIRATORY,
    RESPIRATORY,
    as_bytes,
    audio_object,
    channel,
    code,
    ecg_object,
    video_object,
    waveform_group,
    waveform_object,
)

RECEIVED = datetime(2026, 3, 2, 9, tzinfo=UTC)
ORIGIN = Origin("CAMERA1", RECEIVED, UTC)
MPEG2, HEVC = "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.107"


def opened(tmp_path: Path, dataset: Dataset) -> Recording:
    path = tmp_path / "object.dcm"
    path.write_bytes(as_bytes(dataset))
    return open_recording(read_object(path, ORIGIN), path, ORIGIN)


def stream_of(codec: str, form: str, *, rate: int = 15) -> bytes:
    """Two seconds of a grey picture of 160x120, in a container or as an elementary stream."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(2 * rate):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((120, 160, 3), 90, np.uint8))))
        container.mux(stream.encode(None))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("codec", "form", "rate", "syntax"),
    [
        ("libx264", "mpegts", 15, H264_FRAGMENTABLE),
        ("libx265", "mp4", 15, HEVC),
        ("mpeg2video", "mpegts", 25, MPEG2),
    ],
)
def test_each_coding_is_decoded_from_its_fragments(
    tmp_path: Path, codec: str, form: str, rate: int, syntax: str
) -> None:
    fragments = 3 if syntax == H264_FRAGMENTABLE else 1
    recording = opened(tmp_path, video_object(stream_of(codec, form, rate=rate), syntax=syntax, fragments=fragments))
    frames = [item for item in recording.until(60) if isinstance(item.fact, FaceFrame)]
    recording.close()
    assert frames[0].seconds == 0.0
    assert len(frames) == pytest.approx(15, abs=1)
    assert recording.notes == []


def test_an_elementary_stream_goes_by_the_rate_that_its_object_tells(tmp_path: Path) -> None:
    recording = opened(tmp_path, video_object(stream_of("libx264", "h264")))
    recording.until(60)
    recording.close()
    assert recording.whole_seconds == 2


def test_a_stream_of_another_coding_than_its_syntax_is_told(tmp_path: Path) -> None:
    recording = opened(tmp_path, video_object(stream_of("mpeg2video", "mpegts", rate=25)))
    recording.close()
    assert recording.notes == ["the stream is mpeg2video, its transfer syntax says h264"]


def test_a_stream_may_not_refer_to_other_files(tmp_path: Path) -> None:
    listed = f"#EXTM3U\n#EXTINF:2,\nfile://{tmp_path}/other.ts\n#EXT-X-ENDLIST\n".encode()
    (tmp_path / "other.ts").write_bytes(stream_of("libx264", "mpegts"))
    with pytest.raises(UnreadableRecording, match="is no video or sound file"):
        opened(tmp_path, video_object(listed))


def test_padding_in_a_sound_is_a_gap_and_what_follows_lies_where_it_was(tmp_path: Path) -> None:
    samples = np.full(24_000, 1000, np.int16)
    samples[8_000:16_000] = -32_768
    dataset = audio_object(samples)
    dataset.WaveformSequence[0].WaveformPaddingValue = b"\x00\x80"
    recording = opened(tmp_path, dataset)
    chunks = [item for item in recording.until(60) if isinstance(item.fact, AudioChunk)]
    lengths = [(item.seconds, len(item.fact.pcm) // 2) for item in chunks if isinstance(item.fact, AudioChunk)]
    before = sum(length for seconds, length in lengths if seconds < 1)
    after = [seconds for seconds, _ in lengths if seconds >= 1]
    assert before == pytest.approx(16_000, abs=400)
    assert (min(after), recording.whole_seconds) == (2.0, 3)


def test_an_object_without_an_acquisition_time_lies_where_it_was_received(tmp_path: Path) -> None:
    dataset = audio_object(np.zeros(8_000, np.int16))
    del dataset.AcquisitionDateTime
    recording = opened(tmp_path, dataset)
    assert recording.timeline.start == RECEIVED
    assert recording.notes == [
        "the object does not say when it was acquired: its first sample lies where it was received"
    ]


def test_an_ecg_without_beats_gives_no_value_and_says_so(tmp_path: Path) -> None:
    recording = opened(tmp_path, ecg_object(np.zeros(1_000, np.int16)))
    assert [item for item in recording.until(60) if isinstance(item.fact, VitalsBatch)] == []
    assert (recording.notes, recording.whole_seconds) == (["group 1: no heart beats stand out in any lead"], 4)


def test_of_an_arterial_pulse_the_beats_are_found_by_their_upstroke(tmp_path: Path) -> None:
    times = np.arange(12 * 125) / 125
    wave = sum(np.exp(-0.5 * ((times - beat) / 0.05) ** 2) for beat in np.arange(0.3, 11.9, 0.42))
    dataset = ecg_object(np.round(400 * wave).astype(np.int16), rate_hz=125.0)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = ARTERIAL_PULSE
    recording = opened(tmp_path, dataset)
    batches = [item.fact for item in recording.until(60) if isinstance(item.fact, VitalsBatch)]
    found = {(one.kind, one.code) for batch in batches for one in batch.samples}
    assert found == {(VitalKind.RR_INTERVAL, "dicom-pulse-rr"), (VitalKind.HEART_RATE, "dicom-pulse-rate")}
    intervals = [one.value for batch in batches for one in batch.samples if one.kind is VitalKind.RR_INTERVAL]
    np.testing.assert_allclose(intervals, 420.0, atol=2.0)
    assert recording.notes == ["group 1: heart beats were found in channel II"]


def test_of_a_respiratory_waveform_the_rate_is_found(tmp_path: Path) -> None:
    times = np.arange(40 * 25) / 25
    dataset = ecg_object(np.round(400 * np.sin(2 * np.pi * times / 1.25)).astype(np.int16), rate_hz=25.0)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = RESPIRATORY
    recording = opened(tmp_path, dataset)
    batches = [item.fact for item in recording.until(60) if isinstance(item.fact, VitalsBatch)]
    samples = [one for batch in batches for one in batch.samples]
    assert {(one.kind, one.code) for one in samples} == {(VitalKind.RESPIRATION, "dicom-respiration-rate")}
    np.testing.assert_allclose([one.value for one in samples], 48.0, atol=1.0)
    first = (samples[0].timing.aligned - recording.timeline.start).total_seconds()
    assert first == pytest.approx(8 * 1.25, abs=1.3)
    assert (recording.notes, recording.whole_seconds) == (["group 1: breaths were found in channel II"], 40)


FLOW, THORAX, END_TIDAL = (
    code("130418", "DCM", "Airflow Nasal Prong"),
    code("130431", "DCM", "Thoracic Respiratory Effort"),
    code("130437", "DCM", "CO2 Waveform End-tidal Side-stream"),
)


def breathing(*channels: tuple[DicomSequence | None, float | None], offset_ms: float = 0.0) -> Dataset:
    """A group of 40 s at 25 Hz: of each channel its source, and the length of its breaths, None for a line."""
    times = np.arange(40 * 25) / 25
    waves = [400 * np.sin(2 * np.pi * times / length) if length else 0 * times for _, length in channels]
    definitions = [
        channel(f"C{number}", source or DicomSequence()) for number, (source, _) in enumerate(channels, start=1)
    ]
    samples = np.round(np.column_stack(waves)).astype(np.int16)
    group = waveform_group(samples, definitions, rate_hz=25.0, interpretation="SS", bits=16)
    group.MultiplexGroupTimeOffset = offset_ms
    return group


def rates(recording: Recording) -> list[float]:
    batches = [item.fact for item in recording.until(120) if isinstance(item.fact, VitalsBatch)]
    return [one.value for batch in batches for one in batch.samples if one.kind is VitalKind.RESPIRATION]


BY_SOURCE = {
    "air before a clearer chest": ([breathing((THORAX, 1.25), (FLOW, 1.0))], 60.0, ["group 1: {} C2"]),
    "the chest where air says nothing": ([breathing((FLOW, None), (THORAX, 1.0))], 60.0, ["group 1: {} C2"]),
    "air of another group": ([breathing((THORAX, 1.25)), breathing((FLOW, 1.0))], 60.0, ["group 2: {} C1"]),
    "one group after the other": (
        [breathing((FLOW, 1.25)), breathing((FLOW, 1.25), offset_ms=40_000)],
        48.0,
        ["group 1: {} C1", "group 2: {} C1"],
    ),
}
WITHOUT_RATE = {
    "no source that shows breaths": (
        [breathing((END_TIDAL, 1.25), (None, 1.25), (code("130418", "99X", "Mine"), 1.25))],
        "no channel says by its source that it shows breaths",
    ),
    "no breaths": ([breathing((FLOW, None))], "no breaths stand out in any channel whose source shows them"),
}


@pytest.mark.parametrize(("groups", "rate", "notes"), BY_SOURCE.values(), ids=BY_SOURCE)
def test_of_several_respiratory_channels_the_rate_is_that_of_the_right_source(
    tmp_path: Path, groups: list[Dataset], rate: float, notes: list[str]
) -> None:
    recording = opened(tmp_path, waveform_object(MULTI_RESPIRATORY, groups, modality="RESP"))
    found = rates(recording)
    np.testing.assert_allclose(found, rate, atol=1.0)
    assert 20 <= len(found) / len(notes) <= 40
    assert recording.notes == ["; ".join(one.format("breaths were found in channel") for one in notes)]


@pytest.mark.parametrize(("groups", "note"), WITHOUT_RATE.values(), ids=WITHOUT_RATE)
def test_without_a_channel_that_shows_breaths_there_is_no_rate_and_the_report_says_why(
    tmp_path: Path, groups: list[Dataset], note: str
) -> None:
    recording = opened(tmp_path, waveform_object(MULTI_RESPIRATORY, groups, modality="RESP"))
    assert (rates(recording), recording.notes, recording.whole_seconds) == ([], [note], 40)


def test_a_respiratory_waveform_without_breaths_gives_no_value_and_says_so(tmp_path: Path) -> None:
    dataset = ecg_object(np.zeros(1_000, np.int16), rate_hz=25.0)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = RESPIRATORY
    recording = opened(tmp_path, dataset)
    assert [item for item in recording.until(60) if isinstance(item.fact, VitalsBatch)] == []
    assert (recording.notes, recording.whole_seconds) == (["group 1: no breaths stand out in any channel"], 40)
