"""A nurse documents a procedure over the API, and reads the entry around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from neopain.charting.procedures import chart_due_procedures
from neopain.codecs.fhir.ids import patient_id
from neopain.domain.procedure import ProcedureRule

from ....fhir_validity import require_valid
from ..conftest import NOON
from .conftest import outcome

Rows = Callable[[str], list[dict[str, Any]]]
Document = Callable[..., httpx.Response]


@pytest.fixture
def ward(ward: Any) -> Any:
    after = ProcedureRule(after=timedelta(minutes=1))
    ward.policy = replace(ward.policy, interval=timedelta(minutes=15), procedure=after)
    ward.take(*(ward.score(second, 2.0 if second <= 60 else 4.5) for second in range(5, 131, 5)))
    ward.clock.advance(90)
    return ward


@pytest.fixture
def document(api: Any, ward: Any) -> Document:
    def post(*, scope: str = "user/Procedure.c", **changes: Any) -> httpx.Response:
        body = {
            "resourceType": "Procedure",
            "status": "completed",
            "code": {"text": "Heel lance"},
            "subject": {"reference": f"Patient/{patient_id(ward.infant)}"},
            "performedPeriod": {"start": "2026-10-05T12:01:00Z", "end": "2026-10-05T12:01:10Z"},
            **changes,
        }
        token = api.token(scope=scope, sub="n-17", name="N. Nurse")
        headers = {"Content-Type": "application/fhir+json"}
        told = {name: value for name, value in body.items() if value is not None}
        answer: httpx.Response = api.ask("Procedure", method="POST", token=token, headers=headers, json=told)
        return answer

    return post


def test_it_is_kept_and_gets_an_entry(api: Any, ward: Any, document: Document, rows: Rows) -> None:
    answer = document()

    require_valid(answer.json())
    assert answer.status_code == 201
    assert document().status_code == 200
    ward.clock.advance(120)
    # Of a site whose minutes after a procedure are built in it would be due later.
    assert rows("SELECT due FROM procedures") == [{"due": NOON + timedelta(minutes=16, seconds=30)}]
    chart_due_procedures(ward.intake, now=NOON + timedelta(minutes=20))
    (entry,) = api.found("Observation?code=pain-score")
    components = {one["code"]["coding"][0]["code"]: one for one in entry["component"]}
    assert components["procedure"]["valueCodeableConcept"]["text"] == "Heel lance"
    assert components["baseline"]["valueQuantity"]["value"] == 2.0
    assert components["time-to-recovery"]["dataAbsentReason"]["text"] == "not-recovered"
    assert rows("SELECT actor FROM audit WHERE event = 'procedure_documented'") == [{"actor": "N. Nurse"}]


def test_what_is_no_procedure_is_refused_by_its_element(document: Document, rows: Rows) -> None:
    start, late = "2026-10-05T12:01:00Z", "2026-10-05T12:05:00Z"
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"status": "in-progress"}, "Procedure.status"),
        ({"code": None}, "Procedure.code"),
        ({"code": {"coding": [{"system": "x"}]}}, "Procedure.code"),
        ({"performedPeriod": {"start": start}}, "Procedure.performedPeriod.end"),
        ({"performedPeriod": None}, "Procedure.performedPeriod"),
        ({"performedPeriod": {"start": start, "end": late}}, "Procedure.performedPeriod"),
        ({"subject": {"display": "Baby"}}, "Procedure.subject"),
        ({"bodySite": []}, "Procedure.bodySite"),
    )
    for changes, element in wrong:
        answer = document(**changes)
        assert outcome(answer) == (422, "business-rule"), changes
        assert answer.json()["issue"][0]["expression"] == [element]
    assert rows("SELECT count(*) AS rows FROM procedures") == [{"rows": 0}]


def test_only_a_person_with_the_scope_documents_and_nobody_reads_procedures(api: Any, document: Document) -> None:
    assert outcome(document(scope="user/Observation.cruds")) == (403, "forbidden")
    assert outcome(document(scope="system/Procedure.c")) == (403, "forbidden")
    assert outcome(document(subject={"reference": "Patient/none"})) == (404, "not-found")
    answer = api.ask("Procedure")
    assert (outcome(answer), answer.headers.get("Allow")) == ((404, "not-found"), None)
