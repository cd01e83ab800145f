"""What hl7apy does not read as it was written is not sent."""

from __future__ import annotations

import pytest

from neopain.codecs.hl7v2.message import Delimiters
from neopain.codecs.hl7v2.soundness import require_sound
from neopain.errors import MalformedMessage


def checked(line: str) -> None:
    require_sound([line], version="2.5.1", delimiters=Delimiters())


@pytest.mark.parametrize(
    "line",
    [
        "PID|1||4711^^^HOSP^MR||~^^^^^^U",
        "OBX|1|NM|3001^score^EAST||5.3||||||P",
        f"OBX|1|ST|3001^score^EAST||{'a' * 199}||||||P",
        f"OBX|1|TX|3001^score^EAST||{'a' * 900}||||||P",
        r"OBX|1|ST|3001^score^EAST||a\F\b||||||P",
    ],
    ids=["PID", "number", "string", "long text", "escaped"],
)
def test_what_is_read_as_it_was_written_is_sound(line: str) -> None:
    checked(line)


@pytest.mark.parametrize(
    "line",
    [
        "PID|1||4711^^^HOSP^MR^^^^^^^^^^^too many||~^^^^^^U",
        "PID|1||||",
        "OBX|1|NM|3001^score^EAST||not scored||||||P",
        "OBX|1|NM|3001^score^EAST||5.3 ||||||P",
        f"OBX|1|ST|3001^score^EAST||{'a' * 200}||||||P",
        "OBX|1|ST|3001^score^EAST||a^b||||||P",
        "OBX|1|QQ|3001^score^EAST||5||||||P",
    ],
    ids=["components", "required", "no number", "space", "too long", "two components", "type"],
)
def test_what_is_not_is_refused_with_its_segment(line: str) -> None:
    with pytest.raises(MalformedMessage) as refused:
        checked(line)

    assert (refused.value.location, refused.value.code) == (line[:3], "207")
