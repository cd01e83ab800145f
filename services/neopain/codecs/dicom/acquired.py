"""When an object was acquired: the attribute that says it, and the time zone it is meant in (PS3.3 C.12.1.1.8, PS3.5
6.2). A study's or a series' time is none: an object may be made long after its study began."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import Enum

from pydicom.dataset import Dataset

from neopain.codecs.hl7v2.time import Precision, offset_zone, read_moment
from neopain.errors import MalformedMessage

TAGS = (
    "AcquisitionDateTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "ContentDate",
    "ContentTime",
    "TimezoneOffsetFromUTC",
)


class ZoneOrigin(Enum):
    """Who says in which time zone a time is meant."""

    VALUE = "the value's own offset"
    OBJECT = "TimezoneOffsetFromUTC"
    SITE = "the site's zone"


@dataclass(frozen=True, slots=True)
class Acquired:
    """When the first frame or sample was acquired: UTC, the text exactly as sent, and who said what of it."""

    moment: datetime
    text: str
    keyword: str
    zone: ZoneOrigin


def read_acquired(dataset: Dataset, *, site_zone: tzinfo) -> tuple[Acquired | None, list[str]]:
    """The acquisition time, None where none is told to the second; and what could not be read, in words."""
    object_zone, notes = _object_zone(dataset)
    for keyword, text in _told(dataset):
        own = offset_zone(text)
        zone = own or object_zone or site_zone
        origin = ZoneOrigin.VALUE if own else ZoneOrigin.OBJECT if object_zone else ZoneOrigin.SITE
        try:
            found = read_moment(text, zone=zone, location=keyword)
        except MalformedMessage:
            notes.append(f"{keyword}: is no time, expected YYYYMMDDHHMMSS[.F...][+/-ZZXX]")
            continue
        if found.precision is Precision.SECOND:
            return Acquired(found.utc, text, keyword, origin), notes
        notes.append(f"{keyword}: is not told to the second")
    return None, notes


def _object_zone(dataset: Dataset) -> tuple[tzinfo | None, list[str]]:
    text = _text(dataset, "TimezoneOffsetFromUTC")
    zone = offset_zone(f"20000101000000{text}") if text else None
    return zone, ["TimezoneOffsetFromUTC: is no offset, expected +/-HHMM"] if text and zone is None else []


def _told(dataset: Dataset) -> Iterator[tuple[str, str]]:
    # DT has the form of HL7's DTM; DA and TM together have it too.
    whole = _text(dataset, "AcquisitionDateTime")
    if whole:
        yield "AcquisitionDateTime", whole
    for word in ("Acquisition", "Content"):
        date, time = _text(dataset, f"{word}Date"), _text(dataset, f"{word}Time")
        if date and time:
            yield f"{word}Time", f"{date}{time}"


def _text(dataset: Dataset, keyword: str) -> str:
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip()
