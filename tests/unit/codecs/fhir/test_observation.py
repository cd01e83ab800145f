"""The Observation of an entry: what an EHR and a nurse are told, and what they must not be told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fhir.resources.R4B.observation import Observation

from neopain.codecs.fhir.observation import observation_of
from neopain.domain.charting import ChartedEntry, DraftEntry, entry_id
from neopain.domain.drugs import DrugMark
from neopain.domain.identity import BedId, PatientId
from neopain.domain.score import Modality, Weights
from neopain.domain.span import EntryKind
from neopain.domain.vitals import Processing
from neopain.errors import ContractBroken

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DRAFT = DraftEntry(
    bed=BedId("NICU/1/A"),
    kind=EntryKind.INTERVAL_SUMMARY,
    begin=NOON,
    end=NOON + timedelta(minutes=15),
    observed_from=NOON + timedelta(seconds=7),
    observed_to=NOON + timedelta(minutes=14),
    value=5.04,
    low=3.0,
    high=7.26,
    peak=8.0,
    windows=200,
    windows_scored=190,
    windows_missed=4,
    present={Modality.FACE: 50, Modality.PHYSIOLOGY: 200},
    absences={Modality.CRY: "no-microphone"},
    absent_reason="",
    model="neopain-0.1+ab12",
    weights=Weights.UNTRAINED,
    scale_map="nips-x10/7-v1",
    processing=Processing.PRODUCTION,
    policy="default",
)
SILENT = replace(
    DRAFT, value=None, low=None, high=None, peak=None, windows_scored=0, windows_missed=4, absent_reason="no-modality"
)


def observation(draft: DraftEntry = DRAFT, *, encounter: str | None = None) -> dict[str, Any]:
    entry = ChartedEntry(draft, PatientId("4711", "HOSP"), "V1", NOON + timedelta(minutes=16))
    return observation_of(entry, subject="Patient/p1", encounter=encounter)


def component(resource: dict[str, Any], code: str) -> dict[str, Any]:
    (found,) = [one for one in resource["component"] if one["code"]["coding"][0]["code"] == code]
    return found


def test_it_is_a_preliminary_survey_about_the_patient_it_was_told() -> None:
    resource = observation()

    assert resource["status"] == "preliminary"
    assert resource["category"][0]["coding"][0]["code"] == "survey"
    assert resource["subject"] == {"reference": "Patient/p1"}


def test_the_value_of_ten_is_under_our_own_code_only() -> None:
    resource = observation()

    assert [coding["system"] for coding in resource["code"]["coding"]] == ["https://neopain.org/fhir/CodeSystem/score"]
    assert resource["valueQuantity"] == {
        "value": 5.0,
        "unit": "score",
        "system": "http://unitsofmeasure.org",
        "code": "{score}",
    }


def test_the_loinc_total_carries_the_equivalent_of_seven() -> None:
    nips = component(observation(), "98012-8")

    assert nips["code"]["coding"][0]["system"] == "http://loinc.org"
    assert nips["valueQuantity"]["value"] == 3.5


@pytest.mark.parametrize(("code", "value"), [("interval-low", 3.0), ("interval-high", 7.3), ("peak", 8.0)])
def test_interval_and_peak_are_components(code: str, value: float) -> None:
    assert component(observation(), code)["valueQuantity"]["value"] == value


@pytest.mark.parametrize(("code", "count"), [("windows", 200), ("windows-scored", 190), ("windows-missed", 4)])
def test_the_windows_are_counted(code: str, count: int) -> None:
    assert component(observation(), code)["valueInteger"] == count


def test_a_modality_tells_its_share_of_the_windows() -> None:
    assert component(observation(), "modality-face")["valueQuantity"]["value"] == 25


def test_an_absent_modality_tells_why() -> None:
    absent = component(observation(), "modality-cry")

    assert "valueQuantity" not in absent
    assert absent["dataAbsentReason"]["text"] == "no-microphone"


def test_without_a_number_there_is_a_reason_and_never_a_zero() -> None:
    resource = observation(SILENT)

    assert resource["dataAbsentReason"]["coding"][0]["code"] == "temp-unknown"
    assert resource["dataAbsentReason"]["text"] == "no-modality"
    assert "valueQuantity" not in resource


@pytest.mark.parametrize("code", ["98012-8", "interval-low", "interval-high", "peak"])
def test_without_a_number_no_component_has_one_either(code: str) -> None:
    assert "valueQuantity" not in component(observation(SILENT), code)


def test_an_interval_that_was_missed_altogether_was_not_performed() -> None:
    resource = observation(replace(SILENT, windows_missed=200))

    assert resource["dataAbsentReason"]["coding"][0]["code"] == "not-performed"


def test_untrained_weights_are_told_in_the_note_and_in_a_component() -> None:
    resource = observation()

    assert "Investigational" in resource["note"][0]["text"]
    assert "untrained weights" in resource["note"][0]["text"]
    assert component(resource, "weights")["valueCodeableConcept"]["coding"][0]["code"] == "untrained"


def test_it_is_labelled_as_asserted_by_software() -> None:
    assert [label["code"] for label in observation()["meta"]["security"]] == ["AIAST"]


def test_training_input_is_labelled_as_test_data() -> None:
    resource = observation(replace(DRAFT, processing=Processing.TRAINING))

    assert [label["code"] for label in resource["meta"]["security"]] == ["AIAST", "HTEST"]


def test_the_software_is_the_device_and_nobody_the_performer() -> None:
    resource = observation()

    assert resource["device"] == {"reference": "#neopain"}
    assert resource["contained"][0]["deviceName"] == [{"name": "neopain", "type": "model-name"}]
    assert resource["contained"][0]["version"] == [{"value": "neopain-0.1+ab12"}]
    assert "performer" not in resource


def test_the_period_is_what_was_observed_and_not_the_interval() -> None:
    assert observation()["effectivePeriod"] == {
        "start": "2026-11-21T12:00:07+00:00",
        "end": "2026-11-21T12:14:00+00:00",
    }


def test_the_identifier_is_the_entrys_own() -> None:
    assert observation()["identifier"] == [
        {"system": "https://neopain.org/fhir/identifier/entry", "value": entry_id(DRAFT, PatientId("4711", "HOSP"))},
    ]


def test_the_encounter_is_there_when_there_is_one() -> None:
    assert observation(encounter="Encounter/e1")["encounter"] == {"reference": "Encounter/e1"}
    assert "encounter" not in observation()


def test_no_record_number_and_no_bed_leave_in_the_observation() -> None:
    text = str(observation())

    assert "4711" not in text
    assert "NICU" not in text


@pytest.mark.parametrize("kind", list(EntryKind))
@pytest.mark.parametrize("draft", [DRAFT, SILENT])
def test_every_kind_is_valid_r4(kind: EntryKind, draft: DraftEntry) -> None:
    Observation.model_validate(observation(replace(draft, kind=kind)))


def test_what_is_no_valid_observation_is_a_fault_of_ours() -> None:
    with pytest.raises(ContractBroken, match=r"deviceName|version"):
        observation(replace(DRAFT, model=""))


def mark(drug_class: str, ingredient: str, basis: str = "administered") -> DrugMark:
    return DrugMark(drug_class, ingredient, basis, NOON)


def test_drugs_in_effect_are_marked_by_class_and_the_note_warns() -> None:
    resource = observation(replace(DRAFT, drugs=(mark("analgesic", "fentanyl"), mark("sedative", "midazolam"))))

    assert component(resource, "drug-analgesic")["valueString"] == (
        "fentanyl, administered, since 2026-11-21T12:00:00+00:00"
    )
    assert component(resource, "drug-sedative")["valueString"].startswith("midazolam, administered")
    assert resource["note"][0]["text"].endswith("Analgesia or sedation was in effect, which can hide signs of pain.")


def test_a_neuromuscular_block_is_the_reason_for_no_score() -> None:
    draft = replace(SILENT, absent_reason="neuromuscular-block", drugs=(mark("neuromuscular-blocker", "vecuronium"),))
    resource = observation(draft)

    assert resource["dataAbsentReason"]["text"] == "neuromuscular-block"
    assert "A neuromuscular blocker was in effect: no window within it has a score." in resource["note"][0]["text"]


def test_a_block_that_is_only_ordered_is_told_as_an_order() -> None:
    resource = observation(replace(DRAFT, drugs=(mark("neuromuscular-blocker", "vecuronium", "ordered"),)))

    assert component(resource, "drug-neuromuscular-blocker")["valueString"].startswith("vecuronium, ordered")
    assert "whether it was given is not known here" in resource["note"][0]["text"]


def test_without_drugs_nothing_is_said_of_them() -> None:
    resource = observation()

    assert not any("drug" in one["code"]["coding"][0]["code"] for one in resource["component"])
    assert "sedation" not in resource["note"][0]["text"]


def of_policy(**changes: Any) -> DraftEntry:
    known: dict[str, Any] = {
        "sedation": -2.26,
        "windows_unlike": 94,
        "threshold": 4.3,
        "above": timedelta(seconds=75),
        "late_after": timedelta(minutes=5),
    }
    return replace(DRAFT, **(known | changes))


def test_time_above_the_threshold_is_told_with_the_threshold() -> None:
    resource = observation(of_policy())

    assert component(resource, "time-above-threshold")["valueQuantity"] == {
        "value": 75.0,
        "unit": "s",
        "system": "http://unitsofmeasure.org",
        "code": "s",
    }
    assert component(resource, "threshold")["valueQuantity"]["value"] == 4.3


def test_the_sedation_axis_and_the_policy_are_told() -> None:
    resource = observation(of_policy())

    assert component(resource, "sedation")["valueQuantity"]["value"] == -2.3
    assert component(resource, "charting-policy")["valueString"] == "default"


@pytest.mark.parametrize(("unlike", "is_flagged"), [(94, False), (95, True)])
def test_half_of_the_scored_windows_unlike_the_training_data_raise_the_flag(unlike: int, is_flagged: bool) -> None:
    resource = observation(of_policy(windows_unlike=unlike))

    assert component(resource, "windows-unlike")["valueInteger"] == unlike
    assert component(resource, "unlike-training-data")["valueBoolean"] is is_flagged


@pytest.mark.parametrize("code", ["time-above-threshold", "sedation", "unlike-training-data"])
def test_without_a_number_they_are_absent_with_the_reason(code: str) -> None:
    silent = replace(SILENT, threshold=5.0, windows_unlike=0, late_after=timedelta(minutes=5))
    absent = component(observation(silent), code)

    assert absent["dataAbsentReason"]["text"] == "no-modality"
    assert not {"valueQuantity", "valueBoolean"} & set(absent)


@pytest.mark.parametrize("code", ["sedation", "windows-unlike", "unlike-training-data", "time-above-threshold"])
def test_what_an_entry_of_before_does_not_know_it_does_not_tell(code: str) -> None:
    assert not any(one["code"]["coding"][0]["code"] == code for one in observation()["component"])


def test_a_number_that_is_withheld_is_absent_everywhere_and_says_why() -> None:
    draft = replace(SILENT, absent_reason="deep-sedation", windows_scored=200, windows_unlike=3, sedation=-7.0)
    resource = observation(draft)

    assert resource["dataAbsentReason"]["text"] == "deep-sedation"
    assert component(resource, "98012-8")["dataAbsentReason"]["text"] == "deep-sedation"
    assert component(resource, "sedation")["valueQuantity"]["value"] == -7.0
    assert "No score is told (deep-sedation): a deeply sedated infant shows little" in resource["note"][0]["text"]


def at_ehr(minutes: float) -> dict[str, Any]:
    sent = DRAFT.end + timedelta(minutes=minutes)
    entry = ChartedEntry(of_policy(), PatientId("4711", "HOSP"), "V1", NOON + timedelta(minutes=16), sent)
    return observation_of(entry, subject="Patient/p1")


def test_an_entry_that_reaches_the_ehr_late_keeps_its_times_and_is_marked() -> None:
    resource = at_ehr(125)

    assert resource["effectivePeriod"]["end"] == "2026-11-21T12:14:00+00:00"
    assert resource["issued"] == "2026-11-21T12:16:00+00:00"
    assert component(resource, "charted-late")["valueQuantity"]["value"] == 7500.0
    assert "Charted late: 125 min after its end" in resource["note"][0]["text"]


def test_an_entry_that_is_not_late_is_not_marked() -> None:
    assert "late" not in str(at_ehr(5))


def test_what_was_charted_for_another_infant_is_referred_to_by_its_identifier_alone() -> None:
    entry = ChartedEntry(DRAFT, PatientId("4711", "HOSP"), "V1", NOON, known_as="e2", corrects="e1")

    resource = observation_of(entry, subject="Patient/p1")

    assert resource["identifier"][0]["value"] == "e2"
    assert resource["extension"] == [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/observation-replaces",
            "valueReference": {
                "type": "Observation",
                "identifier": {"system": "https://neopain.org/fhir/identifier/entry", "value": "e1"},
            },
        }
    ]
    assert "charted for another infant before" in resource["note"][0]["text"]
