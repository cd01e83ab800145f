"""Newest scores and aggregates over the FHIR API: found by name only, honest about their age, audited as polls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event

from neopain.charting.aggregates import sum_up_scores, vital_row, write
from neopain.charting.census import history_of
from neopain.charting.unit_of_work import unit_of_work
from neopain.codecs.fhir.cursor import Place, write_cursor
from neopain.codecs.fhir.ids import patient_id
from neopain.domain.aggregate import VitalAggregate
from neopain.domain.identity import BedId, PatientId
from neopain.domain.vitals import Processing, VitalKind

Rows = Callable[[str], list[dict[str, Any]]]
READS = "SELECT patient, detail FROM audit WHERE chain = 'reads' ORDER BY position"


def sum_up(ward: Any) -> None:
    sum_up_scores(ward.intake, now=ward.score(3600).window_end)


def measure(ward: Any, second: float, kind: VitalKind = VitalKind.HEART_RATE, value: float | None = 140.0) -> None:
    vital = VitalAggregate(
        kind, value, value, value, count=0 if value is None else 5, reasons={}, processing=Processing.PRODUCTION
    )
    if value is None:
        vital = VitalAggregate(kind, None, None, None, 0, {"invalid-values": 3}, Processing.PRODUCTION)
    begin = ward.score(second).window_end
    with unit_of_work(ward.engine, ward.clock) as unit:
        history = history_of(unit.connection, ward.bed)
        write(unit.connection, [vital_row(ward.intake, ward.bed, begin, vital, history)], now=ward.clock.now())


def component(observation: dict[str, Any], code: str) -> dict[str, Any]:
    return next(one for one in observation["component"] if one["code"]["coding"][0]["code"] == code)


def test_the_newest_score_says_its_age_and_that_it_is_investigational(api: Any, ward: Any) -> None:
    ward.take(ward.score(1, 2.0), ward.score(3, 6.0))
    ward.clock.advance(7)

    (live,) = api.found("Observation?code=live-pain-score")

    assert live["valueQuantity"]["value"] == 6.0
    assert component(live, "interval-low")["valueQuantity"]["value"] == 5.0
    assert component(live, "age")["valueQuantity"] == {
        "value": 7,
        "unit": "s",
        "system": "http://unitsofmeasure.org",
        "code": "s",
    }
    assert live["note"][0]["text"].startswith("Investigational")
    assert live["meta"]["security"][0]["code"] == "AIAST"
    assert live["extension"] == [
        {"url": "https://neopain.org/fhir/StructureDefinition/score-bed", "valueString": ward.bed}
    ]
    assert live["effectivePeriod"]["end"] == "2026-10-05T12:00:03+00:00"
    assert api.read(live["subject"]["reference"])["identifier"][0]["value"] == ward.infant.value
    assert api.read(f"Observation/{live['id']}") == live


def test_an_old_number_is_not_told(api: Any, ward: Any) -> None:
    ward.take(ward.score(0, 6.0))
    ward.clock.advance(10)
    (fresh,) = api.found("Observation?category=live")
    ward.clock.advance(0.001)
    (stale,) = api.found("Observation?category=live")

    assert "valueQuantity" in fresh
    assert "valueQuantity" not in stale
    assert stale["dataAbsentReason"]["text"] == "stale"
    for code in ("interval-low", "interval-high", "peak", "sedation", "98012-8"):
        assert "valueQuantity" not in component(stale, code)
    assert component(stale, "age")["valueQuantity"]["value"] == 10
    assert "No number is told" in stale["note"][0]["text"]


@pytest.mark.parametrize("what", ["left", "held", "another", "two beds"])
def test_a_score_is_the_newest_only_of_who_lies_there_now(api: Any, ward: Any, what: str) -> None:
    ward.take(ward.score(0, 6.0))
    assert len(api.found("Observation?code=live-pain-score")) == 1
    match what:
        case "left":
            ward.admit(at=1)
        case "held":
            ward.admit(ward.infant, at=1, held="the monitor names another")
        case "another":
            ward.admit(PatientId("other", "HOSP"), at=1)
        case _:
            ward.admit(ward.infant, at=1, bed=BedId("NICU/2/2"))

    assert api.found("Observation?code=live-pain-score") == []


def test_what_is_nobodys_is_not_told(api: Any, bedside: Any) -> None:
    bedside.admit(bedside.infant, held="two infants in one bed")
    bedside.take(bedside.score(1))
    sum_up(bedside)

    assert api.found("Observation?category=live,aggregate") == []


def test_what_is_charted_nowhere_comes_only_where_it_is_named(api: Any, ward: Any) -> None:
    ward.chart()
    sum_up(ward)
    measure(ward, 0)
    (entry,) = api.found("Observation")

    for query in ("code=pain-score", "category=survey", "code=https://neopain.org/fhir/CodeSystem/score|"):
        assert [one["id"] for one in api.found(f"Observation?{query}")] == [entry["id"]]
    codes = "pain-score,aggregated-pain-score,live-pain-score,aggregated-heart-rate"
    assert len(api.found(f"Observation?code={codes}")) == 5


def test_an_aggregate_of_scores_says_values_counts_and_reasons(api: Any, ward: Any) -> None:
    ward.take(ward.score(1, 2.0), ward.score(2, 4.0), ward.score(3, 9.0), ward.score(4, None))
    sum_up(ward)

    (found,) = api.found("Observation?code=aggregated-pain-score")

    assert found["valueQuantity"]["value"] == 4.0
    assert found["effectivePeriod"] == {"start": "2026-10-05T12:00:00+00:00", "end": "2026-10-05T12:00:10+00:00"}
    assert component(found, "peak")["valueQuantity"]["value"] == 9.0
    assert (component(found, "windows")["valueInteger"], component(found, "windows-scored")["valueInteger"]) == (4, 3)
    assert component(found, "without-number")["code"]["text"] == "no-modality"
    assert component(found, "modality-face")["valueQuantity"]["value"] == 75
    assert found["status"] == "preliminary"
    assert api.read(f"Observation/{found['id']}") == found


def test_an_aggregate_of_vitals_says_its_values_or_why_there_is_none(api: Any, ward: Any) -> None:
    measure(ward, 0)
    measure(ward, 10, value=None)

    newest, oldest = api.found("Observation?code=aggregated-heart-rate")

    assert (oldest["valueQuantity"]["value"], oldest["valueQuantity"]["code"]) == (140, "/min")
    assert component(oldest, "values")["valueInteger"] == 5
    assert newest["dataAbsentReason"]["text"] == "invalid-values"
    assert "valueQuantity" not in newest
    assert "valueQuantity" not in component(newest, "low")


FIRST_PLACE = write_cursor(Place("a.b.c.1", datetime.min.replace(tzinfo=UTC)), sort="date")


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("date=ge0001-01-01", 1),
        ("date=ap0001", 0),
        ("date=0001-01-01T00:00:05Z", 0),
        ("date=le9999-12-31T23:59:59Z", 1),
        (f"_sort=date&_cursor={FIRST_PLACE}", 1),
    ],
)
def test_any_moment_that_there_is_can_be_asked_for(api: Any, ward: Any, query: str, number: int) -> None:
    measure(ward, 0)

    assert len(api.found(f"Observation?code=aggregated-heart-rate&{query}")) == number


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("patient={patient}", 2),
        ("patient=nobody", 0),
        ("patient.identifier=urn:neopain:authority:HOSP|{mrn}", 2),
        ("patient.identifier={mrn}-x", 0),
        ("date=ge2026-10-05T12:00:10Z", 1),
        ("date=le2026-10-05T12:00:00Z", 0),
        ("date=lt2026-10-05T12:00:05Z&date=gt2026-10-05T11:59:00Z", 1),
        ("_lastUpdated=ge2026-10-05T12:00:00Z", 2),
        ("_lastUpdated=gt2026-10-05T12:00:00Z", 0),
        ("status=preliminary", 2),
        ("status=final", 0),
        ("encounter=none", 0),
        ("identifier=x", 0),
    ],
)
def test_a_parameter_finds_the_aggregates_that_it_means(api: Any, ward: Any, query: str, number: int) -> None:
    measure(ward, 0)
    measure(ward, 10)
    told = {"patient": patient_id(ward.infant), "mrn": ward.infant.value}

    found = api.found(f"Observation?code=aggregated-heart-rate&{query.format(**told)}")

    assert len(found) == number
    assert api.bundle(f"Observation?code=aggregated-heart-rate&{query.format(**told)}&_count=0")["total"] == number


@pytest.mark.parametrize("sort", ["date", "-date", "_lastUpdated", "-_lastUpdated"])
def test_pages_of_all_sorts_hold_every_match_once_in_order(api: Any, ward: Any, sort: str) -> None:
    ward.chart(2)
    sum_up(ward)
    for number in range(4):
        measure(ward, 10 * number)
        measure(ward, 10 * number, VitalKind.SPO2, 97.0)
        ward.clock.advance(1)
    pages = []
    following = f"Observation?category=survey,live,aggregate&_sort={sort}&_count=3"
    while following:
        bundle = api.bundle(following)
        pages.append([entry["resource"] for entry in bundle["entry"]])
        following = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "")

    everything = [one for page in pages for one in page]
    assert len(everything) == len({one["id"] for one in everything}) == 2 + 1 + 3 + 8
    if sort.endswith("_lastUpdated"):
        moments = [datetime.fromisoformat(one["meta"]["lastUpdated"]) for one in everything]
        assert moments == sorted(moments, reverse=sort.startswith("-"))


def test_who_is_limited_sees_only_its_own(api: Any, ward: Any, api_with: Any) -> None:
    other = type(ward)(ward.engine, ward.clock, bed=BedId("PICU/1/1"))
    other.admit(other.infant)
    for one in (ward, other):
        one.take(one.score(1))
        sum_up(one)
    asked = "Observation?category=live,aggregate"
    assert len(api.found(asked)) == 4

    narrow = api.token(scope="patient/Observation.rs", patient=patient_id(ward.infant))
    seen = api.found(asked, token=narrow)
    assert {one["subject"]["reference"] for one in seen} == {f"Patient/{patient_id(ward.infant)}"}
    of_unit = api_with(api_units=("PICU",)).found(asked)
    assert {one["subject"]["reference"] for one in of_unit} == {f"Patient/{patient_id(other.infant)}"}
    (foreign, *_) = [one["id"] for one in of_unit if one["id"].startswith("live-")]
    assert api.ask(f"Observation/{foreign}", token=narrow).status_code == 404
    assert api.ask(asked, token=api.token(scope="system/Patient.rs")).status_code == 403


@pytest.mark.parametrize(
    "own_id", ["live-0-0", "a.b.c.1", "a.b.c.99999999999", "a.b.c.x", "a.b.c.999999999999999999999"]
)
def test_an_id_that_is_none_is_not_found(api: Any, ward: Any, own_id: str) -> None:
    measure(ward, 0)

    assert api.ask(f"Observation/{own_id}").status_code == 404
    assert api.found(f"Observation?_id={own_id}") == []


def test_what_has_not_changed_is_not_sent_again(api: Any, ward: Any) -> None:
    measure(ward, 0)
    asked = "Observation?code=aggregated-heart-rate"
    tag = {"If-None-Match": api.ask(asked).headers["ETag"]}

    assert api.ask(asked, headers=tag).status_code == 304
    measure(ward, 10)
    assert api.ask(asked, headers=tag).status_code == 200


# -- written down ------------------------------------------------------------------------------------------------------


def test_a_poll_is_written_down_once_a_minute_with_for_how_long_and_how_often(api: Any, ward: Any, rows: Rows) -> None:
    ward.take(ward.score(1))
    token = api.token(jti="one")
    for _ in range(4):
        api.ask("Observation?code=live-pain-score", token=token)
    ward.clock.advance(60)
    api.ask("Observation?code=live-pain-score", token=token)

    first, second = rows(READS)
    assert first["patient"] == f"HOSP|{ward.infant.value}"
    assert json.loads(first["detail"])["stands_until"] == "2026-10-05T12:01:00+00:00"
    assert "repeated" not in json.loads(first["detail"])
    assert json.loads(second["detail"])["repeated"] == 3


def test_another_infant_token_or_way_is_a_row_of_its_own(api: Any, ward: Any, rows: Rows) -> None:
    ward.take(ward.score(1))
    one, another = api.token(jti="one"), api.token(jti="two")
    (live,) = api.found("Observation?code=live-pain-score", token=one)
    api.ask("Observation?code=live-pain-score", token=another)
    api.ask(f"Observation/{live['id']}", token=one)
    assert len(rows(READS)) == 3

    other = type(ward)(ward.engine, ward.clock)
    other.admit(other.infant)
    other.take(other.score(1))
    api.ask("Observation?code=live-pain-score", token=one)
    assert [row["patient"] for row in rows(READS)[3:]] == [f"HOSP|{other.infant.value}"]


def test_an_answer_that_holds_a_charted_entry_is_written_down_each_time(api: Any, ward: Any, rows: Rows) -> None:
    ward.chart()
    token = api.token(jti="one")
    for _ in range(2):
        api.ask("Observation?code=live-pain-score,pain-score", token=token)
        api.ask("Observation?code=live-pain-score&_include=Observation:patient", token=token)

    assert len(rows(READS)) == 4


@pytest.mark.usefixtures("own_database")
def test_a_poll_that_cannot_be_written_down_is_not_told(api: Any, ward: Any, tamper: Callable[..., None]) -> None:
    ward.take(ward.score(1))
    tamper("ALTER TABLE audit RENAME TO audit_away")
    for _ in range(2):
        answer = api.ask("Observation?code=live-pain-score", token=api.token(jti="one"))
        assert answer.status_code >= 500
        assert "subject" not in answer.text


# -- the index ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("own_database")
def test_the_last_hour_of_an_infant_is_found_by_the_index(api: Any, ward: Any, engine: Engine) -> None:
    fill = """
    INSERT INTO aggregates
      (bed, kind, begins, ends, patient_authority, patient_value, patient_type, value, count, detail, written)
    SELECT 'NICU/1/' || bed, 'heart_rate', begins, begins + interval '10 s', 'HOSP', 'M' || bed, 'MR', 140, 10,
           '{"seen": 10}', begins
    FROM generate_series(1, 20) bed,
         generate_series('2026-10-05T10:00Z'::timestamptz, '2026-10-05T11:59:50Z', interval '10 s') begins
    """
    with engine.begin() as connection:
        connection.exec_driver_sql(fill)
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE aggregates")
    since = ward.clock.now() - timedelta(hours=1)
    asked = f"code=aggregated-heart-rate&patient={patient_id(PatientId('M7', 'HOSP'))}&_count=500"
    with explained(engine) as plans:
        found = api.found(f"Observation?{asked}&date=ge{since:%Y-%m-%dT%H:%M:%SZ}")

    assert len(found) == 360
    (plan,) = plans
    assert "aggregates_other_md5_begins_idx" in plan
    assert "Seq Scan" not in plan


@contextmanager
def explained(engine: Engine) -> Iterator[list[str]]:
    """The plans of the queries over aggregates that the API runs within the block."""
    plans: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM aggregates" in statement and not statement.startswith("EXPLAIN"):
            cursor.execute(f"EXPLAIN {statement}", parameters)
            plans.append("\n".join(row[0] for row in cursor.fetchall()))

    event.listen(engine, "before_cursor_execute", explain)
    yield plans
    event.remove(engine, "before_cursor_execute", explain)
