"""A site's flowsheet interface as a TOML file: addresses, assigning authorities, rows (docs/conformance/flowsheet.md).

Nothing is built in but an example to begin from: which row takes which value is the site's to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from neopain.charting.site_file import parse, read_text
from neopain.codecs.hl7v2.charset import ONE_BYTE_CHARSETS
from neopain.codecs.hl7v2.flowsheet import (
    LONGEST_ST,
    NIPS_CODE,
    Acknowledgement,
    Authority,
    Coded,
    Flowsheet,
    Missing,
    Row,
    ValueType,
)
from neopain.codecs.hl7v2.flowsheet_values import SOURCES, UNITS, Source
from neopain.errors import ConfigurationError

EXAMPLE = Path(__file__).with_name("flowsheet_example.toml")
"""Rows of a hospital that does not exist."""
CHARSET_CODECS = {"ASCII": "ascii", **ONE_BYTE_CHARSETS, "UNICODE UTF-8": "utf-8"}
"""MSH-18 (table 0211) and Python's name of the set."""
USUAL_DECIMALS = {"{score}": 1}
"""Of a number whose row says nothing of them; all others have none."""


def _printable(value: str) -> str:
    if not value.isprintable() or value != value.strip():
        raise ValueError("Input should be printable, without spaces around it")
    return value


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("Input should be an IANA time zone, e.g. Europe/Berlin") from error
    return value


def _known_source(value: str) -> str:
    if value not in SOURCES:
        raise ValueError(f"there are the values {', '.join(SOURCES)}")
    return value


def _known_charset(value: str) -> str:
    if value not in CHARSET_CODECS:
        raise ValueError(f"there are the character sets {', '.join(CHARSET_CODECS)}")
    return value


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]
Words = Annotated[str, Field(min_length=1, max_length=LONGEST_ST), AfterValidator(_printable)]
Party = Annotated[str, Field(max_length=180), AfterValidator(_printable)]
"""An application or a facility, MSH-3 to MSH-6; a facility may be empty."""


class Table(BaseModel):
    """A table of the file: no key that is not known, and numbers that are written as numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class CodedTable(Table):
    """A code with its text and its coding system."""

    code: Words
    text: Party = ""
    system: Party = ""

    def coded(self) -> Coded:
        """The same as messages take it."""
        return Coded(self.code, self.text, self.system)


class InterfaceTable(Table):
    """``[interface]``: who is addressed, and how."""

    sending_application: Words = "NEOPAIN"
    sending_facility: Party = ""
    receiving_application: Words
    receiving_facility: Party = ""
    acknowledgement: Literal["application", "accept", "original"] = "application"
    charset: Annotated[str, AfterValidator(_known_charset)] = "UNICODE UTF-8"
    zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    patient_class: Annotated[str, Field(pattern=r"^[A-Z]$")] = "U"
    entered_in_error: Literal["D", "W"] = "D"
    service: CodedTable | None = None


class AuthorityTable(Table):
    """``[[authority]]``: an assigning authority of the census, as ADT tells it, and what the receiver calls it."""

    census: Words
    sent: Words
    type: Annotated[str, Field(pattern=r"^[A-Z0-9]{0,5}$")] = ""


class RowTable(Table):
    """``[[row]]``: one value of the entry and the row that takes it."""

    value: Annotated[str, AfterValidator(_known_source)]
    code: Words
    text: Party = ""
    system: Party = ""
    type: Literal["NM", "ST", "TX"] | None = None
    unit: Words | None = None
    unit_sent: CodedTable | None = None
    decimals: Annotated[int, Field(ge=0, le=3)] | None = None
    missing: Literal["omit", "reason"] | None = None
    words: dict[Words, Words] = {}


class FlowsheetFile(Table):
    """The whole file; ``name`` is told where it is in force."""

    name: Name
    interface: InterfaceTable
    authority: Annotated[list[AuthorityTable], Field(min_length=1)]
    row: Annotated[list[RowTable], Field(min_length=1)]


def read_flowsheet(path: Path) -> Flowsheet:
    """The flowsheet of a file; ``ConfigurationError`` names the file, the key and the rule."""
    text = read_text(path, what="flowsheet")
    return parse_flowsheet(text, file=str(path))


def parse_flowsheet(text: str, *, file: str) -> Flowsheet:
    """The flowsheet of a file's text. Raises ``ConfigurationError``; ``file`` is its name there."""
    read = parse(text, FlowsheetFile, file=file)
    if faults := [*_faults(read)]:
        raise ConfigurationError(f"{file}: {'; '.join(faults)}")
    return _flowsheet(read)


def _faults(read: FlowsheetFile) -> Iterator[str]:
    """What no single key says wrongly and still cannot be meant."""
    for number, row in enumerate(read.row, 1):
        yield from (f"key row.{number}.{fault}" for fault in _row_faults(row, SOURCES[row.value]))
    yield from _twice((f"{row.code} of {row.system or 'no system'}" for row in read.row), "row")
    yield from _twice((one.census for one in read.authority), "authority")
    if not any(row.value in {"score", "nips"} for row in read.row):
        yield "no row has the value score or nips"
    if not any(_tells_absence(row) for row in read.row):
        yield 'no row tells why there is no number: add value = "reason", or missing = "reason" to that of the score'
    yield from _unwritable(read)


def _row_faults(row: RowTable, source: Source) -> Iterator[str]:
    is_number = source.number is not None
    if row.code == NIPS_CODE and row.value != "nips":
        yield f'code: {NIPS_CODE} carries the NIPS equivalent of 0 to 7 only: value = "nips"'
    if not is_number and row.type == "NM":
        yield f"type: {row.value} is a text, not NM"
    if source.is_long and row.type == "ST":
        yield f"type: {row.value} may be longer than the {LONGEST_ST} characters of ST: TX"
    if is_number and row.unit is not None and (source.unit, row.unit) not in UNITS:
        yield f"unit: {row.value} can be in {', '.join(one for own, one in UNITS if own == source.unit)}"
    if is_number and row.words and row.missing != "reason":
        yield 'words: a number has words only with missing = "reason"'
    if not is_number:
        set_keys = (name for name in ("unit", "unit_sent", "decimals", "missing") if getattr(row, name) is not None)
        yield from (f"{name}: {row.value} is a text" for name in set_keys)


def _tells_absence(row: RowTable) -> bool:
    return row.value == "reason" or (row.value in {"score", "nips"} and row.missing == "reason")


def _twice(names: Iterable[str], what: str) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield f"{what} {name} is there twice"
        seen.add(name)


def _unwritable(read: FlowsheetFile) -> Iterator[str]:
    """Texts of the file that the character set does not have: no message could be sent."""
    codec = CHARSET_CODECS[read.interface.charset]
    for key, text in _texts(read.model_dump(exclude={"name"})):
        try:
            text.encode(codec)
        except UnicodeEncodeError:
            yield f"key {key}: has characters that {read.interface.charset} does not have"


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield key, value
        case dict():
            # Only what a word is replaced by is sent, not the word itself.
            for name, one in value.items():
                yield from _texts(one, f"{key}.{name}" if key else str(name))
        case list():
            for number, one in enumerate(value, 1):
                yield from _texts(one, f"{key}.{number}")


def _flowsheet(read: FlowsheetFile) -> Flowsheet:
    table = read.interface
    service = {} if table.service is None else {"service": table.service.coded()}
    return Flowsheet(
        name=read.name,
        sender=(table.sending_application, table.sending_facility),
        receiver=(table.receiving_application, table.receiving_facility),
        authorities={one.census: Authority(one.sent, one.type) for one in read.authority},
        rows=tuple(_row(one, SOURCES[one.value]) for one in read.row),
        acknowledgement=Acknowledgement(table.acknowledgement),
        charset=table.charset,
        codec=CHARSET_CODECS[table.charset],
        zone=ZoneInfo(table.zone),
        patient_class=table.patient_class,
        retraction=table.entered_in_error,
        **service,
    )


def _row(table: RowTable, source: Source) -> Row:
    is_number = source.number is not None
    usual = "NM" if is_number else "TX" if source.is_long else "ST"
    unit = table.unit or source.unit
    sent_unit = table.unit_sent.coded() if table.unit_sent else Coded(unit, "", "UCUM") if is_number else Coded("")
    usual_decimals = USUAL_DECIMALS.get(unit, 0)
    return Row(
        value=table.value,
        observation=Coded(table.code, table.text, table.system),
        kind=ValueType(table.type or usual),
        unit=unit,
        sent_unit=sent_unit,
        decimals=usual_decimals if table.decimals is None else table.decimals,
        missing=Missing(table.missing or "omit"),
        words=dict(table.words),
    )
