"""What is taken: storage SOP classes by their content (PS3.4 annex B.5), transfer syntaxes (PS3.5 annex A)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"


class Content(Enum):
    """What an object of a class holds, as far as scoring is concerned."""

    VIDEO = "video"
    AUDIO = "audio"
    ECG = "ecg"
    PULSE = "pulse"
    BREATH = "breath"
    BREATHS = "breaths"
    """Several channels, of which some show breaths."""
    WAVEFORM = "waveform"
    """A signal that no score rests on yet: read and told, not scored."""


@dataclass(frozen=True, slots=True)
class SopClass:
    """One storage SOP class with the name that PS3.6 gives it."""

    uid: str
    name: str
    content: Content


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """One transfer syntax; ``codec`` is FFmpeg's name of the video's coding, empty where nothing is compressed."""

    uid: str
    name: str
    codec: str = ""


_STORAGE = "1.2.840.10008.5.1.4.1.1"

SOP_CLASSES = (
    SopClass(f"{_STORAGE}.77.1.4.1", "Video Photographic Image Storage", Content.VIDEO),
    SopClass(f"{_STORAGE}.77.1.1.1", "Video Endoscopic Image Storage", Content.VIDEO),
    SopClass(f"{_STORAGE}.9.4.1", "Basic Voice Audio Waveform Storage", Content.AUDIO),
    SopClass(f"{_STORAGE}.9.4.2", "General Audio Waveform Storage", Content.AUDIO),
    SopClass(f"{_STORAGE}.9.1.1", "12-lead ECG Waveform Storage", Content.ECG),
    SopClass(f"{_STORAGE}.9.1.2", "General ECG Waveform Storage", Content.ECG),
    SopClass(f"{_STORAGE}.9.1.3", "Ambulatory ECG Waveform Storage", Content.ECG),
    SopClass(f"{_STORAGE}.9.1.4", "General 32-bit ECG Waveform Storage", Content.ECG),
    SopClass(f"{_STORAGE}.9.2.1", "Hemodynamic Waveform Storage", Content.WAVEFORM),
    SopClass(f"{_STORAGE}.9.3.1", "Cardiac Electrophysiology Waveform Storage", Content.WAVEFORM),
    SopClass(f"{_STORAGE}.9.5.1", "Arterial Pulse Waveform Storage", Content.PULSE),
    SopClass(f"{_STORAGE}.9.6.1", "Respiratory Waveform Storage", Content.BREATH),
    SopClass(f"{_STORAGE}.9.6.2", "Multi-channel Respiratory Waveform Storage", Content.BREATHS),
    SopClass(f"{_STORAGE}.9.7.1", "Routine Scalp Electroencephalogram Waveform Storage", Content.WAVEFORM),
    SopClass(f"{_STORAGE}.9.7.2", "Electromyogram Waveform Storage", Content.WAVEFORM),
    SopClass(f"{_STORAGE}.9.7.3", "Electrooculogram Waveform Storage", Content.WAVEFORM),
    SopClass(f"{_STORAGE}.9.7.4", "Sleep Electroencephalogram Waveform Storage", Content.WAVEFORM),
    SopClass(f"{_STORAGE}.9.8.1", "Body Position Waveform Storage", Content.WAVEFORM),
)

NATIVE_SYNTAXES = (
    TransferSyntax(EXPLICIT_LITTLE_ENDIAN, "Explicit VR Little Endian"),
    TransferSyntax(IMPLICIT_LITTLE_ENDIAN, "Implicit VR Little Endian"),
)
"""For waveforms. Deflated ones are not taken: a small object could fill the memory."""

_MPEG = "1.2.840.10008.1.2.4"

VIDEO_SYNTAXES = tuple(
    TransferSyntax(f"{_MPEG}.{number}{suffix}", f"{prefix}{name}", codec)
    for number, name, codec, is_fragmentable in (
        ("100", "MPEG2 Main Profile / Main Level", "mpeg2video", True),
        ("101", "MPEG2 Main Profile / High Level", "mpeg2video", True),
        ("102", "MPEG-4 AVC/H.264 High Profile / Level 4.1", "h264", True),
        ("103", "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1", "h264", True),
        ("104", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video", "h264", True),
        ("105", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video", "h264", True),
        ("106", "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2", "h264", True),
        ("107", "HEVC/H.265 Main Profile / Level 5.1", "hevc", False),
        ("108", "HEVC/H.265 Main 10 Profile / Level 5.1", "hevc", False),
    )
    for suffix, prefix in ((("", ""), (".1", "Fragmentable ")) if is_fragmentable else (("", ""),))
)

SOP_CLASS_BY_UID = {one.uid: one for one in SOP_CLASSES}
SYNTAX_BY_UID = {one.uid: one for one in (*NATIVE_SYNTAXES, *VIDEO_SYNTAXES)}


def syntaxes_of(sop_class: SopClass) -> tuple[TransferSyntax, ...]:
    """The transfer syntaxes that objects of a class may come in."""
    return VIDEO_SYNTAXES if sop_class.content is Content.VIDEO else NATIVE_SYNTAXES
