"""A row about several infants as AuditEvents: one for each infant, as IHE BALP wants it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from fhir.resources.R4B.auditevent import AuditEvent

from neopain.codecs.fhir.audit_event import AuditRow, audit_event_of, audit_events_of
from neopain.codecs.fhir.ids import patient_id_of_key

ROW = AuditRow(
    chain="reads",
    position=5,
    recorded=datetime(2026, 10, 5, 12, 0, tzinfo=UTC),
    event="fhir_searched",
    actor="nurse-7",
    entry_id="",
    patient="",
    detail={"asked": "Observation", "request_id": "r1", "infants": ["HOSP|1", "HOSP|2"]},
)


def infants(event: dict[str, object]) -> list[str]:
    entities: list[dict[str, dict[str, str]]] = event["entity"]  # type: ignore[assignment]
    return [one["what"]["reference"] for one in entities if one.get("role", {}).get("code") == "1"]


def test_a_row_about_two_is_an_audit_event_for_each_that_names_nobody_else() -> None:
    first, second = audit_events_of(ROW)

    assert (first["id"], second["id"]) == ("reads-5-1", "reads-5-2")
    assert infants(second) == [f"Patient/{patient_id_of_key('HOSP|2')}"]
    assert "HOSP|1" not in json.dumps(second)
    assert patient_id_of_key("HOSP|1") not in json.dumps(second)
    assert second["meta"]["profile"][0].endswith("IHE.BasicAudit.PatientQuery")
    assert first["meta"]["versionId"] != second["meta"]["versionId"]
    AuditEvent.model_validate(second)


def test_whom_a_census_query_was_for_is_told_of_the_own_infant_alone() -> None:
    detail = {"patients": "HOSP|1; HOSP|2; HOSP|3", "infants": ["HOSP|1", "HOSP|2"]}

    first, _ = audit_events_of(replace(ROW, event="census_queried", detail=detail))

    assert first["entity"][0]["detail"] == [{"type": "patients", "valueString": "HOSP|1; another infant"}]


def test_a_row_about_one_is_its_own_audit_event() -> None:
    row = replace(ROW, patient="HOSP|1", detail={"asked": "Observation"})

    assert list(audit_events_of(row)) == [audit_event_of(row)]
    assert audit_event_of(row)["meta"]["profile"][0].endswith("IHE.BasicAudit.PatientQuery")
