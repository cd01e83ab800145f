"""Media types as HTTP headers name them (RFC 9110, 5.6.6 and 8.3): text -> a name and its parameters. No I/O.

Senders differ in how they quote: ``type="application/dicom"`` as the grammar asks, ``type=application/dicom`` as many
do although ``/`` is no character of a token, blanks around ``=``. All of it is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from neopain.errors import MalformedMessage

_NAME = re.compile(r"\s*([^\s/;,\"]+/[^\s/;,\"]+)\s*")
_PARAMETER = re.compile(r";\s*(?:([^\s=;\"]+)\s*=\s*(\"(?:[^\"\\]|\\.)*\"|[^;\"]*)\s*)?")
_PAIR = re.compile(r"\\(.)")
_RANGE = re.compile(r"(?:[^,\"]|\"(?:[^\"\\]|\\.)*\")+")


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type, or a range of them; name and names of parameters in lower case, values as they are meant."""

    name: str
    parameters: Mapping[str, str]


def read_media_type(text: str, header: str = "Content-Type") -> MediaType:
    """The media type that a header names; ``MalformedMessage`` names the header."""
    name = _NAME.match(text)
    if name is None:
        raise MalformedMessage(header, "names no media type")
    parameters: dict[str, str] = {}
    place = name.end()
    while place < len(text):
        found = _PARAMETER.match(text, place)
        if found is None:
            raise MalformedMessage(header, f"cannot be read after its character {place}")
        if found[1] is not None:
            # The first of two equal names counts: a proxy before us reads it so.
            parameters.setdefault(found[1].lower(), _unquoted(found[2].strip()))
        place = found.end()
    return MediaType(name[1].lower(), parameters)


def accepts(header: str, names: tuple[str, ...]) -> bool:
    """Whether an Accept header takes one of the media types; without a header everything is taken."""
    if not header.strip():
        return True
    ranges = [read_media_type(one, "Accept") for one in _RANGE.findall(header) if one.strip()]
    wanted = {one.name for one in ranges if not re.fullmatch(r"0(\.0*)?", one.parameters.get("q", "1"))}
    return any({name, f"{name.partition('/')[0]}/*", "*/*"} & wanted for name in names)


def _unquoted(value: str) -> str:
    return _PAIR.sub(r"\1", value[1:-1]) if value.startswith('"') else value
