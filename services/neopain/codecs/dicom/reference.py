"""Which object a file says it holds: its file meta information (PS3.10, 7.1), and its study. Little of it is read."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO

from pydicom import config
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from neopain.codecs.dicom.header import read_header
from neopain.codecs.dicom.instance import FAULTS, is_uid
from neopain.errors import MalformedMessage

LONGEST_META_BYTES = 65_536
_PREAMBLE_BYTES = 128
_PREFIX = b"DICM"
_STUDY_INSTANCE_UID = 0x0020000D


@dataclass(frozen=True, slots=True)
class Reference:
    """An object's SOP class, instance and transfer syntax, each a UID; not compared with its data set."""

    sop_class: str
    uid: str
    syntax: str


def read_reference(file: BinaryIO) -> Reference:
    """What the file meta information says; the file stands at its beginning.

    ``MalformedMessage`` names the attribute and the rule for what is no DICOM file.
    """
    head = io.BytesIO(file.read(_PREAMBLE_BYTES + len(_PREFIX) + LONGEST_META_BYTES))
    if head.read(_PREAMBLE_BYTES + len(_PREFIX))[_PREAMBLE_BYTES:] != _PREFIX:
        raise MalformedMessage("object", "is no file of DICOM (PS3.10)")
    try:
        with config.disable_value_validation():
            meta = read_dataset(head, is_implicit_VR=False, is_little_endian=True, stop_when=_is_past_meta)
            values = [
                str(meta.get(keyword) or "")
                for keyword in ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID")
            ]
    except FAULTS as error:
        raise MalformedMessage("object", f"its file meta information cannot be read ({type(error).__name__})") from None
    if not all(is_uid(value) for value in values):
        raise MalformedMessage("object", "its file meta information lacks SOP class, instance or transfer syntax")
    return Reference(*values)


def read_study(file: BinaryIO) -> str:
    """StudyInstanceUID of the object in the file, which stands at its beginning; empty when it has none that is a UID.

    Only to be called for a transfer syntax that is taken. Raises ``MalformedMessage``.
    """
    try:
        with config.disable_value_validation():
            dataset = read_header(file, ["StudyInstanceUID"], last=_STUDY_INSTANCE_UID)
            study = str(dataset.get("StudyInstanceUID") or "")
    except FAULTS as error:
        raise MalformedMessage("object", f"is no DICOM that can be read ({type(error).__name__})") from None
    return study if is_uid(study) else ""


def _is_past_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return int(tag) >> 16 != 0x0002
