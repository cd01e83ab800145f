"""Bundles of a search (R4 bundle.html#searchset), and what ``_summary`` leaves of a resource."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.refusal import Issue, outcome_of
from neopain.codecs.fhir.search import Summary
from neopain.codecs.fhir.terminology import Json

SUBSETTED = {"system": terms.OBSERVATION_VALUE, "code": "SUBSETTED", "display": "Resource encoded in summary mode"}
ALWAYS = ("resourceType", "id", "meta", "modifierExtension")
SUMMARY_ELEMENTS: dict[str, tuple[str, ...]] = {
    # category, dataAbsentReason and note are none of R4's summary: they stay, since the note says what this is not.
    "Observation": (
        "identifier",
        "status",
        "category",
        "code",
        "subject",
        "encounter",
        "effectivePeriod",
        "issued",
        "performer",
        "derivedFrom",
        "valueQuantity",
        "dataAbsentReason",
        "note",
        "component",
    ),
    "Patient": ("identifier", "active", "gender", "birthDate", "link"),
    "Encounter": ("extension", "identifier", "status", "class", "subject"),
    "Device": ("identifier", "patient"),
    # text and extension are none of R4's summary: they say that it is no alarm, and what it stands at.
    "Flag": ("text", "extension", "identifier", "status", "category", "code", "subject", "encounter", "period"),
    "Provenance": ("target", "recorded", "agent"),
    "AuditEvent": ("type", "subtype", "action", "recorded", "outcome", "agent", "source", "entity"),
    "Subscription": ("status", "end", "reason", "criteria", "error", "channel"),
}
MANDATORY_ELEMENTS: dict[str, tuple[str, ...]] = {
    "Observation": ("status", "code"),
    "Patient": (),
    "Encounter": ("status", "class"),
    "Device": (),
    "Flag": ("status", "code", "subject"),
    "Provenance": ("target", "recorded", "agent"),
    "AuditEvent": ("type", "recorded", "agent", "source"),
    "Subscription": ("status", "reason", "criteria", "channel"),
}


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """One resource of a bundle: a match, or included beside one."""

    url: str
    resource: Json
    is_match: bool = True


def searchset(
    entries: Iterable[BundleEntry], *, links: Mapping[str, str], issues: Iterable[Issue] = (), total: int | None = None
) -> Json:
    """The Bundle of a page. ``links`` are relation to address; ``issues`` what was passed over."""
    listed = [_entry(entry) for entry in entries]
    if found := list(issues):
        listed.append({"resource": outcome_of(found), "search": {"mode": "outcome"}})
    bundle: Json = {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": [{"relation": relation, "url": url} for relation, url in links.items()],
    }
    if total is not None:
        bundle["total"] = total
    if listed:
        bundle["entry"] = listed
    return bundle


def summarised(resource: Json, summary: Summary) -> Json:
    """The resource with what the summary leaves of it, marked as a part; a table per type says what."""
    if summary not in (Summary.YES, Summary.TEXT):
        return resource
    table = SUMMARY_ELEMENTS if summary is Summary.YES else MANDATORY_ELEMENTS
    kept = {*ALWAYS, *table[resource["resourceType"]]}
    if summary is Summary.TEXT:
        kept.add("text")
    left = {name: value for name, value in resource.items() if name.removeprefix("_") in kept}
    meta = left.get("meta", {})
    return {**left, "meta": {**meta, "tag": [*meta.get("tag", []), SUBSETTED]}}


def _entry(entry: BundleEntry) -> Json:
    mode = "match" if entry.is_match else "include"
    return {"fullUrl": entry.url, "resource": entry.resource, "search": {"mode": mode}}
