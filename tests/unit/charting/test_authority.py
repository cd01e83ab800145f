"""From the assigning authority of a census to the identifier system of an EHR."""

from __future__ import annotations

import pytest

from neopain.charting.ehr.fhir_r4 import system_of
from neopain.domain.identity import PatientId


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
def test_it_is_as_set_then_an_oid_then_our_own(authority: str, system: str) -> None:
    assert system_of(PatientId("1", authority), {"HOSP": "https://hospital.example/mrn"}) == system
