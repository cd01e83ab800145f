"""Rows of the audit trail as AuditEvents; reads over the FHIR API as IHE BALP has them (Read, Query).

A row may be about several infants. BALP wants an AuditEvent for each of them: the parts of the row, each of which names
one infant and no other. Rows never change, so their parts' numbers and ids stay.

A read's query is the one that was understood: what a client puts into an unknown parameter may be a name, and is not
kept.
"""

from __future__ import annotations

import base64
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus

from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.digest import versioned
from neopain.codecs.fhir.ids import patient_id_of_key
from neopain.codecs.fhir.terminology import Json

READ = "fhir_read"
SEARCHED = "fhir_searched"
"""The events of the API's own reads."""
WRITE_REFUSED = "fhir_write_refused"
"""A client of the API was not let change anything."""
NOTIFIED = "subscription_notified"
"""The endpoint of a subscription is told of infants."""
INFANTS = "infants"
"""In the detail of a row about several infants: their keys."""
NAMED = {"patients": "; ", "instead_of": ", ", "replaces_entry_of": ", "}
"""What else of a detail names infants, and what stands between their keys."""
ANOTHER = "another infant"
NOBODY = "nobody"

EVENTS = f"{terms.BASE}/CodeSystem/audit-event"
EVENT_TYPES = "http://terminology.hl7.org/CodeSystem/audit-event-type"
INTERACTIONS = "http://hl7.org/fhir/restful-interaction"
ENTITY_TYPES = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
OBJECT_ROLES = "http://terminology.hl7.org/CodeSystem/object-role"
BALP_ENTITY_TYPES = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
PROFILES = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."

SOURCE_ROLE = {"system": DICOM, "code": "110153", "display": "Source Role ID"}
DESTINATION_ROLE = {"system": DICOM, "code": "110152", "display": "Destination Role ID"}
RECIPIENT = {"system": PARTICIPATION, "code": "IRCP", "display": "information recipient"}
PERSON = {"system": ENTITY_TYPES, "code": "1", "display": "Person"}
OBJECT = {"system": ENTITY_TYPES, "code": "2", "display": "System Object"}
PATIENT_ROLE = {"system": OBJECT_ROLES, "code": "1", "display": "Patient"}
RESOURCE_ROLE = {"system": OBJECT_ROLES, "code": "4", "display": "Domain Resource"}
QUERY_ROLE = {"system": OBJECT_ROLES, "code": "24", "display": "Query"}
REQUEST_ID = {"system": BALP_ENTITY_TYPES, "code": "XrequestId"}
REST = {"system": EVENT_TYPES, "code": "rest", "display": "Restful Operation"}
ACTIVITY = {"system": DICOM, "code": "110100", "display": "Application Activity"}
QUERY = {"system": DICOM, "code": "110112", "display": "Query"}

ACTIONS = {
    "entry_charted": "C",
    "entry_held": "C",
    "entry_blinded": "C",
    "study_scored": "C",
    "procedure_documented": "C",
    "study_exported": "R",
    "delivery_asked_again": "U",
    "delivery_cancelled": "U",
    "outbox_restored": "U",
    "entry_status_changed": "U",
    "entry_reviewed": "U",
    "alert_answered": "U",
    "entry_withdrawn": "U",
    "entry_released": "U",
    "entry_renumbered": "U",
    "entry_held_otherwise": "U",
    "entry_discarded": "U",
    "aggregates_corrected": "U",
    "newest_score_corrected": "U",
    "bed_released": "U",
    "bed_release_asked": "U",
    "alert_read": "R",
    "entry_read": "R",
    "bus_read": "R",
    NOTIFIED: "R",
    "subscription_created": "C",
    "subscription_changed": "U",
    "subscription_deleted": "D",
    "audit_exported": "R",
    "retention_deleted": "D",
    "audit_month_dropped": "D",
    "legal_hold_placed": "C",
    "legal_hold_extended": "U",
    "legal_hold_released": "U",
}
"""What an event did, in the letters of audit-event-action; all others executed something (E)."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row of the audit trail, or its part about one infant.

    ``patient`` is the key of an infant, empty where it is about none or several; ``number`` is that of a part, 1, 2 ...
    """

    chain: str
    position: int
    recorded: datetime
    event: str
    actor: str
    entry_id: str
    patient: str
    detail: Mapping[str, object]
    number: int = 0

    @property
    def id(self) -> str:
        """The id of its AuditEvent; a row about several has none itself."""
        return f"{self.chain}-{self.position}" + (f"-{self.number}" if self.number else "")

    @property
    def parts(self) -> Iterator[AuditRow]:
        """What becomes an AuditEvent each: the row, or its part for each infant where it is about several."""
        if len(self.infants) < 2:
            yield self
            return
        for number, infant in enumerate(self.infants, start=1):
            yield replace(self, patient=infant, detail=detail_about(self.detail, {infant}), number=number)

    @property
    def infants(self) -> tuple[str, ...]:
        """The keys of all infants that it is about."""
        return infants_of(self.patient, self.detail)


def infants_of(patient: str, detail: Mapping[str, object]) -> tuple[str, ...]:
    """The infants of a row by its patient, or by its detail where it is about several."""
    several = detail.get(INFANTS)
    if isinstance(several, list):
        return tuple(str(one) for one in several)
    return (patient,) if patient else ()


def detail_about(detail: Mapping[str, object], own: Container[str]) -> dict[str, object]:
    """A detail as it may be told of one infant, whose keys are ``own``: others are in it without their numbers."""
    return {
        name: _without_others(str(value), NAMED[name], own) if name in NAMED else value
        for name, value in detail.items()
        if name != INFANTS
    }


def _without_others(named: str, between: str, own: Container[str]) -> str:
    parts = (one if one in own or one in ("", NOBODY) else ANOTHER for one in named.split(between))
    return between.join(dict.fromkeys(parts))


def audit_events_of(row: AuditRow) -> Iterator[Json]:
    """The AuditEvents of a row: one, or one for each infant where it is about several."""
    return map(audit_event_of, row.parts)


def audit_event_of(row: AuditRow) -> Json:
    """The AuditEvent of a part of a row, or of a row about one infant or nobody."""
    is_rest = row.event in (READ, SEARCHED)
    resource = {
        "resourceType": "AuditEvent",
        "id": row.id,
        **(_rest(row) if is_rest else _activity(row)),
        "recorded": row.recorded.isoformat(),
        **_outcome(row),
        "source": {"observer": {"display": "neopain charting"}},
    }
    return versioned(resource)


def _outcome(row: AuditRow) -> Json:
    """``outcome`` of R4 audit-event-outcome: 4 where it was refused or found nothing, 8 where the fault is ours."""
    status, refused = row.detail.get("status"), str(row.detail.get("refused") or "")
    if row.event not in (READ, SEARCHED, WRITE_REFUSED) or not isinstance(status, int):
        return {"outcome": "0"}
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return {"outcome": "8"}
    if status < HTTPStatus.BAD_REQUEST and not refused:
        return {"outcome": "0"}
    return {"outcome": "4", "outcomeDesc": refused or "there is no such thing for this client"}


def _rest(row: AuditRow) -> Json:
    is_read = row.event == READ
    name = ("Patient" if row.patient else "") + ("Read" if is_read else "Query")
    code = "read" if is_read else "search-type"
    return {
        "meta": {"profile": [f"{PROFILES}{name}"]},
        "type": REST,
        "subtype": [{"system": INTERACTIONS, "code": code, "display": code}, _own(row.event)],
        "action": "R" if is_read else "E",
        "agent": _rest_agents(row, is_read=is_read),
        "entity": [*_rest_entities(row, is_read=is_read), *_infant(row)],
    }


def _rest_agents(row: AuditRow, *, is_read: bool) -> list[Json]:
    # By BALP a read's data flow to the client; a query's parameters flow to the server.
    client, server = (DESTINATION_ROLE, SOURCE_ROLE) if is_read else (SOURCE_ROLE, DESTINATION_ROLE)
    return [
        {
            "type": {"coding": [client]},
            "who": {"identifier": {"value": _said(row, "client")}},
            "requestor": False,
            "network": {"address": _said(row, "address"), "type": "2"},
        },
        {
            "type": {"coding": [server]},
            "who": {"identifier": {"value": _said(row, "server")}},
            "requestor": False,
            "network": {"address": _said(row, "server_address"), "type": "2"},
        },
        {
            "type": {"coding": [RECIPIENT]},
            "who": {"identifier": {"system": _said(row, "issuer"), "value": row.actor}},
            "requestor": True,
        },
    ]


def _rest_entities(row: AuditRow, *, is_read: bool) -> Iterator[Json]:
    yield {"what": {"identifier": {"value": _said(row, "request_id")}}, "type": REQUEST_ID}
    asked = _said(row, "asked")
    if is_read:
        yield {"what": {"reference": asked}, "type": OBJECT, "role": RESOURCE_ROLE}
    else:
        query = base64.b64encode(asked.encode()).decode()
        yield {"type": OBJECT, "role": QUERY_ROLE, "description": asked, "query": query}


def _activity(row: AuditRow) -> Json:
    return {
        "type": QUERY if row.event == "census_queried" else ACTIVITY,
        "subtype": [_own(row.event)],
        "action": ACTIONS.get(row.event, "E"),
        "agent": [{"who": {"display": row.actor}, "requestor": True}],
        "entity": [*_entry(row), *_infant(row)],
    }


def _entry(row: AuditRow) -> Iterator[Json]:
    told = [{"type": name, "valueString": str(value)} for name, value in row.detail.items() if value not in ("", None)]
    entity: Json = {"type": OBJECT, "role": RESOURCE_ROLE}
    if row.entry_id:
        entity["what"] = {"identifier": {"system": terms.ENTRY_IDENTIFIERS, "value": row.entry_id}}
    if told:
        entity["detail"] = told
    if row.entry_id or told:
        yield entity


def _infant(row: AuditRow) -> Iterator[Json]:
    if row.patient:
        patient = {"reference": f"Patient/{patient_id_of_key(row.patient)}"}
        yield {"what": patient, "type": PERSON, "role": PATIENT_ROLE}


def _own(event: str) -> Json:
    return {"system": EVENTS, "code": event}


def _said(row: AuditRow, name: str) -> str:
    return str(row.detail.get(name) or "unknown")
