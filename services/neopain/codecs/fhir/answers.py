"""What an EHR answers: search bundles, operation outcomes, the capability statement. Patient data stay inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from neopain.codecs.fhir.terminology import Json
from neopain.errors import MalformedMessage

ERRORS = frozenset({"error", "fatal"})
PASSING = frozenset({"transient", "timeout", "throttled", "lock-error"})
"""Issues of an OperationOutcome that another try may mend (R4 valueset-issue-type.html)."""
TRANSIENT = PASSING | {"exception", "no-store", "incomplete"}
"""All that R4 has under ``transient``, those included that a server may say of what it will never take."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a server has to offer of a resource type: an interaction, and the parameters that it is to search by."""

    resource_type: str
    interaction: str
    parameters: tuple[str, ...] = ()

    def __str__(self) -> str:
        by = f" by {' and '.join(self.parameters)}" if self.parameters else ""
        return f"{self.resource_type} {self.interaction}{by}"


@dataclass(frozen=True, slots=True)
class Offer:
    """What a CapabilityStatement says of one resource type."""

    interactions: frozenset[str] = frozenset()
    parameters: frozenset[str] = frozenset()
    creates_conditionally: bool = False


@dataclass(frozen=True, slots=True)
class Capability:
    """What a CapabilityStatement says that we care for; ``fhir_version`` is empty if it says none."""

    fhir_version: str
    offers: Mapping[str, Offer]
    takes_batches: bool = False

    @property
    def is_r4(self) -> bool:
        """Whether it speaks FHIR R4 (4.0.0 or 4.0.1)."""
        return self.fhir_version == "4.0" or self.fhir_version.startswith("4.0.")

    @property
    def creates_conditionally(self) -> bool:
        """Whether Observations can be created by If-None-Exist."""
        return self.offers.get("Observation", Offer()).creates_conditionally

    def lacks(self, needs: Iterable[Need]) -> tuple[Need, ...]:
        """Those of the needs that it does not offer."""
        return tuple(need for need in needs if not self._has(need))

    def _has(self, need: Need) -> bool:
        offer = self.offers.get(need.resource_type, Offer())
        return need.interaction in offer.interactions and offer.parameters.issuperset(need.parameters)


def read_capability(body: Json) -> Capability:
    """The capability of a server (R4 capabilitystatement.html). ``MalformedMessage`` when it is none.

    Only what is said of a server counts (``rest.mode``); search parameters of ``rest`` hold for each of its resources.
    """
    if body.get("resourceType") != "CapabilityStatement":
        raise MalformedMessage("CapabilityStatement", f"resourceType is {body.get('resourceType')!r}")
    offers: dict[str, Offer] = {}
    takes_batches = False
    for rest in _objects(body.get("rest")):
        if rest.get("mode", "server") == "server":
            offers |= {str(one.get("type")): _offer(one, rest) for one in _objects(rest.get("resource"))}
            takes_batches |= any(one.get("code") == "batch" for one in _objects(rest.get("interaction")))
    return Capability(str(body.get("fhirVersion", "")), offers, takes_batches)


def _offer(resource: Json, rest: Json) -> Offer:
    parameters = [*_objects(resource.get("searchParam")), *_objects(rest.get("searchParam"))]
    return Offer(
        interactions=frozenset(str(one.get("code")) for one in _objects(resource.get("interaction"))),
        parameters=frozenset(str(one.get("name")) for one in parameters),
        creates_conditionally=resource.get("conditionalCreate") is True,
    )


def matches_of(bundle: Json, resource_type: str) -> list[Json]:
    """The matches of a search (R4 bundle.html, searchset); what was included beside them is left out.

    ``MalformedMessage`` when the body is no Bundle, its entries cannot be read, or a match has no id: that nothing is
    there is only believed of a server that says so.
    """
    if bundle.get("resourceType") != "Bundle":
        raise MalformedMessage("Bundle", f"resourceType is {bundle.get('resourceType')!r}")
    listed = bundle.get("entry", [])
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise MalformedMessage("Bundle.entry", "a list of entries, or left out")
    found = []
    for entry in _objects(bundle.get("entry")):
        resource = entry.get("resource")
        search = entry.get("search")
        mode = search.get("mode", "match") if isinstance(search, dict) else "match"
        if mode != "match" or not isinstance(resource, dict) or resource.get("resourceType") != resource_type:
            continue
        if not isinstance(resource.get("id"), str):
            raise MalformedMessage("Bundle.entry.resource.id", "a match has an id")
        found.append(resource)
    return found


def says_error(body: object) -> bool:
    """Whether the body is an OperationOutcome with an error in it (R4 valueset-issue-severity.html)."""
    return any(one.get("severity") in ERRORS for one in _issues(body))


def is_for_good(body: object, *, passing: Set[str] = PASSING) -> bool:
    """Whether the body is an OperationOutcome of which no issue is one of ``passing``, which another try may mend."""
    is_outcome = isinstance(body, dict) and body.get("resourceType") == "OperationOutcome"
    is_listed = isinstance(body, dict) and isinstance(body.get("issue"), list)
    return is_outcome and is_listed and not any(one.get("code") in passing for one in _issues(body))


def outcome_text(body: object) -> str:
    """What an OperationOutcome says in codes and places; free text may name a patient and is left out."""
    if not isinstance(body, dict) or body.get("resourceType") != "OperationOutcome":
        return "no OperationOutcome"
    return "; ".join(map(_issue_text, _issues(body))) or "an empty OperationOutcome"


def _issues(body: object) -> list[Json]:
    if not isinstance(body, dict) or body.get("resourceType") != "OperationOutcome":
        return []
    return _objects(body.get("issue"))


def _issue_text(issue: Json) -> str:
    details = issue.get("details")
    codings = _objects(details.get("coding")) if isinstance(details, dict) else []
    words = [str(issue.get("severity", "")), str(issue.get("code", "")), *(str(one.get("code", "")) for one in codings)]
    places = [*_strings(issue.get("expression")), *_strings(issue.get("location"))]
    return " ".join(word for word in words if word) + (f" at {', '.join(places)}" if places else "")


def _objects(value: object) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _strings(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
