"""Questions about the census: everybody who is meant is told, and of a held bed nobody."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from neopain.domain.census import DEVICE_DISAGREES, BedState, Census, Infant
from neopain.domain.identity import BedId, PatientId, parts_of
from neopain.domain.query import Findings, Place, Query, find
from neopain.domain.vitals import Processing

NOON = datetime(2026, 7, 4, 12, 0, tzinfo=UTC)
P, T = Processing.PRODUCTION, Processing.TRAINING


def infant(number: str, authority: str = "HOSP", **more: object) -> Infant:
    return Infant((PatientId(number, authority),), **more)  # type: ignore[arg-type]


def census(*states: BedState) -> Census:
    return {state.bed: state for state in states}


def lying(bed: str, who: Infant | None, **more: object) -> BedState:
    return BedState(BedId(bed), NOON, who, **more)  # type: ignore[arg-type]


def told(findings: Findings) -> list[tuple[str, str]]:
    return [(one.bed, one.infant.identifiers[0].value) for one in findings.found]


WARD = census(
    lying("NICU/1/1@EAST", infant("77")),
    lying("NICU/1/2@EAST", infant("88", visit="V8")),
    lying("NICU/2/1@EAST", None),
    lying("NICU/1/1@WEST", infant("77", "OTHER")),
    lying("SCBU/1/1@EAST", infant("99"), held_reason=DEVICE_DISAGREES),
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query((PatientId("88", "HOSP"),)), [("NICU/1/2@EAST", "88")]),
        (Query((PatientId("88"),)), [("NICU/1/2@EAST", "88")]),
        (Query((PatientId("88", "OTHER"),)), []),
        (Query((PatientId("77"),)), [("NICU/1/1@EAST", "77"), ("NICU/1/1@WEST", "77")]),
        (
            Query((PatientId("77", "HOSP"), PatientId("88"))),
            [("NICU/1/1@EAST", "77"), ("NICU/1/2@EAST", "88")],
        ),
        (Query(place=Place("NICU", "1", "1", "EAST")), [("NICU/1/1@EAST", "77")]),
        (Query(place=Place("NICU", "1", "1")), [("NICU/1/1@EAST", "77"), ("NICU/1/1@WEST", "77")]),
        (Query(place=Place(bed="2")), [("NICU/1/2@EAST", "88")]),
        (Query(place=Place("NICU", "2", "1")), []),
        (Query(place=Place("NIC")), []),
        (Query((PatientId("77"),), Place(facility="WEST", unit="NICU")), [("NICU/1/1@WEST", "77")]),
        (Query(visit="V8"), [("NICU/1/2@EAST", "88")]),
        (Query((PatientId("77"),), domains=frozenset({"OTHER"})), [("NICU/1/1@WEST", "77")]),
    ],
)
def test_everybody_who_is_meant_is_told_by_bed(query: Query, expected: list[tuple[str, str]]) -> None:
    assert told(find(WARD, query, P)) == expected


@pytest.mark.parametrize("query", [Query((PatientId("99"),)), Query(place=Place("SCBU", "1", "1"))])
def test_of_a_held_bed_nobody_is_told_whatever_was_asked_by(query: Query) -> None:
    findings = find(WARD, query, P)
    assert (findings.found, [(one.bed, one.held_reason) for one in findings.held]) == (
        (),
        [("SCBU/1/1@EAST", DEVICE_DISAGREES)],
    )


def test_a_rival_of_a_held_bed_is_not_told_either() -> None:
    two = census(lying("NICU/1/1", infant("1"), rivals=(infant("2"),), held_reason="two infants in one bed"))
    findings = find(two, Query((PatientId("2"),)), P)
    assert (findings.found, len(findings.held)) == ((), 1)


def test_who_was_admitted_in_training_is_told_in_training_only() -> None:
    trained = census(lying("NICU/1/1", infant("77"), processing=T))
    assert told(find(trained, Query((PatientId("77"),)), P)) == []
    assert told(find(trained, Query((PatientId("77"),)), T)) == [("NICU/1/1", "77")]


def test_a_retired_number_finds_the_infant_under_its_numbers_of_now() -> None:
    merged = census(lying("NICU/1/1", infant("77", formerly=(PatientId("70", "HOSP"),))))
    assert told(find(merged, Query((PatientId("70", "HOSP"),)), P)) == [("NICU/1/1", "77")]


@pytest.mark.parametrize(
    ("bed", "parts"),
    [
        ("NICU/1/3@EAST", ("NICU", "1", "3", "EAST")),
        ("NICU/1/3", ("NICU", "1", "3", "")),
        ("/1/", ("", "1", "", "")),
        ("NICU", ("NICU", "", "", "")),
    ],
)
def test_the_parts_of_a_bed_are_those_it_was_made_of(bed: str, parts: tuple[str, ...]) -> None:
    assert parts_of(BedId(bed)) == parts
