"""A nurse's review over the API: accept, reject, change; what she saw; refused exactly, repeated harmlessly."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from neopain.charting.agreement import read_reviewed
from neopain.charting.audit.verify import verify_audit
from neopain.cli import run

from ....fhir_validity import require_valid
from .conftest import outcome

Rows = Callable[[str], list[dict[str, Any]]]
Sweep = Callable[[str], int]

SCORES = "https://neopain.org/fhir/CodeSystem/score"
ITEMS = {"facial-expression": 1, "cry": 2, "breathing": 0, "arms": 1, "legs": 0, "arousal": 1}
SCOPE = "user/Observation.cruds"


@dataclass(slots=True)
class Nurse:
    """A nurse at a client of the API, who looks at the ward's one entry."""

    api: Any
    ward: Any
    scope: str = SCOPE
    subject: str = "n-17"

    @property
    def token(self) -> str:
        return str(self.api.token(scope=self.scope, sub=self.subject, name="N. Nurse"))

    def sees(self) -> dict[str, Any]:
        (observation,) = self.api.found("Observation?code=pain-score")
        return dict(observation)

    def writes(self, seen: dict[str, Any], *, version: str = "", **changes: Any) -> httpx.Response:
        """Puts what she saw, changed; ``note`` is the text of one that is added."""
        body = {**deepcopy(seen), **changes}
        if "note" in changes:
            body["note"] = [*seen["note"], {"text": changes["note"]}]
        headers = {
            "If-Match": f'W/"{version or seen["meta"]["versionId"]}"',
            "Content-Type": "application/fhir+json",
            "X-Request-Id": "request-7",
        }
        path = f"Observation/{seen['id']}"
        answer: httpx.Response = self.api.ask(path, method="PUT", token=self.token, headers=headers, json=body)
        return answer

    def scores(self, seen: dict[str, Any], items: dict[str, int] | None = None, **changes: Any) -> httpx.Response:
        """Posts a score of her own in place of what she saw."""
        items = items or ITEMS
        body = {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "98012-8"}]},
            "subject": seen["subject"],
            "derivedFrom": [{"reference": f"Observation/{seen['id']}/_history/{seen['meta']['versionId']}"}],
            "valueQuantity": {"value": sum(items.values())},
            "component": [
                {"code": {"coding": [{"system": SCORES, "code": f"nips-{name}"}]}, "valueInteger": value}
                for name, value in items.items()
            ],
            **changes,
        }
        told = {name: value for name, value in body.items() if value is not None}
        headers = {"Content-Type": "application/fhir+json", "X-Request-Id": "request-8"}
        answer: httpx.Response = self.api.ask(
            "Observation", method="POST", token=self.token, headers=headers, json=told
        )
        return answer


@pytest.fixture
def nurse(api: Any, ward: Any) -> Nurse:
    """Of a ward with one charted entry of 2.0."""
    ward.chart()
    return Nurse(api, ward)


def element(answer: httpx.Response) -> str:
    """The element that a refusal names."""
    body = answer.json()
    require_valid(body)
    return str(body["issue"][0]["expression"][0])


def test_she_accepts_an_entry_and_it_is_final(nurse: Nurse, rows: Rows, database: str) -> None:
    seen = nurse.sees()
    nurse.ward.clock.advance(60)

    answer = nurse.writes(seen, status="final")

    assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"2"')
    assert answer.headers["X-Request-Id"] == "request-7"
    require_valid(answer.json())
    assert answer.json() == nurse.sees()
    assert (answer.json()["status"], answer.json()["note"][-1]["authorString"]) == ("final", "N. Nurse")
    query = "SELECT act, reviewer, issuer, display, seen_version, suggested, nips, assessment_id FROM reviews"
    assert rows(query) == [
        {
            "act": "accept",
            "reviewer": "n-17",
            "issuer": "https://id.hospital.example",
            "display": "N. Nurse",
            "seen_version": 1,
            "suggested": 2.0,
            "nips": None,
            "assessment_id": None,
        }
    ]
    (audit,) = rows("SELECT actor, patient, detail FROM audit WHERE event = 'entry_reviewed'")
    assert (audit["actor"], audit["patient"]) == ("n-17", f"HOSP|{nurse.ward.infant.value}")
    assert json.loads(audit["detail"])["request_id"] == "request-7"
    assert verify_audit(database).is_whole


def test_she_rejects_an_entry_with_the_reason(nurse: Nurse, rows: Rows) -> None:
    answer = nurse.writes(nurse.sees(), status="entered-in-error", note="the bed was  changed")

    assert (answer.status_code, answer.json()["status"]) == (200, "entered-in-error")
    assert rows("SELECT act, reason FROM reviews") == [{"act": "reject", "reason": "the bed was changed"}]


def test_what_she_accepted_can_still_be_entered_in_error(nurse: Nurse) -> None:
    nurse.writes(nurse.sees(), status="final")

    answer = nurse.writes(nurse.sees(), status="entered-in-error", note="it was the neighbour")

    assert (answer.status_code, answer.json()["meta"]["versionId"]) == (200, "3")


def test_her_own_score_takes_the_place_of_ours(nurse: Nurse, rows: Rows) -> None:
    seen = nurse.sees()

    answer = nurse.scores(seen)

    own = answer.json()
    require_valid(own)
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{nurse.api.url}/Observation/{own['id']}/_history/1"
    assert own == nurse.api.read(f"Observation/{own['id']}")
    assert (own["status"], own["valueQuantity"]["value"]) == ("final", 5)
    assert own["code"]["coding"][0]["code"] == "98012-8"
    assert own["performer"][0] == {
        "type": "Practitioner",
        "identifier": {"system": "https://id.hospital.example", "value": "n-17"},
        "display": "N. Nurse",
    }
    assert own["derivedFrom"][0]["reference"] == f"Observation/{seen['id']}"
    assert own["effectivePeriod"] == seen["effectivePeriod"]
    assert {one["code"]["coding"][0]["code"]: one["valueInteger"] for one in own["component"]} == {
        f"nips-{name}": value for name, value in ITEMS.items()
    }
    assert nurse.sees()["status"] == "cancelled"
    assert rows("SELECT act, nips, assessment_id FROM reviews") == [
        {"act": "change", "nips": 5, "assessment_id": own["id"]}
    ]
    assert [one["id"] for one in nurse.api.found("Observation?code=http://loinc.org|98012-8")] == [own["id"]]
    (provenance,) = nurse.api.found(f"Provenance?target=Observation/{own['id']}")
    assert provenance["agent"][0]["who"]["display"] == "N. Nurse"


def test_the_ehr_gets_her_score_and_ours_cancelled(nurse: Nurse, ehr: Any, sweep: Sweep, rows: Rows) -> None:
    patient = ehr.admit(nurse.ward.infant)
    sweep(ehr.url)
    nurse.scores(nurse.sees())

    assert sweep(ehr.url) == 2

    ours, hers = sorted(ehr.observations(patient), key=lambda one: str(one["status"]))
    assert (ours["status"], hers["status"], hers["valueQuantity"]["value"]) == ("cancelled", "final", 5)
    assert hers["derivedFrom"][0]["reference"] == f"Observation/{ours['id']}"
    assert {row["state"] for row in rows("SELECT state FROM outbox")} == {"confirmed"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"status": "amended"}, "Observation.status"),
        ({"status": "cancelled"}, "Observation.status"),
        ({"status": "preliminary"}, "Observation.status"),
        ({"status": "entered-in-error"}, "Observation.note"),
        ({"status": "final", "note": " "}, "Observation.note"),
        ({"status": "final", "valueQuantity": {"value": 0}}, "Observation.valueQuantity"),
        ({"status": "final", "subject": {"reference": "Patient/other"}}, "Observation.subject"),
        ({"status": "final", "interpretation": []}, "Observation.interpretation"),
    ],
)
def test_an_update_that_is_no_review_is_refused_by_its_element(
    nurse: Nurse, change: dict[str, Any], named: str, rows: Rows
) -> None:
    answer = nurse.writes(nurse.sees(), **change)

    assert (answer.status_code, element(answer)) == (422, named)
    assert rows("SELECT 1 FROM reviews") == []
    assert nurse.sees()["status"] == "preliminary"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"items": {**ITEMS, "cry": 3}}, "Observation.component[1].valueInteger"),
        ({"items": {**ITEMS, "arms": -1}}, "Observation.component[3].valueInteger"),
        ({"items": {"cry": 2}}, "Observation.component"),
        ({"items": {**ITEMS, "mood": 1}}, "Observation.component[6].code"),
        ({"valueQuantity": {"value": 4}}, "Observation.valueQuantity"),
        ({"valueQuantity": {"value": 8}}, "Observation.valueQuantity"),
        ({"valueQuantity": None}, "Observation.valueQuantity"),
        ({"status": "preliminary"}, "Observation.status"),
        ({"code": {"coding": [{"system": SCORES, "code": "pain-score"}]}}, "Observation.code"),
        ({"derivedFrom": None}, "Observation.derivedFrom"),
        ({"subject": {"reference": "Patient/other"}}, "Observation.subject"),
        ({"performer": [{"display": "Somebody"}]}, "Observation.performer"),
        ({"bodySite": {"text": "heel"}}, "Observation.bodySite"),
    ],
)
def test_a_score_that_is_none_is_refused_by_its_element(
    nurse: Nurse, change: dict[str, Any], named: str, rows: Rows
) -> None:
    answer = nurse.scores(nurse.sees(), **change)

    assert (answer.status_code, element(answer)) == (422, named)
    assert rows("SELECT 1 FROM reviews") == []
    assert nurse.sees()["status"] == "preliminary"


def test_what_she_did_not_see_is_not_judged(nurse: Nurse) -> None:
    seen = nurse.sees()
    nurse.writes(seen, status="final")
    colleague = Nurse(nurse.api, nurse.ward, subject="n-18")

    assert outcome(colleague.writes(seen, status="final")) == (412, "conflict")
    assert outcome(colleague.scores(seen)) == (412, "conflict")
    assert outcome(nurse.api.ask(f"Observation/{seen['id']}", method="PUT", token=nurse.token, json=seen)) == (
        428,
        "required",
    )


def test_what_is_repeated_is_done_once(nurse: Nurse, rows: Rows) -> None:
    seen = nurse.sees()
    first = nurse.writes(seen, status="entered-in-error", note="a wet nappy")

    again = nurse.writes(seen, status="entered-in-error", note="a wet nappy")
    other = nurse.writes(seen, status="entered-in-error", note="something else")

    assert (again.status_code, again.json()) == (200, first.json())
    assert other.status_code == 412
    assert len(rows("SELECT 1 FROM reviews")) == 1


def test_a_score_that_is_repeated_is_charted_once(nurse: Nurse, rows: Rows) -> None:
    seen = nurse.sees()
    first, again = nurse.scores(seen), nurse.scores(seen)
    other = nurse.scores(seen, items={**ITEMS, "cry": 0})

    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 412)
    assert again.json() == first.json()
    assert len(rows("SELECT 1 FROM entries WHERE kind = 'nurse-interval-summary'")) == 1


def test_her_own_score_is_retracted_and_not_replaced(nurse: Nurse) -> None:
    own = nurse.scores(nurse.sees()).json()

    assert element(nurse.scores(own)) == "Observation.derivedFrom"
    answer = nurse.writes(own, status="entered-in-error", note="the wrong infant")

    assert (answer.status_code, answer.json()["status"]) == (200, "entered-in-error")


@pytest.mark.parametrize(
    "scope", ["system/Observation.cruds", "user/Observation.rs", "user/Observation.read", "patient/Observation.cruds"]
)
def test_only_a_person_who_may_write_writes(nurse: Nurse, scope: str) -> None:
    seen = nurse.sees()
    nurse.scope = scope

    assert outcome(nurse.writes(seen, status="final")) == (403, "forbidden")
    assert outcome(nurse.scores(seen)) == (403, "forbidden")
    assert nurse.sees()["status"] == "preliminary"


def test_the_scope_of_v1_is_enough(nurse: Nurse) -> None:
    nurse.scope = "user/Observation.write"

    assert nurse.writes(nurse.sees(), status="final").status_code == 200


def test_what_she_may_not_know_of_is_not_there(nurse: Nurse, api_with: Callable[..., Any]) -> None:
    seen = nurse.sees()
    elsewhere = Nurse(api_with(api_units=["PICU"]), nurse.ward)

    assert outcome(elsewhere.writes(seen, status="final")) == (404, "not-found")
    assert outcome(elsewhere.scores(seen)) == (404, "not-found")


def test_other_types_are_not_written(nurse: Nurse) -> None:
    answer = nurse.api.ask("Patient/1", method="PUT", token=nurse.token, json={"resourceType": "Patient"})

    assert (outcome(answer), answer.headers["Allow"]) == ((405, "not-supported"), "GET, HEAD")


def test_a_body_that_is_no_observation_is_refused(nurse: Nurse) -> None:
    path = f"Observation/{nurse.sees()['id']}"
    headers = {"Content-Type": "application/fhir+json", "If-Match": 'W/"1"'}

    def put(content: bytes) -> tuple[int, str]:
        return outcome(nurse.api.ask(path, method="PUT", token=nurse.token, headers=headers, content=content))

    assert put(b"{") == (400, "structure")
    assert put(b'{"resourceType": "Patient"}') == (422, "business-rule")
    assert put(b'"' + b"x" * 70_000 + b'"') == (413, "too-long")
    assert nurse.api.ask(path, method="PUT", token=nurse.token, content=b"{}").status_code == 415


@pytest.mark.parametrize("statement", ["UPDATE reviews SET act = 'accept'", "DELETE FROM reviews", "TRUNCATE reviews"])
def test_reviews_are_only_added_to(nurse: Nurse, owner_engine: Engine, statement: str) -> None:
    nurse.writes(nurse.sees(), status="final")

    with pytest.raises(IntegrityError, match="append-only"), owner_engine.begin() as connection:
        connection.execute(text(statement))


def test_the_report_tells_of_reviews_and_of_nobody(
    nurse: Nurse, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nurse.scores(nurse.sees())
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", database)

    assert run(["agreement", "report", "--month", "2026-10", "--unit", "NICU", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert run(["agreement", "report"]) == 0
    text_form = capsys.readouterr().out
    assert run(["agreement", "report", "--month", "October"]) == 2

    of_unit, of_all = told["agreement"]
    assert (of_unit["unit"], of_unit["month"], of_unit["changed"], of_unit["pairs"]) == ("NICU", "2026-10", 1, 1)
    # 2.0 of 10 is NIPS 1.4, told as 1; the nurse has 5.
    assert (of_all["difference_changed"], of_all["mean_absolute_difference"]) == (4.0, 4.0)
    assert of_all["icc"] == {"value": None, "low": None, "high": None}
    assert "not the agreement of independent raters" in told["notice"]
    assert nurse.ward.infant.value not in json.dumps(told) + text_form


def test_a_score_of_hers_that_was_entered_in_error_is_no_pair(nurse: Nurse, database: str) -> None:
    own = nurse.scores(nurse.sees()).json()
    nurse.writes(own, status="entered-in-error", note="the wrong infant")

    (found,) = read_reviewed(database)

    assert (found.act.value, found.suggested, found.nips) == ("change", 2.0, None)
