"""The Provenance that lies in what an EHR gets; what our API serves is tested with the API."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from neopain.codecs.fhir.assessment import built_assessment
from neopain.codecs.fhir.observation import observation_of
from neopain.codecs.fhir.provenance import with_provenance

from .test_golden import ENTRY, NURSE, OWN


def contained(resource: Any) -> dict[str, Any]:
    """By type."""
    return {one["resourceType"]: one for one in resource["contained"]}


def test_it_names_the_software_as_the_agent_of_the_observation_around_it() -> None:
    found = contained(with_provenance(observation_of(ENTRY, subject="Patient/1"), ENTRY))

    assert found["Provenance"]["target"] == [{"reference": "#"}]
    assert found["Provenance"]["agent"][0]["who"] == {"reference": f"#{found['Device']['id']}"}
    assert found["Provenance"]["reason"][0]["coding"][0]["code"] == "AIAST"
    assert found["Device"]["version"] == [{"value": ENTRY.draft.model}]


def test_it_has_no_label_and_no_version_as_nothing_contained_may() -> None:
    assert "meta" not in contained(with_provenance(observation_of(ENTRY, subject="Patient/1"), ENTRY))["Provenance"]


def test_a_nurse_is_the_author_of_hers_and_ours_the_source() -> None:
    hers = with_provenance(built_assessment(OWN, subject="Patient/1", derived_from="Observation/3"), OWN)

    told = contained(hers)["Provenance"]
    assert told["agent"][0]["type"]["coding"][0]["code"] == "author"
    assert told["agent"][0]["who"]["identifier"]["value"] == NURSE.id
    assert told["entity"] == [{"role": "source", "what": hers["derivedFrom"][0]}]
    assert "reason" not in told


def test_what_a_nurse_scored_in_a_study_has_no_source() -> None:
    own = replace(OWN, draft=replace(OWN.draft, in_study=True))

    assert "entity" not in contained(with_provenance(built_assessment(own, subject="Patient/1"), own))["Provenance"]
