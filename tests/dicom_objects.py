"""DICOM objects with literal values, made by pydicom as a sender would; a patient is in each of them."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence as DicomSequence

PHOTOGRAPHIC = "1.2.840.10008.5.1.4.1.1.77.1.4.1"
GENERAL_AUDIO = "1.2.840.10008.5.1.4.1.1.9.4.2"
VOICE_AUDIO = "1.2.840.10008.5.1.4.1.1.9.4.1"
GENERAL_ECG = "1.2.840.10008.5.1.4.1.1.9.1.2"
ARTERIAL_PULSE = "1.2.840.10008.5.1.4.1.1.9.5.1"
RESPIRATORY = "1.2.840.10008.5.1.4.1.1.9.6.1"
MULTI_RESPIRATORY = "1.2.840.10008.5.1.4.1.1.9.6.2"
BODY_POSITION = "1.2.840.10008.5.1.4.1.1.9.8.1"
EXPLICIT = "1.2.840.10008.1.2.1"
H264 = "1.2.840.10008.1.2.4.102"
H264_FRAGMENTABLE = "1.2.840.10008.1.2.4.102.1"
FAMILY_NAME = "Kowalczyk"
MRN = "MRN-4711"


def header(sop_class: str, uid: str, *, syntax: str = EXPLICIT) -> Dataset:
    """What every object carries: a patient, whom nothing here may know, and when it was acquired."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = uid
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, uid
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = f"{FAMILY_NAME}^Anna", MRN, "20260301"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{uid}.1", f"{uid}.2"
    dataset.AcquisitionDateTime = "20260302080000.250000+0100"
    return dataset


def video_object(
    stream: bytes, uid: str = "1.2.3.10", *, syntax: str = H264, fragments: int = 1, frames: int = 30
) -> Dataset:
    """A video of 160x120."""
    dataset = header(PHOTOGRAPHIC, uid, syntax=syntax)
    dataset.Modality = "XC"
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = 120, 160, frames
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "YBR_PARTIAL_420"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.FrameTime = "66.6667"
    dataset.PixelData = encapsulate([stream], fragments_per_frame=fragments, has_bot=False)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return dataset


def code(value: str, scheme: str, meaning: str) -> DicomSequence:
    """A sequence of one code."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return DicomSequence([item])


def channel(label: str, source: DicomSequence, **values: object) -> Dataset:
    """A channel definition; values by keyword."""
    item = Dataset()
    item.ChannelLabel, item.ChannelSourceSequence = label, source
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def waveform_group(
    samples: NDArray[np.generic], channels: Sequence[Dataset], *, rate_hz: float, interpretation: str, bits: int
) -> Dataset:
    """A multiplex group of samples [samples, channels]."""
    item = Dataset()
    item.WaveformOriginality = "ORIGINAL"
    item.NumberOfWaveformChannels, item.NumberOfWaveformSamples = len(channels), len(samples)
    item.SamplingFrequency = rate_hz
    item.ChannelDefinitionSequence = DicomSequence(channels)
    item.WaveformBitsAllocated, item.WaveformSampleInterpretation = bits, interpretation
    item.add_new(0x54001010, "OB" if bits == 8 else "OW", samples.tobytes())
    return item


def waveform_object(sop_class: str, groups: Sequence[Dataset], uid: str = "1.2.3.20", modality: str = "ECG") -> Dataset:
    """A waveform object."""
    dataset = header(sop_class, uid)
    dataset.Modality = modality
    dataset.WaveformSequence = DicomSequence(groups)
    return dataset


def ecg_object(samples: NDArray[np.int16], *, rate_hz: float = 250.0, uid: str = "1.2.3.20") -> Dataset:
    """One lead: 1 = 2.5 uV."""
    lead = channel(
        "II",
        code("2:2", "MDC", "Lead II"),
        ChannelSensitivity="2.5",
        ChannelSensitivityUnitsSequence=code("uV", "UCUM", "microvolt"),
        ChannelSensitivityCorrectionFactor="1",
        ChannelBaseline="0",
    )
    group = waveform_group(samples.reshape(-1, 1), [lead], rate_hz=rate_hz, interpretation="SS", bits=16)
    return waveform_object(GENERAL_ECG, [group], uid)


def audio_object(samples: NDArray[np.int16], *, rate_hz: float = 8000.0, uid: str = "1.2.3.30") -> Dataset:
    """A microphone."""
    microphone = channel("MIC", code("110011", "DCM", "Audio"))
    group = waveform_group(samples.reshape(-1, 1), [microphone], rate_hz=rate_hz, interpretation="SS", bits=16)
    return waveform_object(GENERAL_AUDIO, [group], uid, "AU")


def as_bytes(dataset: Dataset) -> bytes:
    """The object in the DICOM file format."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
