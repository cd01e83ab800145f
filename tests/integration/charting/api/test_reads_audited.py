"""Every read is in the audit trail before anybody is told, and can be read there."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from neopain.charting.audit.verify import verify_audit

Rows = Callable[[str], list[dict[str, Any]]]
READS = "SELECT event, actor, patient, entry_id, detail FROM audit WHERE chain = 'reads' ORDER BY position"


def reads(rows: Rows) -> list[dict[str, Any]]:
    return [{**row, "detail": json.loads(row["detail"])} for row in rows(READS)]


def test_a_read_says_who_asked_what_and_of_whom_was_told(api: Any, ward: Any, rows: Rows) -> None:
    ward.chart()
    (observation,) = api.found("Observation")
    token = api.token(sub="nurse-7", client_id="ward-board", jti="token-1")

    api.ask(f"Observation/{observation['id']}", token=token, headers={"X-Request-Id": "req-1"})

    row = reads(rows)[-1]
    assert (row["event"], row["actor"], row["patient"]) == ("fhir_read", "nurse-7", f"HOSP|{ward.infant.value}")
    assert row["entry_id"] == observation["id"]
    assert row["detail"] == {
        "address": "127.0.0.1",
        "asked": f"Observation/{observation['id']}",
        "client": "ward-board",
        "issuer": "https://id.hospital.example",
        "request_id": "req-1",
        "resources": 1,
        "server": api.url,
        "server_address": "127.0.0.1",
        "status": 200,
        "token_id": "token-1",
        "told": 1,
    }


def test_a_search_is_one_row_with_all_infants_told_of_and_its_query_without_what_was_not_understood(
    api: Any, ward: Any, rows: Rows
) -> None:
    other = type(ward)(ward.engine, ward.clock)
    other.admit(other.infant)
    ward.chart(2)
    other.chart()

    api.ask("Observation?status=preliminary&name=Smith")

    (found,) = reads(rows)
    assert (found["event"], found["patient"]) == ("fhir_searched", "")
    assert found["detail"]["infants"] == sorted(f"HOSP|{one.infant.value}" for one in (ward, other))
    assert found["detail"]["asked"] == "Observation?status=preliminary"
    assert (found["detail"]["told"], found["detail"]["resources"]) == (2, 3)


BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."


@dataclass(frozen=True, slots=True)
class Searched:
    """Two infants, whom one search told of: the ids of their Patients, and the row of that search."""

    api: Any
    infants: tuple[str, str]
    patients: tuple[str, str]
    row: str

    def ids(self, query: str) -> list[str]:
        return [one["id"] for one in self.api.found(f"AuditEvent?{query}")]


@pytest.fixture
def searched(api: Any, ward: Any, rows: Any) -> Searched:
    """A search of Patients, as request req-7; the reads of the trail after it are about nobody, or about one infant."""
    other = type(ward)(ward.engine, ward.clock)
    other.admit(other.infant)
    ward.chart()
    other.chart()
    answer = api.ask("Patient", headers={"X-Request-Id": "req-7"}).json()
    ids = {one["resource"]["identifier"][0]["value"]: one["resource"]["id"] for one in answer["entry"]}
    (row,) = rows("SELECT position, detail::json -> 'infants' AS infants FROM audit WHERE chain = 'reads'")
    numbers = [infant.partition("|")[2] for infant in row["infants"]]
    return Searched(api, tuple(numbers), tuple(ids[one] for one in numbers), f"reads-{row['position']}")


def test_a_search_that_told_of_two_is_an_audit_event_for_each_which_names_nobody_else(searched: Searched) -> None:
    for number, (mrn, patient) in enumerate(zip(searched.infants, searched.patients, strict=True), start=1):
        for query in (f"patient={patient}", f"patient.identifier=urn:neopain:authority:HOSP|{mrn}"):
            (event,) = searched.api.found(f"AuditEvent?{query}&subtype=search-type&date=2026-10-05&_sort=date&_count=1")

            assert event["id"] == f"{searched.row}-{number}"
            assert event["meta"]["profile"] == [f"{BALP}PatientQuery"]
            told = [one["what"]["reference"] for one in event["entity"] if one.get("role", {}).get("code") == "1"]
            assert told == [f"Patient/{patient}"]
            by_type = {one["type"]["code"]: one for one in event["entity"]}
            assert by_type["XrequestId"]["what"]["identifier"]["value"] == "req-7"
            assert searched.api.read(f"AuditEvent/{event['id']}") == event


def test_only_a_part_has_an_id_of_its_own(searched: Searched) -> None:
    for own_id in (searched.row, f"{searched.row}-3", f"{searched.row}-0", f"{searched.row}-01", "charting-1-1"):
        assert searched.api.ask(f"AuditEvent/{own_id}").status_code == 404
        assert searched.ids(f"_id={own_id}") == []
    assert searched.ids(f"_id={searched.row}-2,{searched.row}-9,charting-1&_sort=date") == [
        "charting-1",
        f"{searched.row}-2",
    ]
    first, _ = searched.patients
    assert searched.ids(f"_id={searched.row}-2&patient={first}") == []


@pytest.mark.parametrize("sort", ["date", "-date"])
def test_a_page_may_end_between_the_parts_of_a_row(searched: Searched, sort: str) -> None:
    found, following = [], f"AuditEvent?_count=1&_sort={sort}&subtype=fhir_searched&date=lt2026-10-06"
    while following and len(found) < 3:
        bundle = searched.api.bundle(following)
        found += [entry["resource"]["id"] for entry in bundle["entry"]]
        following = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "")

    parts = [one for one in found if one.startswith(f"{searched.row}-")]
    assert parts == [f"{searched.row}-1", f"{searched.row}-2"]


def test_what_is_counted_is_what_would_be_found(searched: Searched) -> None:
    def total(query: str) -> int:
        return int(searched.api.bundle(f"AuditEvent?_summary=count&{query}")["total"])

    first, second = searched.patients
    assert total(f"patient={first}&subtype=search-type") == 1
    assert total(f"patient={first},{second}&_id={searched.row}-1,{searched.row}-2") == 2
    assert total(f"patient={first},{second}&subtype=search-type") == 2
    assert total(f"patient={first}&patient={second}") == 0
    assert searched.ids(f"patient={first}&patient={second}") == []
    # Two of the one search, and one of each of the five reads since; this one is written down after it.
    assert total("subtype=search-type") == 7


@pytest.mark.parametrize("resource_type", ["Patient", "Encounter", "Provenance"])
def test_every_resource_that_tells_of_an_infant_says_so(api: Any, ward: Any, rows: Rows, resource_type: str) -> None:
    ward.chart()

    (found,) = api.found(resource_type)
    api.read(f"{resource_type}/{found['id']}")

    assert [row["patient"] for row in reads(rows)] == [f"HOSP|{ward.infant.value}"] * 2


def test_what_told_of_nobody_is_a_row_too(api: Any, ward: Any, rows: Rows) -> None:
    ward.chart()
    api.ask("Observation/none")
    api.ask("Observation?_summary=count")

    assert [(row["patient"], row["detail"]["status"], row["detail"]["told"]) for row in reads(rows)] == [
        ("", 404, 0),
        ("", 200, 0),
    ]


def test_that_nothing_has_changed_is_told_of_an_infant_too(api: Any, ward: Any, rows: Rows) -> None:
    ward.chart()
    (observation,) = api.found("Observation")

    api.ask(f"Observation/{observation['id']}", headers={"If-None-Match": 'W/"1"'})

    row = reads(rows)[-1]
    assert (row["detail"]["status"], row["patient"]) == (304, f"HOSP|{ward.infant.value}")


@pytest.mark.parametrize(
    "path", ["Observation", "Observation?_summary=count", "Patient", "AuditEvent", "Observation/x"]
)
@pytest.mark.usefixtures("own_database")
def test_what_cannot_be_written_down_is_not_told(
    api: Any, ward: Any, tamper: Callable[..., None], path: str, rows: Rows
) -> None:
    ward.chart()
    tamper("ALTER TABLE audit RENAME TO audit_away")

    answer = api.ask(path)

    assert answer.status_code >= 500
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert ward.infant.value not in answer.text


@pytest.fixture
def impatient(engine: Engine) -> Iterator[None]:
    """Whoever asks the database waits for no lock longer than half a second; other tests use this engine, too."""

    def be_impatient(connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '500ms'")

    event.listen(engine, "begin", be_impatient)
    yield
    event.remove(engine, "begin", be_impatient)


@pytest.mark.usefixtures("impatient")
def test_a_head_that_others_hold_makes_readers_come_again(api: Any, ward: Any, engine: Any) -> None:
    ward.chart()
    api.ask("Observation")
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT * FROM audit_heads WHERE chain = 'reads' FOR UPDATE")
        answer = api.ask("Observation")

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert answer.json()["issue"][0]["code"] == "transient"


def test_who_is_not_let_in_has_read_nothing(api: Any, ward: Any, rows: Rows) -> None:
    ward.chart()
    api.ask("Observation", token="")
    api.ask("Observation", token=api.token(iss="https://id.other.example"))
    api.ask("metadata", token="")

    assert reads(rows) == []


def test_the_trail_holds_after_reads(api: Any, ward: Any, database: str) -> None:
    ward.chart()
    for _ in range(3):
        api.ask("Observation?_include=Observation:patient")

    assert verify_audit(database).as_text() == "audit trail whole: 4 rows, 0 anchors outside the database agree"


# -- read as AuditEvents -----------------------------------------------------------------------------------------------


def test_a_read_is_an_audit_event_as_balp_has_it(api: Any, ward: Any) -> None:
    ward.chart()
    (observation,) = api.found("Observation")
    api.ask(f"Observation/{observation['id']}", headers={"X-Request-Id": "req-1"})

    (event,) = api.found("AuditEvent?subtype=read")

    assert event["meta"]["profile"] == [
        "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientRead"
    ]
    assert event["type"]["code"] == "rest"
    assert (event["subtype"][0]["code"], event["action"], event["outcome"]) == ("read", "R", "0")
    assert [agent["type"]["coding"][0]["code"] for agent in event["agent"]] == ["110152", "110153", "IRCP"]
    assert event["agent"][0]["who"]["identifier"]["value"] == "dashboard"
    assert event["agent"][0]["network"] == {"address": "127.0.0.1", "type": "2"}
    assert event["agent"][2]["who"]["identifier"] == {"system": "https://id.hospital.example", "value": "nurse-1"}
    by_type = {entity["type"]["code"]: entity for entity in event["entity"]}
    assert by_type["XrequestId"]["what"]["identifier"]["value"] == "req-1"
    assert by_type["2"]["what"]["reference"] == f"Observation/{observation['id']}"
    assert by_type["1"]["what"]["reference"] == observation["subject"]["reference"]


def test_a_search_is_an_audit_event_with_its_query(api: Any, ward: Any) -> None:
    ward.chart()
    api.found("Observation?code=pain-score")

    (event,) = api.found("AuditEvent?subtype=search-type")

    assert event["meta"]["profile"][0].endswith("IHE.BasicAudit.PatientQuery")
    assert event["action"] == "E"
    assert [agent["type"]["coding"][0]["code"] for agent in event["agent"]] == ["110153", "110152", "IRCP"]
    (query,) = [entity for entity in event["entity"] if entity.get("role", {}).get("code") == "24"]
    assert base64.b64decode(query["query"]).decode() == "Observation?code=pain-score"


def test_a_read_of_what_is_not_there_is_an_audit_event_that_failed(api: Any) -> None:
    api.ask("Observation/nothing")

    (event,) = api.found("AuditEvent?subtype=read")

    assert (event["outcome"], event["outcomeDesc"]) == ("4", "there is no such thing for this client")


def test_what_charting_did_is_an_audit_event_too(api: Any, ward: Any) -> None:
    ward.chart()
    (observation,) = api.found("Observation")

    (event,) = api.found(f"AuditEvent?entity=Observation/{observation['id']}&subtype=entry_charted")

    assert event["id"] == "charting-1"
    assert event["action"] == "C"
    assert event["agent"][0]["who"]["display"] == "charting consumer"
    assert event["entity"][0]["what"]["identifier"]["value"] == observation["id"]
    assert {"type": "kind", "valueString": "interval-summary"} in event["entity"][0]["detail"]
    assert api.read("AuditEvent/charting-1") == event


def test_reading_the_trail_is_in_the_trail(api: Any, ward: Any) -> None:
    ward.chart()
    api.found("AuditEvent?subtype=entry_charted")

    (event,) = api.found("AuditEvent?subtype=search-type")

    (query,) = [entity for entity in event["entity"] if entity.get("role", {}).get("code") == "24"]
    assert query["description"] == "AuditEvent?subtype=entry_charted"


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("patient={patient}", 1),
        ("patient.identifier=urn:neopain:authority:HOSP|{mrn}", 1),
        ("patient=nobody", 0),
        ("_id=charting-1", 1),
        ("_id=charting-99999999999999999999", 0),
        ("_id=reads-x,nothing", 0),
        ("date=2026-10-05", 1),
        ("date=gt2026-10-05", 0),
        ("subtype=https://neopain.org/fhir/CodeSystem/audit-event|entry_charted", 1),
        ("subtype=urn:other|entry_charted", 0),
    ],
)
def test_the_trail_is_found_by_every_parameter(api: Any, ward: Any, query: str, number: int) -> None:
    ward.chart()
    (patient,) = api.found("Patient")
    narrowed = f"AuditEvent?{query.format(patient=patient['id'], mrn=ward.infant.value)}&subtype=entry_charted"

    assert len(api.found(narrowed)) == number


def test_pages_of_the_trail_hold_every_row_once_although_each_page_adds_one(api: Any, ward: Any) -> None:
    ward.chart(5)
    found, following = [], "AuditEvent?_count=2"
    while following:
        bundle = api.bundle(following)
        found += [entry["resource"]["id"] for entry in bundle["entry"]]
        following = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "")

    assert found == [f"charting-{number}" for number in (5, 4, 3, 2, 1)]
