"""What the API tells, and each kind of Observation that is charted, passes the validator of Medplum's FHIR server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

GOLDEN = Path(__file__).parents[3] / "unit" / "codecs" / "fhir" / "golden"
Refusal = Callable[[dict[str, Any]], str]


@pytest.fixture
def refusal(ehr_url: str) -> Refusal:
    """Why the server does not take a resource; empty where it does. It validates what is created."""

    def asked(resource: dict[str, Any]) -> str:
        answer = httpx.post(f"{ehr_url}/{resource['resourceType']}", json=resource, trust_env=False)
        return "" if answer.status_code == 201 else answer.text

    return asked


def test_the_validator_refuses_what_r4_does_not_have(refusal: Refusal) -> None:
    assert "Missing required property" in refusal({"resourceType": "AuditEvent"})


@pytest.mark.parametrize("kind", ["Observation", "Provenance", "Patient", "Encounter", "AuditEvent"])
def test_what_a_search_finds(api: Any, ward: Any, refusal: Refusal, kind: str) -> None:
    ward.chart()
    api.found("Observation")
    bundle = api.bundle(kind)
    assert bundle["entry"]
    assert [refusal(one) for one in (bundle, *(entry["resource"] for entry in bundle["entry"]))] == [""] * (
        1 + len(bundle["entry"])
    )


def test_what_it_can_do_and_what_is_not_there(api: Any, refusal: Refusal) -> None:
    assert refusal(api.read("metadata")) == ""
    assert refusal(api.ask("Observation/none").json()) == ""


@pytest.mark.parametrize("file", sorted(path.name for path in GOLDEN.glob("*.json")))
def test_each_kind_of_observation(refusal: Refusal, file: str) -> None:
    assert refusal(json.loads((GOLDEN / file).read_text())) == ""
