"""Golden Observations of each FHIR channel: what is written is what lies in ``golden``, and R4B takes it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.observation import Observation

from neopain.codecs.fhir.assessment import built_assessment
from neopain.codecs.fhir.observation import observation_of
from neopain.codecs.fhir.oracle import OracleCode, OraclePlace, oracle_observation
from neopain.codecs.fhir.provenance import with_provenance
from neopain.domain.charting import ChartedEntry, DraftEntry
from neopain.domain.entry_status import EntryStatus, StatusChange
from neopain.domain.identity import BedId, PatientId
from neopain.domain.procedure import ProcedureCourse
from neopain.domain.review import AssessmentDraft, NipsItems, NurseAssessment
from neopain.domain.reviewer import Reviewer
from neopain.domain.score import Modality, Weights
from neopain.domain.span import EntryKind
from neopain.domain.vitals import Processing
from neopain.errors import RejectedByEhr

GOLDEN = Path(__file__).with_name("golden")
NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
NURSE = Reviewer("n-17", "https://id.hospital.example", "N. Nurse")
DRAFT = DraftEntry(
    bed=BedId("NICU/1/A@EAST"),
    kind=EntryKind.INTERVAL_SUMMARY,
    begin=NOON,
    end=NOON + timedelta(minutes=15),
    observed_from=NOON + timedelta(seconds=1),
    observed_to=NOON + timedelta(minutes=15),
    value=5.0,
    low=4.0,
    high=6.0,
    peak=7.0,
    windows=900,
    windows_scored=890,
    windows_missed=2,
    present={Modality.FACE: 450, Modality.PHYSIOLOGY: 900},
    absences={Modality.CRY: "no-microphone", Modality.MOVEMENT: "no-camera"},
    absent_reason="",
    model="neopain-1+ab12",
    weights=Weights.SITE,
    scale_map="nips-x10/7-v1",
    processing=Processing.PRODUCTION,
    policy="east-2026-12",
    sedation=-0.5,
    windows_unlike=3,
    threshold=5.0,
    above=timedelta(minutes=6),
    late_after=timedelta(minutes=5),
)
SILENT = replace(
    DRAFT,
    value=None,
    low=None,
    high=None,
    peak=None,
    above=None,
    windows_scored=0,
    present={},
    absences=dict.fromkeys(Modality, "no-device"),
    absent_reason="no-modality-present",
)
PATIENT = PatientId("4711", "HOSP")
ENTRY = ChartedEntry(DRAFT, PATIENT, "V1", NOON + timedelta(minutes=15, seconds=20), verified_by=NURSE)
WITHOUT = replace(ENTRY, draft=SILENT)
ACCEPTED = StatusChange(
    1, EntryStatus.PRELIMINARY, EntryStatus.FINAL, "N. Nurse", NOON + timedelta(minutes=18), cause="review"
)
WRONG = replace(
    ACCEPTED,
    number=2,
    before=EntryStatus.FINAL,
    status=EntryStatus.ENTERED_IN_ERROR,
    moment=NOON + timedelta(hours=1),
    reason="the bed was changed",
)
OWN = NurseAssessment(
    AssessmentDraft(
        about=ENTRY.id,
        bed=DRAFT.bed,
        kind=DRAFT.kind,
        observed_from=DRAFT.observed_from,
        observed_to=DRAFT.observed_to,
        items=NipsItems(facial_expression=1, cry=2, breathing=0, arms=0, legs=0, arousal=1),
        by=NURSE,
        processing=Processing.PRODUCTION,
    ),
    PATIENT,
    "V1",
    NOON + timedelta(minutes=18),
)
AROUND = replace(
    ENTRY,
    draft=replace(
        DRAFT,
        kind=EntryKind.PROCEDURE,
        procedure=ProcedureCourse(
            what="Heel lance",
            system="https://hospital.example/procedures",
            code="heel-lance",
            begin=NOON,
            end=NOON + timedelta(minutes=2),
            baseline=2.0,
            recovery=timedelta(seconds=95),
        ),
    ),
)
CODE = OracleCode("https://fhir.cerner.com/ec2458f2/codeSet/72", "4154126", "NIPS Score", "nips")
PLACE = OraclePlace("Patient/1", "Practitioner/4", "Encounter/2")
WRITTEN: dict[str, Any] = {
    "r4-preliminary": with_provenance(observation_of(ENTRY, subject="Patient/1", encounter="Encounter/2"), ENTRY),
    "r4-without-score": with_provenance(observation_of(WITHOUT, subject="Patient/1", encounter="Encounter/2"), WITHOUT),
    "r4-around-a-procedure": with_provenance(
        observation_of(AROUND, subject="Patient/1", encounter="Encounter/2"), AROUND
    ),
    "r4-final": with_provenance(
        observation_of(
            ENTRY, subject="Patient/1", encounter="Encounter/2", status=EntryStatus.FINAL, changes=[ACCEPTED]
        ),
        ENTRY,
    ),
    "r4-of-a-nurse": with_provenance(
        built_assessment(OWN, subject="Patient/1", encounter="Encounter/2", derived_from="Observation/3"), OWN
    ),
    "oracle-final": oracle_observation(ENTRY, CODE, PLACE),
    "oracle-of-a-nurse": oracle_observation(OWN, CODE, PLACE),
    "oracle-entered-in-error": oracle_observation(
        ENTRY, CODE, PLACE, status=EntryStatus.ENTERED_IN_ERROR, changes=[WRONG]
    ),
}
OF_ORACLE = {
    "resourceType",
    "status",
    "category",
    "code",
    "subject",
    "encounter",
    "effectiveDateTime",
    "issued",
    "performer",
    "valueQuantity",
    "note",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_is_the_golden_example(name: str) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_text())

    assert WRITTEN[name] == golden
    Observation.model_validate(golden)


def test_every_golden_example_is_written() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(WRITTEN)


@pytest.mark.parametrize("name", [name for name in WRITTEN if name.startswith("oracle")])
def test_oracle_gets_the_listed_fields_and_no_other(name: str) -> None:
    assert set(WRITTEN[name]) == OF_ORACLE


def test_a_site_may_chart_the_score_of_ten_at_oracle() -> None:
    code = replace(CODE, value="score")

    assert oracle_observation(ENTRY, code, PLACE)["valueQuantity"]["value"] == 5.0
    assert oracle_observation(OWN, code, PLACE)["valueQuantity"]["value"] == 5.7


def test_oracle_gets_nothing_that_has_no_number() -> None:
    with pytest.raises(RejectedByEhr, match="has no number"):
        oracle_observation(WITHOUT, CODE, PLACE)
