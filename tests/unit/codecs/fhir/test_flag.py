"""The Flag of an alert: valid R4, honest about what it is, and whole about what persons did."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fhir.resources.R4B.flag import Flag

from neopain.codecs.fhir.flag import Told, flag_of
from neopain.domain.alert import Alert, AlertEvent, AlertEventKind, AlertLevel, Reading
from neopain.domain.identity import BedId, PatientId
from neopain.domain.score import Weights
from neopain.domain.vitals import Processing
from neopain.errors import ContractBroken

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SYSTEM = "urn:oid:1.2.3"
NOTICE = "notice of investigational software, not a medical alarm"
MILD, MODERATE, SEVERE = AlertLevel
OWN = "https://neopain.org/fhir/StructureDefinition/"


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


def event(kind: AlertEventKind, minute: float, level: AlertLevel = MODERATE, **more: Any) -> AlertEvent:
    return AlertEvent(kind, at(minute), level, Reading(5.26, at(minute)), **more)


OPENED = event(AlertEventKind.OPENED, 0)
RAISED = event(AlertEventKind.RAISED, 1, SEVERE)
ESCALATED = event(AlertEventKind.ESCALATED, 6, SEVERE, escalation=1)
SUSTAINED = event(AlertEventKind.SUSTAINED, 10, SEVERE)
ACKNOWLEDGED = event(AlertEventKind.ACKNOWLEDGED, 7, SEVERE, by="nurse <12>", note="repositioned")
SNOOZED = event(AlertEventKind.SNOOZED, 7, SEVERE, by="nurse 12", until=at(17))
ENDED = event(AlertEventKind.ENDED, 20, SEVERE, reason="below")


def alert(*later: AlertEvent) -> Alert:
    return Alert(
        id="0123456789abcdef0123456789abcdef",
        bed=BedId("NICU/1/A"),
        patient=PatientId("4711", "1.2.3"),
        visit="V1",
        opened=NOON,
        policy="east-2026-12",
        model="neopain-0.1+ab12",
        weights=Weights.SIMULATOR,
        events=(OPENED, *later),
        newest=Reading(6.04, at(11)),
    )


def flag(*later: AlertEvent, since: datetime | None = None, **changes: Any) -> dict[str, Any]:
    return flag_of(replace(alert(*later), **changes), Told(SYSTEM, since))


def extension(resource: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in resource["extension"] if one["url"] == OWN + name]
    return found


def parts(extended: dict[str, Any]) -> dict[str, Any]:
    return {part["url"]: next(value for key, value in part.items() if key != "url") for part in extended["extension"]}


@pytest.mark.parametrize(
    "later", [(), (RAISED, ESCALATED, ACKNOWLEDGED, SUSTAINED, ENDED), (RAISED, SNOOZED), (RAISED, ENDED)]
)
def test_it_is_a_valid_flag(later: tuple[AlertEvent, ...]) -> None:
    Flag.model_validate(flag(*later, since=at(11)))


def test_it_is_active_while_the_alert_goes_on() -> None:
    resource = flag(RAISED)

    assert resource["status"] == "active"
    assert resource["period"] == {"start": "2026-11-21T12:00:00+00:00"}


def test_it_is_inactive_when_the_alert_has_ended_and_says_why() -> None:
    resource = flag(ENDED)

    assert resource["status"] == "inactive"
    assert resource["period"]["end"] == "2026-11-21T12:20:00+00:00"
    coded = extension(resource, "alert-end-reason")["valueCodeableConcept"]
    assert (coded["coding"][0]["code"], coded["text"]) == ("below", "the score fell below the mild level")


def test_its_code_is_the_level_in_our_own_system() -> None:
    (coding,) = flag(RAISED)["code"]["coding"]

    assert (coding["system"], coding["code"]) == ("https://neopain.org/fhir/CodeSystem/alert-level", "severe")


def test_it_says_that_it_is_no_alarm_in_text_code_and_priority() -> None:
    resource = flag()

    assert NOTICE in resource["code"]["text"]
    assert "Notice of investigational software, not a medical alarm" in resource["text"]["div"]
    (priority,) = [one for one in resource["extension"] if one["url"].endswith("/flag-priority")]
    assert priority["valueCodeableConcept"]["coding"][0] == {
        "system": "http://hl7.org/fhir/flag-priority-code",
        "code": "PN",
        "display": "No alarm",
    }


def test_the_infant_is_named_by_its_identifier_and_the_software_is_the_author() -> None:
    resource = flag()

    assert resource["subject"] == {"type": "Patient", "identifier": {"system": SYSTEM, "value": "4711"}}
    assert resource["encounter"]["identifier"]["value"] == "V1"
    assert resource["author"] == {"reference": "#neopain"}
    assert resource["contained"][0]["version"] == [{"value": "neopain-0.1+ab12"}]
    assert resource["identifier"] == [
        {"system": "https://neopain.org/fhir/identifier/alert", "value": "0123456789abcdef0123456789abcdef"}
    ]


def test_without_a_visit_there_is_no_encounter() -> None:
    assert "encounter" not in flag(visit="")


def test_the_newest_number_has_its_time() -> None:
    told = parts(extension(flag(), "alert-newest-score"))

    assert (told["value"]["value"], told["time"]) == (6.0, "2026-11-21T12:11:00+00:00")


def test_it_says_since_when_there_is_no_number() -> None:
    resource = flag(since=at(11))

    assert extension(resource, "alert-no-number-since")["valueDateTime"] == "2026-11-21T12:11:00+00:00"
    assert "No number since 2026-11-21T12:11:00+00:00." in resource["text"]["div"]
    assert not [one for one in flag()["extension"] if one["url"].endswith("no-number-since")]


def test_an_acknowledgement_tells_who_when_and_what_was_seen() -> None:
    told = parts(extension(flag(RAISED, ACKNOWLEDGED), "alert-acknowledged"))

    assert (told["by"], told["time"], told["note"]) == ("nurse <12>", "2026-11-21T12:07:00+00:00", "repositioned")
    assert told["level"]["coding"][0]["code"] == "severe"
    assert (told["score"]["value"], told["score-time"]) == (5.3, "2026-11-21T12:07:00+00:00")


def test_what_a_person_wrote_cannot_become_markup() -> None:
    assert "nurse &lt;12&gt;" in flag(RAISED, ACKNOWLEDGED)["text"]["div"]


def test_a_snooze_tells_until_when() -> None:
    resource = flag(RAISED, SNOOZED)

    assert parts(extension(resource, "alert-snoozed"))["until"] == "2026-11-21T12:17:00+00:00"
    assert extension(resource, "alert-snoozed-until")["valueDateTime"] == "2026-11-21T12:17:00+00:00"


@pytest.mark.parametrize(
    ("later", "sustained", "escalations", "wants_answer"),
    [
        ((), False, 0, True),
        ((RAISED, ESCALATED), False, 1, True),
        ((RAISED, ESCALATED, ACKNOWLEDGED, SUSTAINED), True, 1, False),
        ((RAISED, ENDED), False, 0, False),
    ],
)
def test_it_tells_what_the_alert_stands_at(
    later: tuple[AlertEvent, ...], sustained: bool, escalations: int, wants_answer: bool
) -> None:
    resource = flag(*later)

    assert extension(resource, "alert-sustained")["valueBoolean"] is sustained
    assert extension(resource, "alert-escalations")["valueInteger"] == escalations
    assert extension(resource, "alert-wants-answer")["valueBoolean"] is wants_answer


@pytest.mark.parametrize(("processing", "codes"), [("P", ["AIAST"]), ("T", ["AIAST", "HTEST"])])
def test_it_is_labelled_as_asserted_by_software_and_test_data_as_such(processing: str, codes: list[str]) -> None:
    labels = flag(processing=Processing(processing))["meta"]["security"]

    assert [label["code"] for label in labels] == codes


def test_what_is_no_valid_flag_is_not_told() -> None:
    with pytest.raises(ContractBroken, match=r"not valid R4: .*id"):
        flag(id="not an id")
