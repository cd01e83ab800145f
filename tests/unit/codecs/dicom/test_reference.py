"""Which object a file says it holds, read without reading the object."""

from __future__ import annotations

import io

import numpy as np
import pytest

from neopain.codecs.dicom.reference import LONGEST_META_BYTES, Reference, read_reference, read_study
from neopain.errors import MalformedMessage

from ....dicom_objects import GENERAL_AUDIO, as_bytes, audio_object

WHOLE = as_bytes(audio_object(np.zeros(100, np.int16)))


def test_the_file_meta_information_names_the_object() -> None:
    assert read_reference(io.BytesIO(WHOLE)) == Reference(GENERAL_AUDIO, "1.2.3.30", "1.2.840.10008.1.2.1")


def test_no_more_is_read_than_the_file_meta_information_may_be_long() -> None:
    file = io.BytesIO(WHOLE + bytes(1_000_000))
    read_reference(file)
    assert file.tell() < LONGEST_META_BYTES + 1_000


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "is no file of DICOM"),
        (WHOLE[132:], "is no file of DICOM"),
        (WHOLE[: WHOLE.index(b"\x02\x00\x10\x00UI")], "lacks SOP class, instance or transfer syntax"),
        (WHOLE.replace(b"1.2.3.30", b"Anna Kow", 1), "lacks SOP class, instance or transfer syntax"),
    ],
)
def test_what_names_no_object_is_refused_without_a_word_of_it(data: bytes, rule: str) -> None:
    with pytest.raises(MalformedMessage, match=f"object: .*({rule})") as refusal:
        read_reference(io.BytesIO(data))
    assert "Anna" not in str(refusal.value)


def test_the_study_is_read_and_nothing_after_it() -> None:
    until_study = WHOLE[: WHOLE.index(b"\x20\x00\x0e\x00")]
    assert read_study(io.BytesIO(WHOLE)) == read_study(io.BytesIO(until_study)) == "1.2.3.30.1"


def test_a_study_that_is_no_uid_is_none() -> None:
    assert read_study(io.BytesIO(WHOLE.replace(b"1.2.3.30.1", b"Anna Kowal", 1))) == ""
