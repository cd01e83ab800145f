"""The character set of a message (MSH-18, table 0211; v2.6 chapter 2.15.9.18): bytes -> text, before it is cut.

In sets of two bytes the second half of a character may look like a delimiter. Where it cannot be known whether one is
such a half, the message is not to be read: its fields would be cut in the wrong places.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

# MSH-18 (table 0211) and Python's name of the set.
ONE_BYTE_CHARSETS = {
    "8859/1": "iso8859-1",
    "8859/2": "iso8859-2",
    "8859/5": "iso8859-5",
    "8859/7": "iso8859-7",
    "8859/9": "iso8859-9",
    "8859/15": "iso8859-15",
}
# A sender that says nothing is read as UTF-8 where its bytes are, else as Latin-1, which ASCII is part of.
CHARSETS = {
    "ASCII": "",
    **ONE_BYTE_CHARSETS,
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
}
# Of the same table: sets that are switched to by ISO 2022 escape sequences within ASCII text (MSH-20, v2.6 chapter
# 2.15.9.20). A Japanese sender names them after ASCII, as ``~ISO IR87``, or alone.
SWITCHED_CHARSETS = {"ISO IR87": "iso2022_jp", "ISO IR159": "iso2022_jp_1"}
SWITCHED_FROM = frozenset({"", "ASCII", "ISO IR6"})
# Of the same table: sets of two bytes and more, of which ASCII is part. Python has no codec of CNS 11643-1992.
WIDE_CHARSETS = {
    "BIG-5": "cp950",
    "BIG5": "cp950",
    "GB 18030-2000": "gb18030",
    "GB18030": "gb18030",
    "KS X 1001": "cp949",
}
NOT_OF_ITS_SET = "the bytes must be those of the character set that is named"
MAY_BE_HALVES = "the character set must be named: bytes that look like delimiters may be halves of characters"

Signs = tuple[str, str, str, str, str]
"""Field separator, component separator, repetition separator, escape and subcomponent separator."""

_SWITCH = b"\x1b"
_CHARSET_FIELD = 18
_HIGH = "[\udc80-\udcff]"
"""A byte that is no part of UTF-8, as Python's ``surrogateescape`` has it."""
_SECOND_HALVES = range(0x40, 0x7F)
"""What of ASCII may be the second half of a character."""
_LETTERS = re.compile("[\udcc0-\udcff]+")
"""Nearly all letters of the alphabets of one byte have such bytes: Latin, Greek, Hebrew and Arabic ones in ISO 8859 and
Windows, Cyrillic ones in Windows and KOI8. Of two bytes few characters have."""
_LATIN_ENDS = frozenset(
    bytes((*range(0xC0, 0x100), *b"\x80\x85\x8a\x8c\x8e\x92\x94\x9a\x9c\x9e\x9f\xa0\xaa\xb0\xb2\xb3\xb5\xb9\xba\xbb"))
)
"""Letters of Windows-1252, and the signs that a text in it may end with."""


class Decoded(NamedTuple):
    """The text, Python's name of its set, and the rule that the message breaks if it must not be read."""

    text: str
    codec: str
    fault: str = ""


def decoded(whole: bytes, signs: Signs) -> Decoded:
    """The text of a message that begins with MSH."""
    names = _declared(_first_line(whole), signs)
    if switched := _switched(names):
        # Each segment begins in ASCII, whatever the one before left open: else a name that was cut off would take
        # the fields after it with it. Neither CR nor LF is ever half of a character.
        parts = re.split(rb"([\r\n]+)", whole)
        return Decoded("".join(part.decode(switched, errors="replace") for part in parts), switched)
    if charset := CHARSETS.get(names[0], ""):
        return Decoded(whole.decode(charset, errors="replace"), charset)
    # No byte of a character in UTF-8 looks like a delimiter.
    try:
        return Decoded(whole.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        return _wide(whole, names) or _latin(whole, signs)


def _wide(whole: bytes, names: list[str]) -> Decoded | None:
    codec = _wide_codec(names)
    if not codec:
        return None
    try:
        return Decoded(whole.decode(codec), codec)
    except UnicodeDecodeError:
        return Decoded(whole.decode(codec, errors="replace"), codec, NOT_OF_ITS_SET)


def _latin(whole: bytes, signs: Signs) -> Decoded:
    return Decoded(whole.decode("iso8859-1"), "iso8859-1", MAY_BE_HALVES if _may_be_halves(whole, signs) else "")


def _may_be_halves(whole: bytes, signs: Signs) -> bool:
    """Whether delimiters stand where the second half of a character may, in what is hardly Latin text.

    That is a run of an odd number of bytes before one: with others in it than the letters of an alphabet, or of such
    letters where the message has a run of four and more elsewhere that is not of them. A French name that ends with an
    accent is neither, nor is a Russian or Greek one.
    """
    text = whole.decode("utf-8", errors="surrogateescape")
    may_be_letters = False
    for found in _before_delimiters(signs).finditer(text):
        is_end = len(found[0]) == 1 and ord(found[0]) - 0xDC00 in _LATIN_ENDS
        if not is_end and not _LETTERS.fullmatch(found[0]):
            return True
        may_be_letters = True
    return may_be_letters and not all(_LETTERS.fullmatch(run) for run in re.findall(_HIGH + "{4,}", text))


@lru_cache(maxsize=64)
def _before_delimiters(signs: Signs) -> re.Pattern[str]:
    """Runs of an odd number of bytes before a delimiter."""
    halves = "".join(re.escape(one) for one in signs if one and ord(one) in _SECOND_HALVES)
    return re.compile(rf"(?<!{_HIGH})(?:{_HIGH}{{2}})*{_HIGH}(?=[{halves}])" if halves else r"(?!)")


def _first_line(whole: bytes) -> bytes:
    line = whole.partition(b"\r")[0]
    return line.partition(b"\n")[0]


def _declared(line: bytes, signs: Signs) -> list[str]:
    """The names in MSH-18, at least one."""
    # Half of a character may look like a delimiter.
    if _SWITCH not in line and line.count(signs[0].encode()) < _CHARSET_FIELD - 1:
        return [""]
    if _SWITCH in line:
        return _names(line.decode("iso2022_jp_1", errors="replace"), signs)
    for codec in () if line.isascii() else dict.fromkeys(WIDE_CHARSETS.values()):
        names = _names(line.decode(codec, errors="replace"), signs)
        if _wide_codec(names) == codec:
            return names
    return _names(line.decode("iso8859-1"), signs)


def _names(line: str, signs: Signs) -> list[str]:
    field, _, repetition, _, _ = signs
    fields = line.split(field, _CHARSET_FIELD)
    declared = fields[_CHARSET_FIELD - 1] if len(fields) >= _CHARSET_FIELD else ""
    return [name.strip().upper() for name in (declared.split(repetition) if repetition else [declared])]


def _wide_codec(names: list[str]) -> str:
    return next((WIDE_CHARSETS[name] for name in names if name in WIDE_CHARSETS), "")


def _switched(names: list[str]) -> str:
    first, *others = names
    meant = names if first in SWITCHED_CHARSETS else others if first in SWITCHED_FROM else []
    found = [SWITCHED_CHARSETS[name] for name in meant if name in SWITCHED_CHARSETS]
    # The codec of JIS X 0212 (ISO IR159) reads JIS X 0208 as well.
    return max(found, default="")
