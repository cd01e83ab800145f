"""The site's file of sources (TOML): what holds for the messages of one sender, and whom each entry means.

A sender is told by its network, its certificate's name, MSH-3 and MSH-4. The first entry whose every condition holds
counts; what it leaves out, and senders that no entry means, have the settings of all.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from functools import lru_cache
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, ValidationError, field_validator

from neopain.domain.identity import BedId, is_recording
from neopain.errors import ConfigurationError
from neopain.ingest.hl7.gate import is_within
from neopain.ingest.hl7.sender import Sender
from neopain.ingest.settings import IngestSettings, known_zone

SETTING = "NEOPAIN_INGEST_HL7_SOURCES"
_CACHED = 1024
"""Senders whose entry is kept found."""
_HEAD = re.compile(r"\s*\[\[\s*source\s*\]\]")

Text = Annotated[str, Field(min_length=1, max_length=200)]
Wants = tuple[str, str]

ACKNOWLEDGEMENTS: Mapping[str, Wants | None] = {
    "as-asked": None,
    "original": ("", ""),
    "commit": ("AL", "NE"),
    "application": ("NE", "AL"),
    "never": ("NE", "NE"),
}
"""What the site may say, and the MSH-15 and MSH-16 that the message is answered as if it held."""


class SourceEntry(BaseModel):
    """One ``[[source]]`` of the file: conditions, all of which must hold, then facts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    networks: Annotated[tuple[IPvAnyNetwork, ...], Field(min_length=1)] | None = None
    certificates: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    application: Text | None = None
    facility: Text | None = None

    acknowledgement: Literal["as-asked", "original", "commit", "application", "never"] = "as-asked"
    zone: str | None = None
    default_facility: str | None = None
    bed: Text | None = None
    may_ask: bool = False

    @field_validator("zone")
    @classmethod
    def _zone_is_known(cls, name: str | None) -> str | None:
        return None if name is None else known_zone(name)

    @field_validator("bed")
    @classmethod
    def _is_a_bed(cls, bed: str | None) -> str | None:
        if bed is not None and (not bed.isprintable() or is_recording(BedId(bed))):
            raise ValueError("expected unit/room/bed@facility; places of recordings are not open to a sender")
        return bed

    @property
    def means_everybody(self) -> bool:
        """Whether it has no condition."""
        conditions = (self.networks, self.certificates, self.application, self.facility)
        return all(one is None for one in conditions)

    def means(self, sender: Sender, application: str, facility: str) -> bool:
        """Whether every condition holds."""
        names = {name.lower() for name in self.certificates or ()}
        return (
            (self.networks is None or is_within(sender.address, self.networks))
            and (self.certificates is None or not names.isdisjoint(sender.names))
            and self.application in {None, application}
            and self.facility in {None, facility}
        )


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What holds for a message: the zone of its times without offset, the facility of places without one, the bed of
    vitals without one, how it is answered if not as it asks, and whether its queries of the census are answered."""

    zone: tzinfo
    default_facility: str = ""
    bed: BedId | None = None
    wants: Wants | None = None
    may_ask: bool = False


class Sources:
    """The entries, and the facts of senders that none of them means."""

    def __init__(self, entries: tuple[SourceEntry, ...], usual: SourceFacts) -> None:
        self.entries = entries
        self.usual = usual
        self.of = lru_cache(_CACHED)(self._of)
        """The facts for a sender, MSH-3 and MSH-4; those empty where a message could not be read."""

    def _of(self, sender: Sender, application: str, facility: str) -> SourceFacts:
        found = next((one for one in self.entries if one.means(sender, application, facility)), None)
        if found is None:
            return self.usual
        usual = self.usual
        return SourceFacts(
            zone=usual.zone if found.zone is None else ZoneInfo(found.zone),
            default_facility=usual.default_facility if found.default_facility is None else found.default_facility,
            bed=None if found.bed is None else BedId(found.bed),
            wants=ACKNOWLEDGEMENTS[found.acknowledgement],
            may_ask=found.may_ask,
        )


def read_sources(settings: IngestSettings) -> Sources:
    """The sources of the settings' file, none without one; ``ConfigurationError`` with the entry, line and key."""
    usual = SourceFacts(ZoneInfo(settings.site_zone), settings.hl7_default_facility)
    path = settings.hl7_sources
    if path is None:
        return Sources((), usual)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{SETTING}: {path} cannot be read as UTF-8: {error}") from error
    entries = parse_sources(text, file=str(path))
    named = next((one.name for one in entries if one.certificates), None)
    if named is not None and settings.hl7_tls_client_ca is None:
        raise ConfigurationError(
            f"{path}: source {named!r}, key certificates: needs NEOPAIN_INGEST_HL7_TLS_CLIENT_CA, without which no "
            "sender shows a certificate"
        )
    return Sources(entries, usual)


def parse_sources(text: str, *, file: str) -> tuple[SourceEntry, ...]:
    """The entries of the file's text. Raises ``ConfigurationError``; ``file`` is its name there."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file}: {error}") from error
    found = tables.pop("source", [])
    if tables or not isinstance(found, list):
        raise ConfigurationError(f"{file}: key {next(iter(tables), 'source')}: only [[source]] tables are known")
    entries = tuple(_entry(one, _Place(file, text, number, len(found))) for number, one in enumerate(found))
    _require_reachable(entries, file)
    return entries


def _require_reachable(entries: tuple[SourceEntry, ...], file: str) -> None:
    names = [one.name for one in entries]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigurationError(f"{file}: key name: two sources are named {twice!r}")
    if all_in := next((one.name for one in entries[:-1] if one.means_everybody), None):
        raise ConfigurationError(
            f"{file}: source {all_in!r} has no condition: it must be the last, or none after it counts"
        )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an entry stands, for refusals."""

    file: str
    text: str
    number: int
    of: int

    def line(self, key: str) -> int | None:
        """The line of a key in the entry, else of the entry; None where the text is written in another way."""
        lines = self.text.splitlines()
        heads = [number for number, line in enumerate(lines) if _HEAD.match(line)]
        if len(heads) != self.of:
            return None
        begin = heads[self.number]
        end = heads[self.number + 1] if self.number + 1 < self.of else len(lines)
        wanted = re.compile(rf"\s*\"?{re.escape(key)}\"?\s*=")
        return next((number for number in range(begin, end) if wanted.match(lines[number])), begin) + 1


def _entry(table: Any, place: _Place) -> SourceEntry:
    try:
        return SourceEntry.model_validate(table)
    except ValidationError as error:
        faults = "; ".join(_fault(one["loc"], one["msg"], place) for one in error.errors())
        raise ConfigurationError(f"{place.file}: source {place.number + 1}: {faults}") from error


def _fault(location: tuple[int | str, ...], message: str, place: _Place) -> str:
    key = str(location[0]) if location else "source"
    line = place.line(key)
    return f"{f'line {line}, ' if line is not None else ''}key {key}: {message}"
