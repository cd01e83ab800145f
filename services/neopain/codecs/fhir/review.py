"""What a nurse writes on an Observation, read and refused exactly (422 with the element that is wrong).

To accept or reject is an update: the Observation as it was read, with another status and at most one more note. To
change is a new Observation that is derived from a version of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.assessment import ITEM_CODES
from neopain.codecs.fhir.refusal import Refused
from neopain.codecs.fhir.terminology import Json
from neopain.domain.review import ITEM_RANGES, NipsItems, ReviewAct

ACTS = {"final": ReviewAct.ACCEPT, "entered-in-error": ReviewAct.REJECT}
"""What an update's status asks for."""
FREE = ("meta", "status", "note")
"""What of an update need not be as it was read."""
OF_ASSESSMENT = {
    "resourceType",
    "status",
    "category",
    "code",
    "subject",
    "encounter",
    "effectivePeriod",
    "performer",
    "valueQuantity",
    "valueInteger",
    "note",
    "derivedFrom",
    "component",
}
SOURCE = re.compile(r"(?:.*/)?Observation/([A-Za-z0-9.-]{1,64})/_history/([0-9]{1,9})")
OF_OWN_SCORE = {
    "resourceType",
    "status",
    "code",
    "subject",
    "effectiveDateTime",
    "performer",
    "valueQuantity",
    "valueInteger",
    "note",
    "component",
}
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})")
SUBJECT = re.compile(r"(?:.*/)?Patient/([A-Za-z0-9.-]{1,64})")
LONGEST_REASON = 1000
MOST_POINTS = 7


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is wanted with an entry, and the reason in words; empty for none."""

    act: ReviewAct
    reason: str


@dataclass(frozen=True, slots=True)
class Assessed:
    """What a nurse scored: in place of which entry, as she saw it in which version."""

    about: str
    seen_version: int
    items: NipsItems
    reason: str


@dataclass(frozen=True, slots=True)
class OwnScore:
    """What a nurse scored by herself, in a study: of which Patient, at which time."""

    patient: str
    effective: datetime
    items: NipsItems
    note: str


def read_judgement(body: Json, current: Json) -> Judgement:
    """What an update asks for. ``current`` is the Observation as it is served; ``Refused`` (422) for anything else."""
    for name in sorted({*body, *current}):
        if name not in FREE and body.get(name) != current.get(name):
            raise wrong(f"Observation.{name}", "only the status may change, and one note may be added")
    act = ACTS.get(str(body.get("status")))
    if act is None:
        raise wrong("Observation.status", f"a nurse sets it to {' or '.join(ACTS)}")
    reason = _added_note(body.get("note", []), current.get("note", []))
    if act is ReviewAct.REJECT and not reason:
        raise wrong("Observation.note", "a rejection says why, in one note that is added")
    return Judgement(act, reason)


def read_assessment(body: Json) -> Assessed:
    """What a new Observation says. ``Refused`` (422) with the element that is missing, wrong or too much."""
    _require_final_nips(body, OF_ASSESSMENT)
    about, version = _source(body)
    items = _items(body)
    _require_total(body, items)
    return Assessed(about, version, items, _added_note(body.get("note", []), []))


def read_own_score(body: Json) -> OwnScore:
    """What a new Observation says that is derived from none. ``Refused`` (422) as of ``read_assessment``."""
    _require_final_nips(body, OF_OWN_SCORE)
    subject = subject_of(body, "Observation.subject")
    effective = moment_of(body.get("effectiveDateTime"), "Observation.effectiveDateTime")
    items = _items(body)
    _require_total(body, items)
    return OwnScore(subject, effective, items, _added_note(body.get("note", []), []))


def _require_final_nips(body: Json, elements: set[str]) -> None:
    for name in sorted(body):
        if name not in elements:
            raise wrong(f"Observation.{name}", "this is no part of a nurse's score")
    if body.get("status") != "final":
        raise wrong("Observation.status", "a nurse's score is final")
    codes = [(one.get("system"), one.get("code")) for one in _objects(_object(body.get("code")).get("coding"))]
    if (terms.LOINC, terms.NIPS_TOTAL["code"]) not in codes:
        raise wrong("Observation.code", "a nurse's score is NIPS, LOINC 98012-8")


def subject_of(body: Json, place: str) -> str:
    """The id of the Patient that a resource names; ``Refused`` (422) by its place."""
    subject = _subject(body)
    if subject is None:
        raise wrong(place, "it names the infant: Patient/ID")
    return subject.group(1)


def named_in(body: Json) -> Iterator[tuple[str, str]]:
    """Type and id of what a nurse's new resource is about, as far as that can be read: an Observation, a Patient."""
    if (source := _named_source(body)) is not None:
        yield "Observation", source.group(1)
    if (subject := _subject(body)) is not None:
        yield "Patient", subject.group(1)


def moment_of(value: object, place: str) -> datetime:
    """A time with seconds and an offset (R4 datatypes.html#dateTime), in whole seconds; ``Refused`` (422) by place."""
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        raise wrong(place, "a time with seconds and offset: 2026-10-05T12:00:00Z")
    try:
        return datetime.fromisoformat(value).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError) as error:
        raise wrong(place, "this is no time") from error


def require_same(body: Json, current: Json, *names: str) -> None:
    """``Refused`` (422) where one of the elements is there and is not as in the Observation that is derived from."""
    for name in names:
        if name in body and body[name] != current.get(name):
            raise wrong(f"Observation.{name}", "it is that of the Observation which this is derived from")


def wrong(place: str, rule: str) -> Refused:
    """The element is not what it may be (R4 http.html#rejecting-updates)."""
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "business-rule", f"{place}: {rule}", expression=place)


def _added_note(notes: object, before: list[Json]) -> str:
    if not isinstance(notes, list) or notes[: len(before)] != before or len(notes) > len(before) + 1:
        raise wrong("Observation.note", "the notes that are there stay, and one may be added behind them")
    if len(notes) == len(before):
        return ""
    added = notes[-1]
    text = added.get("text") if isinstance(added, dict) else None
    if not isinstance(added, dict) or set(added) != {"text"} or not isinstance(text, str):
        raise wrong("Observation.note", "a note that is added has a text and no more: who and when are known")
    words = " ".join(text.split())
    if not words or len(words) > LONGEST_REASON or not words.isprintable():
        raise wrong("Observation.note", f"a note says something, in up to {LONGEST_REASON} signs")
    return words


def _subject(body: Json) -> re.Match[str] | None:
    reference = _object(body.get("subject")).get("reference")
    return SUBJECT.fullmatch(reference) if isinstance(reference, str) else None


def _named_source(body: Json) -> re.Match[str] | None:
    sources = _objects(body.get("derivedFrom"))
    reference = sources[0].get("reference") if len(sources) == 1 else None
    return SOURCE.fullmatch(reference) if isinstance(reference, str) else None


def _source(body: Json) -> tuple[str, int]:
    found = _named_source(body)
    if found is None:
        raise wrong("Observation.derivedFrom", "it names the version that was seen: Observation/ID/_history/VERSION")
    return found.group(1), int(found.group(2))


def _items(body: Json) -> NipsItems:
    names = {code: name for name, code in ITEM_CODES.items()}
    found: dict[str, int] = {}
    for place, component in enumerate(_objects(body.get("component"))):
        codes = _objects(_object(component.get("code")).get("coding"))
        known = [names[one["code"]] for one in codes if one.get("system") == terms.SCORES and one.get("code") in names]
        if len(known) != 1 or known[0] in found:
            raise wrong(f"Observation.component[{place}].code", f"each once: {', '.join(names)}")
        value = component.get("valueInteger")
        most = ITEM_RANGES[known[0]]
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            raise wrong(f"Observation.component[{place}].valueInteger", f"a whole number from 0 to {most}")
        found[known[0]] = value
    if lacking := [code for name, code in ITEM_CODES.items() if name not in found]:
        raise wrong("Observation.component", f"items are missing: {', '.join(lacking)}")
    return NipsItems(**found)


def _require_total(body: Json, items: NipsItems) -> None:
    place = "valueInteger" if "valueInteger" in body else "valueQuantity"
    value = body.get("valueInteger", _object(body.get("valueQuantity")).get("value"))
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_POINTS:
        raise wrong(f"Observation.{place}", f"NIPS is a number from 0 to {MOST_POINTS}")
    if value != items.total:
        raise wrong(f"Observation.{place}", "the total is not the sum of the items")


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
