"""One DICOM object (a SOP instance in the DICOM file format, PS3.10): header in, domain values out."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from datetime import tzinfo
from typing import BinaryIO

from pydicom import config, dcmread
from pydicom.dataset import FileDataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from neopain.codecs.dicom import acquired, video, waveform
from neopain.codecs.dicom.acquired import Acquired, read_acquired
from neopain.codecs.dicom.header import read_header
from neopain.codecs.dicom.uids import (
    SOP_CLASS_BY_UID,
    SYNTAX_BY_UID,
    Content,
    SopClass,
    TransferSyntax,
    syntaxes_of,
)
from neopain.codecs.dicom.video import EncapsulatedVideo, read_video
from neopain.codecs.dicom.waveform import MultiplexGroup, read_groups
from neopain.errors import MalformedMessage

HEADER = ("SOPClassUID", "SOPInstanceUID", "Modality", *acquired.TAGS, *video.TAGS)
TAGS = (*HEADER, *waveform.TAGS)
"""Every attribute that is read. None of them says who the patient is."""

SOP_CLASS_UID = 0x00080016

UID = re.compile(r"[0-9]+(\.[0-9]+)*")
LONGEST_UID = 64

FAULTS = (
    InvalidDicomError,
    BytesLengthException,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    NotImplementedError,
    OverflowError,
    RecursionError,
)
"""What pydicom raises for bytes that are no DICOM."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One object: a video, or waveforms. ``acquired`` is None where it does not say when; ``notes`` tell what of its
    header could not be used."""

    sop_class: SopClass
    uid: str
    syntax: TransferSyntax
    modality: str
    acquired: Acquired | None
    video: EncapsulatedVideo | None
    groups: tuple[MultiplexGroup, ...]
    notes: tuple[str, ...]


def read_instance(file: BinaryIO, *, site_zone: tzinfo) -> Instance:
    """The object in the file, which stands at its beginning; of a video no stream is read, and no waveforms.

    ``site_zone`` holds where neither time nor object names an offset. ``MalformedMessage`` names the attribute and the
    rule for what is no DICOM, of a class or transfer syntax that is not taken, or damaged;
    ``HeaderTooLarge`` is one of these, of a video.
    """
    try:
        # A value that breaks its VR is no reason for a warning that quotes it: each one is judged where it is used.
        with config.disable_value_validation():
            return _read(file, site_zone)
    except MalformedMessage:
        raise
    except FAULTS as error:
        # A foreign message may quote values: only its kind is told.
        raise MalformedMessage("object", f"is no DICOM that can be read ({type(error).__name__})") from None


def _read(file: BinaryIO, site_zone: tzinfo) -> Instance:
    dataset = _attributes(file)
    sop_class, syntax = _kind_of(dataset)
    when, notes = read_acquired(dataset, site_zone=site_zone)
    is_video = sop_class.content is Content.VIDEO
    return Instance(
        sop_class=sop_class,
        uid=_uid(dataset),
        syntax=syntax,
        modality=str(dataset.get("Modality") or "").strip(),
        acquired=when,
        video=read_video(dataset, file, syntax) if is_video else None,
        groups=() if is_video else read_groups(dataset),
        notes=tuple(notes),
    )


def _attributes(file: BinaryIO) -> FileDataset:
    """What is read of the object: waveforms only where it is one, and as long as they are."""
    sop_class, _ = _kind_of(read_header(file, TAGS[:1], last=SOP_CLASS_UID))
    file.seek(0)
    if sop_class.content is Content.VIDEO:
        return read_header(file, HEADER)
    return dcmread(file, stop_before_pixels=True, specific_tags=list(TAGS))


def _kind_of(dataset: FileDataset) -> tuple[SopClass, TransferSyntax]:
    class_uid = str(dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID") or "")
    sop_class = SOP_CLASS_BY_UID.get(class_uid)
    if sop_class is None:
        raise MalformedMessage("SOPClassUID", _refusal(class_uid, "is not among the classes that are taken"))
    syntax_uid = str(dataset.file_meta.get("TransferSyntaxUID") or "")
    syntax = SYNTAX_BY_UID.get(syntax_uid)
    if syntax is None or syntax not in syntaxes_of(sop_class):
        raise MalformedMessage("TransferSyntaxUID", _refusal(syntax_uid, f"is not taken for {sop_class.name}"))
    return sop_class, syntax


def _uid(dataset: FileDataset) -> str:
    uid = str(dataset.get("SOPInstanceUID") or "")
    if not is_uid(uid):
        raise MalformedMessage("SOPInstanceUID", f"is missing or no UID of at most {LONGEST_UID} characters")
    return uid


def is_uid(text: str) -> bool:
    """Whether the text is a UID (PS3.5, 9.1)."""
    return len(text) <= LONGEST_UID and UID.fullmatch(text) is not None


def _refusal(uid: str, rule: str) -> str:
    return f"{uid if is_uid(uid) else 'what is there'} {rule}" if uid else "is missing"
