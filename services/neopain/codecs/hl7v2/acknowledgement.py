"""What a receiver answers to a message of ours: MSA and ERR (v2.5.1 chapters 2.15.8 and 2.15.5), read leniently.

The codes and places are ours to tell; a receiver's own words may name a patient and are kept apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from neopain.codecs.hl7v2.message import FIELD_MISSING, SEGMENT_SEQUENCE_ERROR, VALUE_NOT_FOUND, Message, Segment, parse
from neopain.errors import MalformedMessage

CODES = frozenset({"AA", "AE", "AR", "CA", "CE", "CR"})
"""MSA-1 (table 0008)."""
TAKEN = frozenset({"AA", "CA"})
RECORD_LOCKED = "206"
"""Table 0357: the receiver's storage did not take it now."""
_LONGEST_WORDS = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """One acknowledgement. ``faults`` are codes and places, without anybody's data; ``words`` are the receiver's."""

    code: str
    about: str
    """MSA-2: the control id of the message that it answers."""
    faults: tuple[str, ...] = ()
    error_codes: frozenset[str] = frozenset()
    words: str = ""

    @property
    def is_taken(self) -> bool:
        """Whether the message was taken, by the application or into safe storage."""
        return self.code in TAKEN

    @property
    def is_of_application(self) -> bool:
        """Whether it is an application acknowledgement, not only an accept acknowledgement."""
        return self.code.startswith("A")

    @property
    def may_be_taken_later(self) -> bool:
        """Whether all that kept the receiver from taking it is a locked record."""
        return self.error_codes == {RECORD_LOCKED}

    def __str__(self) -> str:
        return ", ".join((self.code, *self.faults))


def read_answer(raw: bytes) -> Answer:
    """The acknowledgement in these bytes. ``MalformedMessage``: 100 without MSA, 101 or 103 where it says nothing."""
    message = parse(raw)
    msa = message.first("MSA")
    if msa is None:
        raise MalformedMessage("MSA", "an acknowledgement has one", code=SEGMENT_SEQUENCE_ERROR)
    code = msa.text(1).upper()
    if code not in CODES:
        raise MalformedMessage("MSA-1", f"must be one of {', '.join(sorted(CODES))}", code=VALUE_NOT_FOUND)
    if not msa.text(2):
        raise MalformedMessage("MSA-2", "the message control id is required", code=FIELD_MISSING)
    errors = list(message.all("ERR"))
    return Answer(
        code=code,
        about=msa.text(2),
        faults=tuple(filter(None, map(_fault, errors))),
        error_codes=frozenset(filter(None, map(_error_code, errors))),
        words=_words(message),
    )


def _fault(err: Segment) -> str:
    """``103 at OBX[1]-3``: the code of table 0357, the receiver's own in ERR-5, and the place."""
    own = err.text(5)
    named = " ".join(filter(None, (_error_code(err), f"({own})" if _is_code(own) else "")))
    place = _place(err)
    return f"{named or 'error'} at {place}" if place else named


def _error_code(err: Segment) -> str:
    """ERR-3, before v2.5 the code in ERR-1.4; empty where it is no code."""
    code = err.text(3) or err.text(1, 4)
    return code if _is_code(code) else ""


def _place(err: Segment) -> str:
    """ERR-2, before v2.5 ERR-1: segment, its number, field."""
    field = 2 if err.raw(2) else 1
    segment, number, position = (err.text(field, component) for component in (1, 2, 3))
    if not (segment.isalnum() and len(segment) == 3 and segment.isascii()):
        return ""
    numbered = f"{segment}[{number}]" if number.isdigit() else segment
    return f"{numbered}-{position}" if position.isdigit() else numbered


def _is_code(text: str) -> bool:
    return 0 < len(text) <= 20 and text.isascii() and all(one.isalnum() or one in "-_." for one in text)


def _words(message: Message) -> str:
    """MSA-3, and of each ERR the texts of the error, for the user and of diagnosis."""
    msa = message.first("MSA")
    said = [msa.text(3)] if msa is not None else []
    for err in message.all("ERR"):
        said += [err.text(3, 2), err.text(8), err.text(7), err.text(1, 4, 2)]
    readable = (" ".join(one.split()) for one in said)
    return "; ".join(dict.fromkeys(filter(None, readable)))[:_LONGEST_WORDS]
