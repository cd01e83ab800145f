"""The encoding rules of HL7 v2 (v2.6 chapter 2.5 to 2.7): bytes -> segments, fields, components, read leniently.

Lean on purpose: the vitals path reads thousands of messages a second. What a segment means is left to its own module.
Positions are HL7's own: field 1 is the first one after the segment's name, MSH-1 is the field separator.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from neopain.codecs.hl7v2.charset import decoded
from neopain.errors import MalformedMessage

_LONGEST_HEAD = 16
"""MSH up to the end of MSH-2, in bytes, where it is kept in its read form."""
LONGEST_KEPT = 512
"""What is kept by a text that a sender chose is kept only for texts up to this length: so memory is bounded."""
UNREADABLE = "\ufffd"
"""Stands for bytes that are no character of the declared set; an identifier that holds one is refused."""

SEGMENT_SEQUENCE_ERROR = "100"
FIELD_MISSING = "101"
DATA_TYPE_ERROR = "102"
VALUE_NOT_FOUND = "103"
UNSUPPORTED_TYPE = "200"
UNSUPPORTED_EVENT = "201"
UNSUPPORTED_PROCESSING = "202"
UNSUPPORTED_VERSION = "203"
DUPLICATE_KEY = "205"
APPLICATION_ERROR = "207"

# Every pattern here looks at each byte once, whatever a sender makes up: runs are matched from their first byte only.
_MSH = re.compile(rb"(?<![^\x00-\x1f\xef\xbb\xbf])MSH(?=[^A-Za-z0-9\s])")
_JUNK = bytes(range(0x21)) + b"\xef\xbb\xbf"


class Delimiters(NamedTuple):
    """MSH-1 and MSH-2. A missing one of MSH-2 is an empty string and separates nothing."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: ``fields[n]`` is field n as sent, ``fields[0]`` the name; ``number`` counts those of its name."""

    name: str
    number: int
    fields: list[str]
    delimiters: Delimiters

    def raw(self, field: int) -> str:
        """The field as sent, with its delimiters and escapes; empty when absent."""
        return self.fields[field] if field < len(self.fields) else ""

    def padded(self, length: int) -> list[str]:
        """The fields as sent, at least so many, those that are absent empty."""
        missing = length - len(self.fields)
        return [*self.fields, *[""] * missing] if missing > 0 else self.fields

    def repetitions(self, field: int) -> list[str]:
        """The field's repetitions as sent; none when it is absent."""
        return repeated(self.raw(field), self.delimiters)

    def text(self, field: int, component: int = 1, subcomponent: int = 1) -> str:
        """A part of the field's first repetition, unescaped and stripped; empty when absent."""
        raw = self.raw(field)
        return text_of(raw, component, subcomponent, self.delimiters) if raw else ""

    def place(self, field: int, component: int | None = None) -> str:
        """The field's place in the words of an error: ``OBX[3]-5.1``."""
        numbered = self.name if self.number == 1 and self.name != "OBX" else f"{self.name}[{self.number}]"
        return f"{numbered}-{field}" if component is None else f"{numbered}-{field}.{component}"


class Message:
    """The segments of one message in their order; the first is MSH. ``codec`` is Python's name of its character set.

    ``fault`` is the rule of its character set that it breaks, empty if none: ``read_header`` refuses it.

    ``text`` is all of it as sent, decoded. It is cut into lines, and those into segments, when somebody asks for them:
    of vitals that repeat their form nobody does. ``is_plain``: nothing in it but a CR could end a line.
    """

    __slots__ = ("_lines", "_segments", "codec", "delimiters", "fault", "header", "is_plain", "text")

    def __init__(self, text: str, delimiters: Delimiters, codec: str, fault: str = "") -> None:
        self.text = text
        self.delimiters = delimiters
        self.codec = codec
        self.fault = fault
        self.is_plain = is_plain(text)
        self._lines: list[str] = []
        self._segments: list[Segment] = []
        name, *fields = self._first_line().split(delimiters.field)
        self.header = Segment(name, 1, [name, delimiters.field, *fields], delimiters)
        """MSH."""

    @property
    def lines(self) -> list[str]:
        """The text of every segment."""
        if not self._lines:
            self._lines = _lines(self.text, self.delimiters.field, is_plain=self.is_plain)
        return self._lines

    def _first_line(self) -> str:
        end = self.text.find("\r")
        if self.is_plain and _begins_segment(self.text[end + 1 : end + 5], self.delimiters.field):
            return self.text[:end] if end >= 0 else self.text
        return self.lines[0]

    @property
    def segments(self) -> list[Segment]:
        """Every segment."""
        if not self._segments:
            counts: dict[str, int] = {}
            self._segments.append(self.header)
            for line in self.lines[1:]:
                fields = line.split(self.delimiters.field)
                counts[fields[0]] = number = counts.get(fields[0], 0) + 1
                self._segments.append(Segment(fields[0], number, fields, self.delimiters))
        return self._segments

    def heads(self, name: str) -> tuple[str, str]:
        """What the first four signs of a line may be whose segment has that name of three."""
        return f"{name}{self.delimiters.field}", name

    def first(self, name: str) -> Segment | None:
        """The first segment of that name."""
        heads = self.heads(name)
        found = next((line for line in self.lines if line[:4] in heads), None)
        if found is None or name == "MSH":
            return None if found is None else self.header
        return Segment(name, 1, found.split(self.delimiters.field), self.delimiters)

    def all(self, name: str) -> Iterator[Segment]:
        """Every segment of that name."""
        return (segment for segment in self.segments if segment.name == name)


def parse(raw: bytes) -> Message:
    """The message in these bytes.

    Segments end with CR, LF or CRLF; blank ones, NULs, a byte order mark and anything before the first MSH line are
    left out. A line that does not look like a segment belongs to the field before it. Raises ``MalformedMessage``
    (code 100) when there is no MSH or more than one, or when its delimiters cannot be told apart.
    """
    raw = raw.lstrip(_JUNK)
    found = _MSH.search(raw)
    if found is None:
        raise MalformedMessage("MSH", "the message must begin with an MSH segment", code=SEGMENT_SEQUENCE_ERROR)
    whole = raw[found.start() :].replace(b"\x00", b"")
    delimiters = _delimiters(whole)
    text, codec, fault = decoded(whole, delimiters)
    message = Message(text.rstrip("\r\n\t "), delimiters, codec, fault)
    if text.count("MSH") > 1 and any(line.split(delimiters.field, 1)[0] == "MSH" for line in message.lines[1:]):
        raise MalformedMessage("MSH[2]", "one frame must hold one message", code=SEGMENT_SEQUENCE_ERROR)
    return message


def is_plain(text: str) -> bool:
    """Whether nothing in a message but a CR could end a line."""
    return "\n" not in text and " \r" not in text and "\t\r" not in text


def messages_in(data: bytes) -> list[bytes]:
    """The messages of a file: each begins at a line that begins with MSH; MLLP's own bytes are left out."""
    plain = data.replace(b"\x0b", b"\n").replace(b"\x1c", b"\n")
    plain = plain.lstrip(_JUNK)
    starts = [found.start() for found in _MSH.finditer(plain)]
    return [plain[start:end].strip() for start, end in pairwise([*starts, len(plain)])]


def repeated(raw: str, delimiters: Delimiters) -> list[str]:
    """The repetitions of a field as sent; none when it is empty."""
    separator = delimiters.repetition
    if separator and separator in raw:
        return raw.split(separator)
    return [raw] if raw else []


def text_of(raw: str, component: int, subcomponent: int, delimiters: Delimiters) -> str:
    """A part of the field's first repetition, unescaped and stripped; empty when absent."""
    separator = delimiters.repetition
    if separator and separator in raw:
        raw = raw.split(separator, 1)[0]
    return part(raw, component, subcomponent, delimiters)


def part(raw: str, component: int, subcomponent: int, delimiters: Delimiters) -> str:
    """A component's subcomponent of one repetition, unescaped and stripped; empty when absent."""
    value = _nth(raw, delimiters.component, component)
    value = _nth(value, delimiters.subcomponent, subcomponent)
    if delimiters.escape and delimiters.escape in value:
        value = unescape(value, delimiters)
    return value.strip()


def _nth(raw: str, separator: str, position: int) -> str:
    if not separator or separator not in raw:
        return raw if position == 1 else ""
    parts = raw.split(separator, position)
    return parts[position - 1] if position <= len(parts) else ""


def unescape(text: str, delimiters: Delimiters) -> str:
    """The text without its escape sequences (v2.6 chapter 2.7): delimiters, hexadecimal bytes, line breaks.

    Highlighting is dropped, and so are NULs, as in ``parse``; a sequence that nobody defined stays as it is.
    """
    mark = delimiters.escape
    known = {
        "F": delimiters.field,
        "S": delimiters.component,
        "T": delimiters.subcomponent,
        "R": delimiters.repetition,
        "E": mark,
        "H": "",
        "N": "",
        ".br": "\n",
    }

    def meaning(found: re.Match[str]) -> str:
        sequence = found[1]
        if sequence in known:
            return known[sequence]
        if re.fullmatch(r"X(?:[0-9A-Fa-f]{2})+", sequence):
            return bytes.fromhex(sequence[1:]).replace(b"\x00", b"").decode("iso8859-1")
        return found[0]

    escape = re.escape(mark)
    return re.sub(f"{escape}([^{escape}]{{1,80}}){escape}", meaning, text)


def escape(text: str, delimiters: Delimiters) -> str:
    """The text with every delimiter and control sign escaped, so that it fits into one field and one frame.

    Where a sender has given the backslash another meaning and no sign to escape with, they become spaces.
    """
    mark = delimiters.escape or "\\"
    if not delimiters.escape and mark in delimiters:
        return "".join(" " if one in delimiters or ord(one) < 0x20 else one for one in text)
    sequences = {
        delimiters.field: "F",
        delimiters.component: "S",
        delimiters.subcomponent: "T",
        delimiters.repetition: "R",
        mark: "E",
        **{chr(sign): f"X{sign:02X}" for sign in range(0x20)},
        "\n": ".br",
    }
    return "".join(f"{mark}{sequences[one]}{mark}" if one in sequences else one for one in text)


def _delimiters(whole: bytes) -> Delimiters:
    # What follows MSH-2 says nothing of them: most messages share these few bytes.
    end = whole.find(whole[3:4], 4, _LONGEST_HEAD)
    return _known_delimiters(whole[:end]) if end > 0 else _delimiters_in(whole)


@lru_cache(maxsize=64)
def _known_delimiters(head: bytes) -> Delimiters:
    return _delimiters_in(head)


def _delimiters_in(head: bytes) -> Delimiters:
    line = re.split(rb"[\r\n]", head, maxsplit=1)[0].decode("iso8859-1")
    # The line may end here: a NUL that stood after MSH is left out.
    field = line[3:4]
    found = line[4:].split(field, 1)[0] if field else ""
    chosen = [field, *found[:4]]
    if not found or len(set(chosen)) < len(chosen) or any(one.isalnum() or not "!" <= one <= "~" for one in chosen):
        rule = f"the delimiters must be up to five different signs, not {found[:8]!r} after {field!r}"
        raise MalformedMessage("MSH-2", rule, code=SEGMENT_SEQUENCE_ERROR)
    component, repetition, escape_mark, subcomponent = (*found, "", "", "", "")[:4]
    return Delimiters(field, component, repetition, escape_mark, subcomponent)


def _lines(text: str, field: str, *, is_plain: bool) -> list[str]:
    # Most senders end each segment with one CR and nothing else: then the lines are the segments.
    if is_plain:
        lines = text.split("\r")
        if all(_begins_segment(start, field) for start in {line[:4] for line in lines}):
            return lines
    return _segment_break(field).split(text)


@lru_cache(maxsize=512)
def _begins_segment(start: str, field: str) -> bool:
    return re.fullmatch(rf"[A-Z][A-Z0-9]{{2}}{re.escape(field)}", start) is not None


@lru_cache(maxsize=32)
def _segment_break(field: str) -> re.Pattern[str]:
    begins = rf"[A-Z][A-Z0-9]{{2}}(?:{re.escape(field)}|[\r\n]|\Z)"
    return re.compile(rf"(?<![\r\n\t ])[\t ]*+[\r\n][\r\n\t ]*+(?={begins})")
