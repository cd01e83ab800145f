"""OBX-8 and OBX-11: what the device says of its own value. Test and demo data are never scored."""

from __future__ import annotations

import pytest

from neopain.codecs.hl7v2.message import Delimiters
from neopain.codecs.hl7v2.validity import validity_of
from neopain.domain.vitals import Validity


def validity(flags: str, status: str) -> Validity:
    return validity_of(flags, status, Delimiters())


@pytest.mark.parametrize(
    ("flags", "status", "expected"),
    [
        ("", "R", Validity.GOOD),
        ("", "", Validity.GOOD),
        ("VAL", "F", Validity.GOOD),
        ("ALACT", "R", Validity.GOOD),
        ("ALINH~PM", "R", Validity.GOOD),
        ("H", "R", Validity.GOOD),
        ("INV", "X", Validity.INVALID),
        ("QUES", "R", Validity.QUESTIONABLE),
        ("NAV", "X", Validity.INVALID),
        ("CAL", "R", Validity.INVALID),
        ("TEST", "R", Validity.INVALID),
        ("DEMO", "R", Validity.INVALID),
        ("demo", "F", Validity.INVALID),
        ("EARLY", "R", Validity.QUESTIONABLE),
        ("BUSY", "X", Validity.INVALID),
        ("NI", "R", Validity.INVALID),
        ("OFF", "R", Validity.INVALID),
        (">", "R", Validity.QUESTIONABLE),
        ("<", "R", Validity.QUESTIONABLE),
        ("PH~QUES", "R", Validity.QUESTIONABLE),
        ("QUES~TEST", "R", Validity.INVALID),
        ("", "X", Validity.INVALID),
        ("", "D", Validity.INVALID),
        ("", "W", Validity.INVALID),
        ("", "P", Validity.GOOD),
        ("", "?", Validity.QUESTIONABLE),
    ],
)
def test_the_worst_of_flags_and_status_counts(flags: str, status: str, expected: Validity) -> None:
    assert validity(flags, status) is expected
