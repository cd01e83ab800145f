"""Validators that nobody here wrote take every resource that is made.

Whatever the API answers in any test, what lies in the EHR, and what is written to files is shown to all three
(``tests/fhir_validity.py``). Here: that they look, and that nothing is made that they never see.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from neopain.simulator.ehr_seed import seed_resources

from ...fhir_validity import Judge, require_valid

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "unit" / "codecs" / "fhir" / "golden"
SHOWN = {
    "AuditEvent": "api/test_events.py, test_audit_export.py",
    "Bundle": "every search",
    "CapabilityStatement": "api/test_protocol.py",
    "Device": "api/test_census.py, and in the Observations",
    "Encounter": "api/test_census.py, and below",
    "Flag": "api/test_flags.py",
    "Observation": "api/test_observations.py, api/test_aggregates.py, test_delivery.py, and below",
    "OperationOutcome": "every refusal",
    "Parameters": "api/test_subscriptions.py",
    "Patient": "api/test_census.py, and below",
    "Procedure": "api/test_procedures.py",
    "Provenance": "api/test_reviews.py",
    "Subscription": "api/test_subscriptions.py",
}
"""Each type that is made, and the tests whose answers show it to the validators."""


def broken(how: str) -> dict[str, Any]:
    resource: dict[str, Any] = json.loads((GOLDEN / "r4-final.json").read_text())
    match how:
        case "without its status":
            del resource["status"]
        case "with a status that there is not":
            resource["status"] = "finished"
        case "with a component without a code":
            del resource["component"][0]["code"]
        case "with a text for a number":
            resource["valueQuantity"]["value"] = "five"
        case "with an element that there is not":
            resource["component"][0]["colour"] = "red"
    return resource


@pytest.mark.parametrize(
    ("how", "who"),
    [
        ("without its status", {"Medplum", "npm fhir"}),
        ("with a status that there is not", {"npm fhir"}),  # Medplum looks at no value sets
        ("with a component without a code", {"Medplum", "npm fhir"}),
        ("with a text for a number", {"Medplum", "npm fhir"}),
        ("with an element that there is not", {"Medplum", "npm fhir"}),
    ],
)
def test_what_is_broken_is_refused(judge: Judge, how: str, who: set[str]) -> None:
    assert judge.problems(broken("not at all")) == []
    assert {one.partition(":")[0] for one in judge.problems(broken(how))} == who


def test_one_broken_entry_among_good_ones_is_found(judge: Judge) -> None:
    good, bad = broken("not at all"), broken("with an element that there is not")
    del bad["component"][0]["colour"]
    bad["component"][-1]["valueCodeableConcept"] = {"coding": [{"code": ""}]}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in (good, good, bad)]}

    require_valid({**bundle, "entry": bundle["entry"][:2]})
    with pytest.raises((AssertionError, ValidationError)):
        require_valid(bundle)
    assert judge.unlike({**bundle, "entry": bundle["entry"][:1] * 5}) is None


@pytest.mark.parametrize(
    "no_time", ["2026-13-05T12:00:00+00:00", "2026-10-05T12:00:00+00:00Z", "2026-10-05T12:00+00:00"]
)
def test_a_time_that_is_none_is_found_each_time_though_its_digits_alone_differ(no_time: str) -> None:
    good = {**broken("not at all"), "issued": "2026-10-05T12:00:00+00:00"}
    require_valid(good)
    for _ in range(2):
        with pytest.raises((AssertionError, ValidationError)):
            require_valid({**good, "issued": no_time})


def test_nothing_is_made_that_they_never_see() -> None:
    sources = (ROOT / "services" / "neopain").rglob("*.py")
    made = {name for path in sources for name in re.findall(r'"resourceType": "(\w+)"', path.read_text())}

    assert made == set(SHOWN)


@pytest.mark.parametrize("file", sorted(path.name for path in GOLDEN.glob("*.json")))
def test_each_golden_observation_is_taken(file: str) -> None:
    require_valid(json.loads((GOLDEN / file).read_text()))


def test_the_infants_of_the_demo_are_taken() -> None:
    for one in seed_resources(beds=2, seed=1, now=datetime(2026, 11, 27, tzinfo=UTC)):
        require_valid(one)
