"""From the assigning authority of a census to an identifier system, and back."""

from __future__ import annotations

import pytest

from neopain.codecs.fhir.authority import authorities_of, system_of

SYSTEMS = {"HOSP": "https://hospital.example/mrn"}


@pytest.mark.parametrize(
    ("authority", "system"),
    [
        ("HOSP", "https://hospital.example/mrn"),
        ("1.2.276.0.76.3.1", "urn:oid:1.2.276.0.76.3.1"),
        ("OTHER", "urn:neopain:authority:OTHER"),
        ("1.2.", "urn:neopain:authority:1.2."),
        ("", "urn:neopain:authority:"),
    ],
)
def test_it_is_as_set_then_an_oid_then_our_own_and_turns_back(authority: str, system: str) -> None:
    assert system_of(authority, SYSTEMS) == system
    assert authorities_of(system, SYSTEMS) == {authority}


@pytest.mark.parametrize("system", ["urn:neopain:authority:HOSP", "urn:neopain:authority:1.2.3", "urn:oid:x", "", "x"])
def test_a_system_that_no_authority_is_told_by_is_nobodys(system: str) -> None:
    assert authorities_of(system, SYSTEMS) == frozenset()


def test_two_authorities_with_one_system_are_both_meant() -> None:
    assert authorities_of("urn:mrn", {"EAST": "urn:mrn", "WEST": "urn:mrn"}) == {"EAST", "WEST"}
