"""Media types as senders write them: with and without quotes."""

from __future__ import annotations

import pytest

from neopain.codecs.media_type import accepts, read_media_type
from neopain.errors import MalformedMessage

READ = {"type": "application/dicom", "boundary": "a b"}


@pytest.mark.parametrize(
    "text",
    [
        'multipart/related; type="application/dicom"; boundary="a b"',
        "multipart/related; type=application/dicom; boundary=a b",
        'Multipart/Related;TYPE = application/dicom ;Boundary= "a b" ;',
        'multipart/related; boundary="a b"; type="application\\/dicom"',
        ' multipart/related ;; type="application/dicom"; boundary=a b; boundary=other',
    ],
)
def test_parameters_are_read_with_and_without_quotes(text: str) -> None:
    read = read_media_type(text)
    assert (read.name, dict(read.parameters)) == ("multipart/related", READ)


def test_a_quoted_value_may_hold_what_would_end_it() -> None:
    assert read_media_type(r'a/b; boundary="=_;\"x\""').parameters == {"boundary": '=_;"x"'}


@pytest.mark.parametrize("text", ["", "multipart", "a/b, c/d", 'a/b; boundary="open', "a/b; =x"])
def test_what_is_no_media_type_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage, match=r"^Content-Type: "):
        read_media_type(text)


@pytest.mark.parametrize(
    ("header", "is_taken"),
    [
        ("", True),
        ("*/*", True),
        ("application/dicom+json", True),
        ("application/*;q=0.5", True),
        ('multipart/related; type="application/dicom+xml, x", application/dicom+json', True),
        ("application/dicom+xml", False),
        ("application/dicom+json;q=0", False),
        ("text/html, application/dicom+xml", False),
    ],
)
def test_an_answer_is_given_in_a_type_that_is_accepted(header: str, is_taken: bool) -> None:
    assert accepts(header, ("application/dicom+json",)) is is_taken
