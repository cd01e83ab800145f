"""The CapabilityStatement of our API (R4 capabilitystatement.html), written from the tables of ``search``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from neopain import __version__
from neopain.codecs.fhir.alert_act import OPERATIONS
from neopain.codecs.fhir.held_bed import RESOLVE_HELD
from neopain.codecs.fhir.search import SEARCHES, Kind, SearchType
from neopain.codecs.fhir.subscription import IG, PROFILE
from neopain.codecs.fhir.terminology import BASE, Json
from neopain.codecs.fhir.topics import TOPICS

FHIR_VERSION = "4.0.1"
SECURITY_SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"
MEANINGS = {
    "Observation": "Entries that are charted for an infant, as the EHR gets them. Entries that are held, or kept from "
    "nurses for a study, are not here; what a nurse scores herself in a study is created without derivedFrom. "
    "Newest scores and aggregates of 10 s are charted nowhere, and come only where code, category or _id names them.",
    "Patient": "Infants: those in a bed by the census; by _id, identifier or reference also those of whom an entry is.",
    "Encounter": "Visits of infants in a bed by the census; by _id or reference also those that an entry names. "
    "Where the operation is offered, a nurse resolves a held bed by it.",
    "Device": "Devices that are associated with an infant at a bed (IHE PCIM).",
    "Flag": "Alerts: notices of investigational software, no medical alarms. A nurse answers by an operation.",
    "Provenance": "Who wrote an entry, and about what time.",
    "AuditEvent": "The audit trail; for clients that are limited neither to an infant nor to units.",
    "Subscription": "What a client asked to be told by rest-hook, by topic (Subscriptions R5 Backport); its own only. "
    "Newest scores and aggregates are not told this way: read them, or take the stream of events.",
}
WRITES = {"Observation": ("update", "create"), "Subscription": ("update", "create", "delete")}
"""What a nurse may write: a review of an Observation (docs/verification.md); and a client: its Subscriptions."""
OPERATIONS_OF = {
    "Flag": {one.removeprefix("$"): f"{BASE}/OperationDefinition/Flag-{one.removeprefix('$')}" for one in OPERATIONS},
    "Subscription": {
        "status": f"{IG}/OperationDefinition/backport-subscription-status",
        "events": f"{IG}/OperationDefinition/backport-subscription-events",
    },
}
"""By type, the address of each operation's definition by its name."""
OPERATIONS_ON_BEDS = {
    "Encounter": {
        RESOLVE_HELD.removeprefix("$"): f"{BASE}/OperationDefinition/Encounter-{RESOLVE_HELD.removeprefix('$')}"
    }
}
TOPIC_EXTENSION = f"{IG}/StructureDefinition/capabilitystatement-subscriptiontopic-canonical"
PROCEDURE: Json = {
    "type": "Procedure",
    "documentation": "A procedure that a nurse documents: it gets an entry. It is served in no other way.",
    "interaction": [{"code": "create"}],
}
SECURITY = (
    "A JWT as bearer token, with SMART scopes (v1 .read, v2 .rs; for a nurse also user/Observation.write, v2 .cu); "
    "every read and every write is audited, polls of newest scores and aggregates once a minute."
)
CHAINED = "Also as {name}.identifier."


def capability_statement(*, url: str, started: datetime, resolves_beds: bool = False) -> Json:
    """What this server does; nothing that it does not."""
    operations = {**OPERATIONS_OF, **(OPERATIONS_ON_BEDS if resolves_beds else {})}
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": started.isoformat(),
        "publisher": "neopain",
        "kind": "instance",
        "software": {"name": "neopain", "version": __version__},
        "implementation": {"description": "Charted entries, their review by a nurse, and the census", "url": url},
        "fhirVersion": FHIR_VERSION,
        "format": ["json", "application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "documentation": "Investigational software: a score is a suggestion that a nurse verifies.",
                "security": _security(),
                "resource": [*(_resource(name, search, operations) for name, search in SEARCHES.items()), PROCEDURE],
            }
        ],
    }


def _security() -> Json:
    return {
        "service": [{"coding": [{"system": SECURITY_SERVICE, "code": "SMART-on-FHIR"}]}],
        "description": SECURITY,
    }


def _resource(name: str, search: SearchType, operations: Mapping[str, Mapping[str, str]]) -> Json:
    resource: Json = {
        "type": name,
        "documentation": MEANINGS[name],
        "interaction": [{"code": code} for code in ("read", "search-type", *WRITES.get(name, ()))],
        "versioning": "versioned-update" if name in WRITES else "versioned",
        "readHistory": False,
        "conditionalRead": "not-match",
        "searchParam": [_parameter(own, kind, search) for own, kind in search.parameters.items() if "." not in own],
    }
    if name in operations:
        resource["operation"] = [{"name": one, "definition": url} for one, url in operations[name].items()]
    if name == "Subscription":
        resource["extension"] = [{"url": TOPIC_EXTENSION, "valueCanonical": one.canonical} for one in TOPICS]
        resource["supportedProfile"] = [PROFILE]
    if search.includes:
        resource["searchInclude"] = [f"{name}:{own}" for own in search.includes]
    return resource


def _parameter(name: str, kind: Kind, search: SearchType) -> Json:
    parameter: Json = {"name": name, "type": kind.value}
    if f"{name}.identifier" in search.parameters:
        parameter["documentation"] = CHAINED.format(name=name)
    return parameter
