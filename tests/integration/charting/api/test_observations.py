"""Observations over the FHIR API: found by every parameter, page by page, and said as the EHR gets them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from neopain.charting.desk import Decision, Verdict, decide
from neopain.domain.identity import PatientId

ENTRY_SYSTEM = "https://neopain.org/fhir/identifier/entry"
SYSTEM = "urn:neopain:authority:HOSP"


def ids(resources: list[dict[str, Any]]) -> list[str]:
    return [one["id"] for one in resources]


def test_an_entry_is_told_as_the_ehr_gets_it_with_id_version_and_status(api: Any, ward: Any) -> None:
    ward.chart()

    (observation,) = api.found("Observation")

    assert observation["id"] == observation["identifier"][0]["value"]
    assert observation["identifier"][0]["system"] == ENTRY_SYSTEM
    assert observation["status"] == "preliminary"
    assert observation["meta"]["versionId"] == "1"
    assert observation["meta"]["lastUpdated"] == "2026-10-05T12:00:00+00:00"
    assert observation["meta"]["security"][0]["code"] == "AIAST"
    assert observation["valueQuantity"]["value"] == 2.0
    assert api.read(f"Observation/{observation['id']}") == observation
    assert api.read(observation["subject"]["reference"])["identifier"][0]["value"] == ward.infant.value
    assert api.read(observation["encounter"]["reference"])["identifier"][0]["value"] == "V1"


def test_a_held_entry_is_not_told(api: Any, bedside: Any) -> None:
    bedside.admit(bedside.infant, held="two infants in one bed")
    bedside.chart()

    assert api.found("Observation") == []


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("patient={patient}", True),
        ("patient=Patient/{patient}", True),
        ("subject=Patient/{patient}", True),
        ("patient=nobody", False),
        ("patient=nobody,{patient}", True),
        ("patient.identifier=urn:neopain:authority:HOSP|{mrn}", True),
        ("subject:Patient.identifier={mrn}", True),
        ("patient.identifier=urn:neopain:authority:OTHER|{mrn}", False),
        ("patient.identifier=|{mrn}", False),
        ("code=pain-score", True),
        ("code=https://neopain.org/fhir/CodeSystem/score|pain-score", True),
        ("code=http://loinc.org|98012-8", False),
        ("category=survey", True),
        ("category=vital-signs", False),
        ("status=preliminary", True),
        ("status=final,preliminary", True),
        ("status=cancelled", False),
        ("_id={id}", True),
        ("_id=none", False),
        ("identifier=https://neopain.org/fhir/identifier/entry|{id}", True),
        ("identifier=urn:other|{id}", False),
        ("encounter={encounter}", True),
        ("encounter=none", False),
        ("date=2026-10-05", True),
        ("date=2026-10-05T12:00", True),
        ("date=lt2026-10-05", False),
        ("date=ge2026-10-05T12:00:06Z", False),
        ("date=ge2026-10-05T14:00:05%2B02:00", True),
        ("date=gt2026-10-05T12:00:04Z&date=le2026-10-05T12:00:05Z", True),
        ("date=ap2026-10", True),
        ("date=ne2026-10-05", False),
        ("date=sa2026-10-04&date=eb2026-10-06", True),
        ("_lastUpdated=ge2026-10-05T12:00:00Z", True),
        ("_lastUpdated=gt2026-10-05T12:00:00Z", False),
        ("patient={patient}&status=preliminary&code=pain-score", True),
        ("patient={patient}&status=cancelled", False),
    ],
)
def test_a_parameter_finds_what_it_means(api: Any, ward: Any, query: str, *, is_found: bool) -> None:
    ward.chart()
    (observation,) = api.found("Observation")
    told = {
        "id": observation["id"],
        "mrn": ward.infant.value,
        "patient": observation["subject"]["reference"].removeprefix("Patient/"),
        "encounter": observation["encounter"]["reference"].removeprefix("Encounter/"),
    }

    found = api.found(f"Observation?{query.format(**told)}")

    assert ids(found) == ([observation["id"]] if is_found else [])


def test_an_infant_is_found_by_another_of_its_numbers(api: Any, bedside: Any) -> None:
    bedside.admit(bedside.infant, PatientId("W-1", "WRISTBAND", "PI"))
    bedside.chart()

    assert len(api.found("Observation?patient.identifier=urn:neopain:authority:WRISTBAND|W-1")) == 1


@pytest.mark.parametrize("sort", ["date", "-date", "_lastUpdated", "-_lastUpdated"])
def test_pages_hold_every_match_once_in_order(api: Any, ward: Any, sort: str) -> None:
    for number in range(7):
        ward.clock.advance(1)
        ward.take(ward.score(10 * number + 5))
    ward.take(ward.score(85))
    pages = []
    following = f"Observation?_sort={sort}&_count=3"
    while following:
        bundle = api.bundle(following)
        pages.append([entry["resource"] for entry in bundle["entry"]])
        following = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "")

    is_by_date = sort.endswith("date")
    key = "effectivePeriod" if is_by_date else "meta"
    part = "end" if is_by_date else "lastUpdated"
    moments = [one[key][part] for page in pages for one in page]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert len({one["id"] for page in pages for one in page}) == 7
    assert moments == sorted(moments, reverse=sort.startswith("-"))


def test_what_is_charted_meanwhile_neither_doubles_nor_hides_a_match(api: Any, ward: Any) -> None:
    ward.chart(4)
    whole = ids(api.found("Observation"))
    first = api.bundle("Observation?_count=2")
    ward.chart(2, first=40)
    (following,) = [link["url"] for link in first["link"] if link["relation"] == "next"]

    assert ids([entry["resource"] for entry in first["entry"]] + api.found(following)) == whole


def test_what_changes_between_pages_comes_again_by_last_updated_and_nothing_is_missed(
    api: Any, ward: Any, engine: Engine
) -> None:
    ward.chart(4)
    first = api.bundle("Observation?_sort=_lastUpdated&_count=2")
    shown = ids([entry["resource"] for entry in first["entry"]])
    (hidden, *_) = set(ids(api.found("Observation"))) - set(shown)
    ward.clock.advance(60)
    for entry in (shown[0], hidden):
        decide(engine, ward.clock, entry, Decision(Verdict.CANCEL, "N. Nurse", "charted by hand"))
    (following,) = [link["url"] for link in first["link"] if link["relation"] == "next"]

    left = ids(api.found(following.replace("_count=2", "_count=9")))

    assert {shown[0], hidden} <= set(left)
    assert set(shown) | set(left) == set(ids(api.found("Observation")))


def test_a_delivery_that_is_cancelled_is_a_new_version_that_says_so(api: Any, ward: Any, engine: Engine) -> None:
    ward.chart()
    (before,) = api.found("Observation")
    ward.clock.advance(60)
    decide(engine, ward.clock, before["id"], Decision(Verdict.CANCEL, "N. Nurse", "charted by hand"))

    after = api.read(f"Observation/{before['id']}")

    assert (after["status"], after["meta"]["versionId"]) == ("cancelled", "2")
    assert after["meta"]["lastUpdated"] == "2026-10-05T12:01:00+00:00"
    assert ids(api.found("Observation?_lastUpdated=gt2026-10-05T12:00:30Z&status=cancelled")) == [before["id"]]
    assert api.found("Observation?status=preliminary") == []


def test_what_a_client_has_is_not_sent_again_until_it_changes(api: Any, ward: Any, engine: Engine) -> None:
    ward.chart()
    (observation,) = api.found("Observation")
    path = f"Observation/{observation['id']}"
    first = api.ask(path)
    tag = {"If-None-Match": first.headers["ETag"]}

    assert first.headers["ETag"] == 'W/"1"'
    assert first.headers["Last-Modified"] == "Mon, 05 Oct 2026 12:00:00 GMT"
    assert (api.ask(path, headers=tag).status_code, api.ask(path, headers=tag).content) == (304, b"")
    decide(engine, ward.clock, observation["id"], Decision(Verdict.CANCEL, "N. Nurse", "charted by hand"))
    assert api.ask(path, headers=tag).status_code == 200


def test_a_search_that_gives_the_same_is_not_sent_again(api: Any, ward: Any) -> None:
    ward.chart()
    tag = {"If-None-Match": api.ask("Observation").headers["ETag"]}

    assert api.ask("Observation", headers=tag).status_code == 304
    ward.chart(first=20)
    assert api.ask("Observation", headers=tag).status_code == 200


def test_patients_and_encounters_come_along_where_asked_for(api: Any, ward: Any) -> None:
    ward.chart(3)

    bundle = api.bundle("Observation?_include=Observation:patient&_include=Observation:encounter")

    modes = [(entry["resource"]["resourceType"], entry["search"]["mode"]) for entry in bundle["entry"]]
    assert modes == [*[("Observation", "match")] * 3, ("Encounter", "include"), ("Patient", "include")]


@pytest.mark.parametrize("query", ["_summary=count", "_count=0"])
def test_a_count_tells_of_nobody(api: Any, ward: Any, query: str) -> None:
    ward.chart(3)

    bundle = api.bundle(f"Observation?{query}")

    assert bundle["total"] == 3
    assert "entry" not in bundle


def test_a_summary_keeps_value_reason_and_warning_and_says_that_it_is_one(api: Any, ward: Any) -> None:
    ward.take(ward.score(5, None), ward.score(15))

    (short,) = api.found("Observation?_summary=true")

    assert short["meta"]["tag"][0]["code"] == "SUBSETTED"
    assert "contained" not in short
    assert short["dataAbsentReason"]["text"] == "no-modality"
    assert short["note"][0]["text"].startswith("Investigational")
    assert set(api.found("Observation?_summary=text")[0]) == {"resourceType", "id", "meta", "status", "code"}
    assert api.found("Observation?_summary=data") == api.found("Observation")


def test_provenance_says_what_wrote_an_entry(api: Any, ward: Any) -> None:
    ward.chart(2)
    newest, oldest = api.found("Observation")

    (provenance,) = api.found(f"Provenance?target=Observation/{oldest['id']}")

    assert provenance["target"] == [{"reference": f"Observation/{oldest['id']}"}]
    assert provenance["recorded"] == oldest["issued"]
    assert provenance["contained"][0]["version"] == [{"value": "m1"}]
    assert api.read(f"Provenance/{newest['id']}")["occurredPeriod"] == newest["effectivePeriod"]
    bundle = api.bundle("Provenance?_include=Provenance:target&_sort=recorded&_count=1")
    assert [one["resource"]["resourceType"] for one in bundle["entry"]] == ["Provenance", "Observation"]


def test_the_newest_comes_first_unless_asked_otherwise(api: Any, ward: Any) -> None:
    ward.chart(3)
    by_default = ids(api.found("Observation"))

    assert by_default == ids(api.found("Observation?_sort=-date"))
    assert by_default == ids(api.found("Observation?_sort=date"))[::-1]


def test_at_most_500_come_at_once(api: Any, ward: Any, tamper: Callable[..., None]) -> None:
    ward.chart()
    ward.clock.moment += timedelta(days=1)
    copies = """
    INSERT INTO entries (entry_id, bed, kind, begins, ends, issued, state, patient_authority, patient_value,
                         patient_type, visit, value, draft)
    SELECT md5(number::text), bed, kind, begins + number * interval '1 min', ends + number * interval '1 min', issued,
           state, patient_authority, patient_value, patient_type, visit, value, draft
    FROM entries, generate_series(1, 600) number
    """
    rows = "INSERT INTO outbox (entry_id, infant, state, due) SELECT entry_id, 'x', 'confirmed', issued FROM entries e \
            WHERE NOT EXISTS (SELECT FROM outbox WHERE outbox.entry_id = e.entry_id)"
    tamper(copies, rows)

    assert len(api.ask("Observation?_count=9999").json()["entry"]) == 500
    assert len(api.found("Observation")) == 50
