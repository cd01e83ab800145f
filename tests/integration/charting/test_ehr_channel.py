"""The FHIR R4 channel: against a FHIR server that nobody here wrote, and against one that misbehaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from neopain.charting.ehr.channel import Located, NotLocated
from neopain.charting.ehr.fhir_r4 import R4Channel
from neopain.domain.charting import ChartedEntry, DraftEntry
from neopain.domain.identity import BedId, PatientId
from neopain.domain.score import Modality, Weights
from neopain.domain.span import EntryKind
from neopain.domain.vitals import Processing
from neopain.errors import ConfigurationError, ContractBroken, EhrUnavailable, RejectedByEhr

from ...servers import trusted

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
Channel = Callable[..., R4Channel]


@pytest.fixture
def entry(ward: Any) -> ChartedEntry:
    draft = DraftEntry(
        bed=BedId(ward.bed),
        kind=EntryKind.INTERVAL_SUMMARY,
        begin=NOON,
        end=NOON + timedelta(minutes=15),
        observed_from=NOON,
        observed_to=NOON + timedelta(minutes=14),
        value=5.0,
        low=3.0,
        high=7.0,
        peak=8.0,
        windows=200,
        windows_scored=190,
        windows_missed=4,
        present={Modality.FACE: 50},
        absences={Modality.CRY: "no-microphone"},
        absent_reason="",
        model="m1",
        weights=Weights.UNTRAINED,
        scale_map="nips-x10/7-v1",
        processing=Processing.PRODUCTION,
        policy="default",
    )
    return ChartedEntry(draft, ward.infant, "V1", NOON + timedelta(minutes=16))


def outcome(code: str, text: str = "") -> bytes:
    issue = {"severity": "error", "code": code, "diagnostics": text}
    return json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).encode()


def test_an_r4_server_is_taken(ehr: Any, channel_to: Channel) -> None:
    channel_to(ehr.url).check()


@pytest.mark.parametrize("version", ["4.3.0", "5.0.0", "3.0.2", ""])
def test_a_server_of_another_fhir_version_is_refused(faulty_ehr: Any, channel_to: Channel, version: str) -> None:
    body = json.dumps({"resourceType": "CapabilityStatement", "fhirVersion": version}).encode()
    faulty_ehr.fail("GET", status=200, body=body)

    with pytest.raises(ConfigurationError, match="R4"):
        channel_to(faulty_ehr.url).check()


def without(statement: dict[str, Any], resource_type: str, **changes: Any) -> bytes:
    """The statement with one resource type changed."""
    for resource in statement["rest"][0]["resource"]:
        if resource["type"] == resource_type:
            resource.update(changes)
    return json.dumps(statement).encode()


@pytest.mark.parametrize(
    ("resource_type", "changes", "told"),
    [
        ("Observation", {"interaction": [{"code": "search-type"}]}, "does not offer Observation create:"),
        ("Observation", {"searchParam": []}, "does not offer Observation search-type by identifier:"),
        ("Patient", {"interaction": []}, "does not offer Patient search-type by identifier:"),
        (
            "Encounter",
            {"searchParam": [{"name": "patient"}]},
            "does not offer Encounter search-type by patient and status",
        ),
    ],
)
def test_a_server_that_does_not_offer_what_is_needed_is_refused(
    faulty_ehr: Any, channel_to: Channel, resource_type: str, changes: dict[str, Any], told: str
) -> None:
    statement = httpx.get(f"{faulty_ehr.target}/metadata", verify=trusted()).json()
    faulty_ehr.fail("GET", status=200, body=without(statement, resource_type, **changes))

    with pytest.raises(ConfigurationError) as refused:
        channel_to(faulty_ehr.url).check()

    assert told in str(refused.value)


def test_a_url_that_has_no_capability_statement_is_refused(faulty_ehr: Any, channel_to: Channel) -> None:
    faulty_ehr.fail("GET", status=404)

    with pytest.raises(ConfigurationError, match="ehr_url"):
        channel_to(faulty_ehr.url).check()


def test_an_ehr_that_is_down_is_not_refused_but_asked_later(channel_to: Channel) -> None:
    with pytest.raises(EhrUnavailable):
        channel_to("http://127.0.0.1:1/fhir").check()


def test_the_patient_is_found_by_authority_and_number(ehr: Any, channel_to: Channel, entry: ChartedEntry) -> None:
    patient = ehr.admit(entry.patient)

    assert channel_to(ehr.url).locate(entry) == Located(patient)


def test_a_number_of_another_authority_is_not_the_patient(ehr: Any, channel_to: Channel, entry: ChartedEntry) -> None:
    ehr.admit(entry.patient)
    elsewhere = replace(entry, patient=PatientId(entry.patient.value, "OTHER"))

    assert isinstance(channel_to(ehr.url).locate(elsewhere), NotLocated)


def test_the_authority_is_written_as_the_ehr_writes_it(ehr: Any, channel_to: Channel, entry: ChartedEntry) -> None:
    system = {"system": "https://hospital.example/mrn", "value": entry.patient.value}
    patient = ehr.post({"resourceType": "Patient", "identifier": [system]})

    channel = channel_to(ehr.url, authority_systems={"HOSP": "https://hospital.example/mrn"})

    assert channel.locate(entry) == Located(patient)


@pytest.mark.parametrize(("matches", "reason"), [(0, "has no patients"), (2, "has 2 patients")])
def test_none_or_two_patients_is_no_place(
    ehr: Any, channel_to: Channel, entry: ChartedEntry, matches: int, reason: str
) -> None:
    for _ in range(matches):
        ehr.admit(entry.patient)

    found = channel_to(ehr.url).locate(entry)

    assert isinstance(found, NotLocated)
    assert reason in found.reason
    assert entry.patient.value not in found.reason


def test_a_record_that_the_ehr_has_replaced_is_not_charted_to(
    ehr: Any, channel_to: Channel, entry: ChartedEntry
) -> None:
    elsewhere = ehr.admit(PatientId(f"N-{entry.patient.value}", "HOSP"))
    identifier = [{"system": "urn:neopain:authority:HOSP", "value": entry.patient.value}]
    link = [{"type": "replaced-by", "other": {"reference": elsewhere}}]
    ehr.post({"resourceType": "Patient", "identifier": identifier, "link": link})
    channel = channel_to(ehr.url)

    assert isinstance(channel.locate(entry), NotLocated)
    current = ehr.admit(entry.patient)
    assert channel.locate(entry) == Located(current)


def test_the_encounter_in_progress_is_found(ehr: Any, channel_to: Channel, entry: ChartedEntry) -> None:
    patient = ehr.admit(entry.patient)
    ehr.begin_encounter(patient, status="finished")
    encounter = ehr.begin_encounter(patient)

    assert channel_to(ehr.url).locate(entry) == Located(patient, encounter)


def test_of_several_encounters_the_one_with_the_visit_number_is_taken(
    ehr: Any, channel_to: Channel, entry: ChartedEntry
) -> None:
    patient = ehr.admit(entry.patient)
    ehr.begin_encounter(patient)
    encounter = ehr.begin_encounter(patient, visit="V1")

    assert channel_to(ehr.url).locate(entry) == Located(patient, encounter)


def test_of_several_encounters_none_is_guessed(ehr: Any, channel_to: Channel, entry: ChartedEntry) -> None:
    patient = ehr.admit(entry.patient)
    ehr.begin_encounter(patient)
    ehr.begin_encounter(patient)

    assert channel_to(ehr.url).locate(entry) == Located(patient)


def test_a_site_may_demand_an_encounter(ehr: Any, channel_to: Channel, entry: ChartedEntry) -> None:
    ehr.admit(entry.patient)

    found = channel_to(ehr.url, requires_encounter=True).locate(entry)

    assert isinstance(found, NotLocated)


def test_what_was_created_is_found_again(ehr: Any, channel_to: Channel, entry: ChartedEntry) -> None:
    channel, located = channel_to(ehr.url), Located(ehr.admit(entry.patient))

    assert channel.find(entry, located) is None
    channel.create(entry, located)

    (observation,) = ehr.observations(located.subject)
    assert channel.find(entry, located) == f"Observation/{observation['id']}"


def test_the_same_entry_created_twice_is_there_once(ehr: Any, channel_to: Channel, entry: ChartedEntry) -> None:
    channel, located = channel_to(ehr.url), Located(ehr.admit(entry.patient))

    channel.create(entry, located)
    channel.create(entry, located)

    assert len(ehr.observations(located.subject)) == 1


def test_an_entry_without_a_value_is_taken_too(ehr: Any, channel_to: Channel, entry: ChartedEntry) -> None:
    silent = replace(entry.draft, value=None, low=None, high=None, peak=None, absent_reason="no-modality")
    channel, located = channel_to(ehr.url), Located(ehr.admit(entry.patient))

    channel.create(replace(entry, draft=silent), located)

    (observation,) = ehr.observations(located.subject)
    assert observation["dataAbsentReason"]["text"] == "no-modality"
    assert "valueQuantity" not in observation


def test_an_entry_that_lies_under_another_patient_is_for_a_person(
    ehr: Any, channel_to: Channel, entry: ChartedEntry
) -> None:
    channel = channel_to(ehr.url)
    channel.create(entry, Located(ehr.admit(entry.patient)))

    with pytest.raises(RejectedByEhr, match="another patient"):
        channel.find(entry, Located("Patient/someone-else"))


def test_an_entry_that_is_there_twice_is_for_a_person(ehr: Any, channel_to: Channel, entry: ChartedEntry) -> None:
    channel, located = channel_to(ehr.url), Located(ehr.admit(entry.patient))
    channel.create(entry, located)
    (observation,) = ehr.observations(located.subject)
    ehr.post({name: value for name, value in observation.items() if name not in {"id", "meta"}})

    with pytest.raises(RejectedByEhr, match="2 Observations"):
        channel.find(entry, located)


@pytest.mark.parametrize("status", [401, 408, 409, 429, 500, 502, 503, 504, 302])
def test_what_may_be_mended_is_tried_later(
    faulty_ehr: Any, channel_to: Channel, entry: ChartedEntry, status: int
) -> None:
    faulty_ehr.fail("POST", status=status)

    with pytest.raises(EhrUnavailable, match=f"HTTP {status}"):
        channel_to(faulty_ehr.url).create(entry, Located("Patient/1"))


@pytest.mark.parametrize("tells_provenance", [True, False])
def test_what_is_no_valid_observation_is_not_sent(
    faulty_ehr: Any, channel_to: Channel, entry: ChartedEntry, *, tells_provenance: bool
) -> None:
    nameless = replace(entry, draft=replace(entry.draft, model=""))

    with pytest.raises(ContractBroken, match="not valid R4"):
        channel_to(faulty_ehr.url, tells_provenance=tells_provenance).create(nameless, Located("Patient/1"))

    assert faulty_ehr.asked == []


@pytest.mark.parametrize("status", [400, 403, 404, 410, 412, 422])
def test_what_is_refused_is_told_in_codes_and_without_patient_data(
    faulty_ehr: Any, channel_to: Channel, entry: ChartedEntry, status: int
) -> None:
    faulty_ehr.fail("POST", status=status, body=outcome("invalid", f"no such patient {entry.patient.value}"))

    with pytest.raises(RejectedByEhr) as refused:
        channel_to(faulty_ehr.url).create(entry, Located("Patient/1"))

    assert str(refused.value) == f"POST Observation: HTTP {status}, error invalid"


def test_a_200_that_says_that_it_was_not_taken_is_a_refusal(
    faulty_ehr: Any, channel_to: Channel, entry: ChartedEntry
) -> None:
    faulty_ehr.fail("POST", status=200, body=outcome("business-rule"))

    with pytest.raises(RejectedByEhr, match="POST Observation: HTTP 200, error business-rule"):
        channel_to(faulty_ehr.url).create(entry, Located("Patient/1"))


@pytest.mark.parametrize("code", ["throttled", "exception"])
def test_a_200_that_says_that_it_may_be_taken_later_is_tried_later(
    faulty_ehr: Any, channel_to: Channel, entry: ChartedEntry, code: str
) -> None:
    faulty_ehr.fail("POST", status=200, body=outcome(code))

    with pytest.raises(EhrUnavailable, match=f"HTTP 200, error {code}"):
        channel_to(faulty_ehr.url).create(entry, Located("Patient/1"))


def test_a_200_that_warns_is_taken(faulty_ehr: Any, channel_to: Channel, entry: ChartedEntry) -> None:
    faulty_ehr.fail("POST", status=200, body=outcome("informational").replace(b'"error"', b'"warning"'))

    channel_to(faulty_ehr.url).create(entry, Located("Patient/1"))


def test_an_update_that_a_200_says_was_not_made_is_a_refusal(faulty_ehr: Any, channel_to: Channel) -> None:
    faulty_ehr.fail("PUT", status=200, body=outcome("business-rule"))

    with pytest.raises(RejectedByEhr, match="PUT Observation/1: HTTP 200, error business-rule"):
        channel_to(faulty_ehr.url).http.update("Observation/1", {"resourceType": "Observation"}, version="1")


def test_the_real_server_refuses_an_observation_of_nobody(ehr: Any, channel_to: Channel, entry: ChartedEntry) -> None:
    with pytest.raises(RejectedByEhr, match="HTTP 4"):
        channel_to(ehr.url).http.create({"resourceType": "Observation", "status": "final"}, if_none_exist="_id=none")


def in_minutes(minutes: int) -> str:
    """A time from now as HTTP writes it."""
    return format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)


@pytest.mark.parametrize(
    ("write_header", "seconds"),
    [
        (lambda: "17", range(17, 18)),
        (lambda: in_minutes(5), range(200, 301)),
        (lambda: in_minutes(-5), range(1)),
    ],
    ids=["seconds", "date", "past"],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    faulty_ehr: Any, channel_to: Channel, entry: ChartedEntry, write_header: Callable[[], str], seconds: range
) -> None:
    faulty_ehr.fail("POST", status=429, Retry_After=write_header())

    with pytest.raises(EhrUnavailable) as busy:
        channel_to(faulty_ehr.url).create(entry, Located("Patient/1"))

    assert busy.value.retry_after_seconds is not None
    assert int(busy.value.retry_after_seconds) in seconds


@pytest.mark.parametrize("header", ["", "soon", "-1"])
def test_a_retry_after_that_says_nothing_is_passed_over(
    faulty_ehr: Any, channel_to: Channel, entry: ChartedEntry, header: str
) -> None:
    faulty_ehr.fail("POST", status=503, Retry_After=header)

    with pytest.raises(EhrUnavailable) as busy:
        channel_to(faulty_ehr.url).create(entry, Located("Patient/1"))

    assert busy.value.retry_after_seconds is None


@pytest.mark.parametrize(
    "body", [b"<html>Sign in</html>", b"", b"[]", b"[" * 9_999, b'{"resourceType": "OperationOutcome"}']
)
def test_an_answer_that_is_no_bundle_is_never_taken_for_no_patient(
    faulty_ehr: Any, channel_to: Channel, entry: ChartedEntry, body: bytes
) -> None:
    faulty_ehr.fail("GET", status=200, body=body)

    with pytest.raises(EhrUnavailable):
        channel_to(faulty_ehr.url).locate(entry)


def test_a_connection_that_is_cut_is_unavailable(faulty_ehr: Any, channel_to: Channel, entry: ChartedEntry) -> None:
    faulty_ehr.fail("GET")

    with pytest.raises(EhrUnavailable, match="GET Patient"):
        channel_to(faulty_ehr.url).locate(entry)


def found_nonetheless(resource: dict[str, Any]) -> bytes:
    """What a server answers that does not know the search parameter and passes it over (R4 search.html#errors)."""
    return json.dumps({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": resource}]}).encode()


@pytest.mark.parametrize("identifier", [[], [{"system": "urn:neopain:authority:HOSP", "value": "somebody-else"}]])
def test_a_patient_that_does_not_bear_the_identifier_is_not_the_infant(
    faulty_ehr: Any, channel_to: Channel, entry: ChartedEntry, identifier: list[Any]
) -> None:
    patient = {"resourceType": "Patient", "id": "9", "identifier": identifier}
    faulty_ehr.fail("GET", status=200, body=found_nonetheless(patient))

    assert isinstance(channel_to(faulty_ehr.url).locate(entry), NotLocated)


def test_an_observation_that_does_not_bear_the_entry_s_identifier_does_not_confirm_it(
    faulty_ehr: Any, channel_to: Channel, entry: ChartedEntry
) -> None:
    observation = {"resourceType": "Observation", "id": "9", "subject": {"reference": "Patient/1"}}
    faulty_ehr.fail("GET", status=200, body=found_nonetheless(observation))

    assert channel_to(faulty_ehr.url).find(entry, Located("Patient/1")) is None


@pytest.mark.parametrize(
    "changes", [{"subject": {"reference": "Patient/another"}}, {"subject": {}}, {"status": "finished"}], ids=str
)
def test_an_encounter_of_another_patient_or_time_is_not_the_infant_s(
    ehr: Any, faulty_ehr: Any, channel_to: Channel, entry: ChartedEntry, changes: dict[str, Any]
) -> None:
    patient = ehr.admit(entry.patient)
    encounter = {"resourceType": "Encounter", "id": "9", "status": "in-progress", "subject": {"reference": patient}}
    faulty_ehr.fail_after(1, "GET", status=200)
    faulty_ehr.faults[-1].body = found_nonetheless({**encounter, **changes})

    assert channel_to(faulty_ehr.url).locate(entry) == Located(patient)


def test_an_ehr_may_write_its_own_address_before_a_patient(
    faulty_ehr: Any, channel_to: Channel, entry: ChartedEntry
) -> None:
    identifier = {"system": "https://neopain.org/fhir/identifier/entry", "value": entry.id}
    subject = {"reference": "https://ehr.hospital.example/fhir/R4/Patient/1/_history/3"}
    observation = {"resourceType": "Observation", "id": "9", "identifier": [identifier], "subject": subject}
    faulty_ehr.fail("GET", times=2, status=200, body=found_nonetheless(observation))

    assert channel_to(faulty_ehr.url).find(entry, Located("Patient/1")) == "Observation/9"
    with pytest.raises(RejectedByEhr, match="another patient"):
        channel_to(faulty_ehr.url).find(entry, Located("Patient/11"))
