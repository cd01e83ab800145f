"""What becomes of an entry after it was charted: kept, audited, and told to the EHR after what is older."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from neopain.charting.audit.verify import verify_audit
from neopain.charting.desk import Decision, Verdict, decide
from neopain.charting.reading import EntryCounts, count_entries
from neopain.charting.statuses import change_status
from neopain.charting.unit_of_work import unit_of_work
from neopain.domain.entry_status import EntryStatus
from neopain.errors import ContractBroken, ImpossibleTransition

Rows = Callable[[str], list[dict[str, Any]]]
Sweep = Callable[[str], int]

FINAL, AMENDED = EntryStatus.FINAL, EntryStatus.AMENDED
WRONG, CANCELLED = EntryStatus.ENTERED_IN_ERROR, EntryStatus.CANCELLED
DOWN = "http://127.0.0.1:1/fhir"


@dataclass(slots=True)
class Charted:
    """One entry of an infant, and what becomes of it here and at the EHR."""

    engine: Engine
    ward: Any
    ehr: Any
    rows: Rows
    run_sweep: Sweep
    patient: str = ""

    def admit(self) -> None:
        self.patient = self.ehr.admit(self.ward.infant)

    @property
    def entry(self) -> str:
        """The id of the first entry."""
        return str(self.rows("SELECT entry_id FROM outbox ORDER BY place LIMIT 1")[0]["entry_id"])

    def become(self, status: EntryStatus, *, reason: str = "", cause: str = "review") -> None:
        now = self.ward.clock.now()
        with unit_of_work(self.engine, self.ward.clock) as unit:
            change_status(unit, self.entry, status, actor="N. Nurse", cause=cause, reason=reason, now=now)

    def sweep(self, url: str = "") -> int:
        return self.run_sweep(url or self.ehr.url)

    @property
    def outbox(self) -> list[tuple[int, str]]:
        """Which change each row tells, and its state; in the order of delivery."""
        return [(row["change"], row["state"]) for row in self.rows("SELECT change, state FROM outbox ORDER BY place")]

    @property
    def status_at_ehr(self) -> str:
        (observation,) = self.ehr.observations(self.patient)
        return str(observation["status"])

    @property
    def events(self) -> list[str]:
        return [row["event"] for row in self.rows("SELECT event FROM audit ORDER BY position")]


@pytest.fixture
def charted(engine: Engine, ward: Any, ehr: Any, rows: Rows, sweep: Sweep) -> Charted:
    """An entry that the EHR, which knows the infant, has not got yet."""
    charted = Charted(engine, ward, ehr, rows, sweep)
    charted.admit()
    ward.chart()
    return charted


@pytest.fixture
def confirmed(charted: Charted) -> Charted:
    """An entry that the EHR has."""
    charted.sweep()
    assert charted.outbox == [(0, "confirmed")]
    return charted


def test_a_status_is_kept_with_who_when_and_why_and_is_a_new_version(confirmed: Charted, database: str) -> None:
    confirmed.ward.clock.advance(60)

    confirmed.become(WRONG, reason="the mother touched her")

    (kept,) = confirmed.rows("SELECT number, status, made_by, moment, cause, reason FROM entry_statuses")
    assert kept | {"moment": kept["moment"].isoformat()} == {
        "number": 1,
        "status": "entered-in-error",
        "made_by": "N. Nurse",
        "moment": "2026-10-05T12:01:00+00:00",
        "cause": "review",
        "reason": "the mother touched her",
    }
    assert confirmed.rows("SELECT status, version, updated = '2026-10-05T12:01Z' AS now FROM entries") == [
        {"status": "entered-in-error", "version": 2, "now": True}
    ]
    (audit,) = confirmed.rows("SELECT actor, patient, detail FROM audit WHERE event = 'entry_status_changed'")
    assert (audit["actor"], audit["patient"]) == ("N. Nurse", f"HOSP|{confirmed.ward.infant.value}")
    assert json.loads(audit["detail"]) == {
        "number": 1,
        "was": "preliminary",
        "status": "entered-in-error",
        "cause": "review",
        "reason": "the mother touched her",
        "told_to_the_ehr": True,
    }
    assert verify_audit(database).is_whole


def test_what_is_impossible_is_refused_and_nothing_is_written(confirmed: Charted) -> None:
    confirmed.become(WRONG)
    before = confirmed.events

    with pytest.raises(ImpossibleTransition, match="entered-in-error becomes nothing, not final"):
        confirmed.become(FINAL)

    assert confirmed.events == before
    assert len(confirmed.rows("SELECT 1 FROM entry_statuses")) == 1


def test_an_entry_that_is_not_there_has_no_status(confirmed: Charted) -> None:
    with (
        pytest.raises(ContractBroken, match="no entry 0000"),
        unit_of_work(confirmed.engine, confirmed.ward.clock) as u,
    ):
        change_status(u, "0000", FINAL, actor="N", cause="review", now=confirmed.ward.clock.now())


@pytest.mark.parametrize(
    "statement",
    ["UPDATE entry_statuses SET status = 'final'", "DELETE FROM entry_statuses", "TRUNCATE entry_statuses"],
)
def test_statuses_are_only_added_to(confirmed: Charted, owner_engine: Engine, statement: str) -> None:
    confirmed.become(WRONG)

    with pytest.raises(IntegrityError, match="append-only"), owner_engine.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize("status", [FINAL, WRONG, CANCELLED])
def test_the_ehr_is_told_and_its_copy_keeps_what_is_not_ours(confirmed: Charted, status: EntryStatus) -> None:
    (before,) = confirmed.ehr.observations(confirmed.patient)
    added = {**before, "interpretation": [{"text": "put here by the EHR"}]}
    confirmed.ehr.http.put(f"{confirmed.ehr.url}/Observation/{before['id']}", json=added).raise_for_status()
    confirmed.become(status, reason="seen at the bed")

    assert confirmed.sweep() == 1

    (after,) = confirmed.ehr.observations(confirmed.patient)
    assert (after["id"], after["status"]) == (before["id"], status.value)
    assert after["interpretation"] == [{"text": "put here by the EHR"}]
    assert after["valueQuantity"] == before["valueQuantity"]
    assert "to be verified" not in after["note"][0]["text"]
    assert after["note"][1] == {
        "authorString": "N. Nurse",
        "time": "2026-10-05T12:00:00+00:00",
        "text": f"1. status: {status.value} (review). seen at the bed",
    }
    assert confirmed.outbox == [(0, "confirmed"), (1, "confirmed")]
    assert confirmed.events[-2:] == ["entry_status_changed", "status_confirmed"]


def test_a_second_amendment_is_told_too(confirmed: Charted) -> None:
    for status in (FINAL, AMENDED, AMENDED):
        confirmed.become(status)
        confirmed.sweep()

    (after,) = confirmed.ehr.observations(confirmed.patient)
    assert after["status"] == "amended"
    assert [note["text"] for note in after["note"][1:]] == [
        "1. status: final (review).",
        "2. status: amended (review).",
        "3. status: amended (review).",
    ]


def test_a_status_waits_behind_the_creation_and_the_infants_older_entries(charted: Charted, faulty_ehr: Any) -> None:
    charted.become(FINAL)
    charted.ward.chart(first=10)
    charted.sweep(DOWN)
    assert charted.outbox == [(0, "pending"), (1, "pending"), (0, "pending")]

    charted.ward.clock.advance(60)
    charted.sweep(faulty_ehr.url)

    assert charted.outbox == [(0, "confirmed"), (1, "confirmed"), (0, "confirmed")]
    assert [method for method in faulty_ehr.asked if method != "GET"] == ["POST", "PUT", "POST"]


def test_a_status_whose_outcome_is_unknown_is_told_once(confirmed: Charted, faulty_ehr: Any) -> None:
    confirmed.become(FINAL)
    faulty_ehr.fail("PUT")

    confirmed.sweep(faulty_ehr.url)
    assert confirmed.outbox[1] == (1, "pending")
    confirmed.ward.clock.advance(10)
    confirmed.sweep(faulty_ehr.url)

    assert confirmed.outbox[1] == (1, "confirmed")
    assert faulty_ehr.asked.count("PUT") == 1
    assert len(confirmed.ehr.observations(confirmed.patient)[0]["note"]) == 2


@pytest.mark.parametrize("body", [b"{}", b'{"resourceType":"OperationOutcome"}', b'{"resourceType":"Observation"}'])
def test_an_answer_that_is_not_the_copy_says_nothing_about_it(confirmed: Charted, faulty_ehr: Any, body: bytes) -> None:
    confirmed.become(FINAL)
    faulty_ehr.fail("GET", status=200, body=body)

    confirmed.sweep(faulty_ehr.url)
    assert confirmed.outbox[1] == (1, "pending")
    confirmed.ward.clock.advance(10)
    confirmed.sweep(faulty_ehr.url)

    assert confirmed.outbox[1] == (1, "confirmed")


@pytest.mark.parametrize("stale", [409, 412])
def test_a_copy_that_was_changed_meanwhile_is_read_again(confirmed: Charted, faulty_ehr: Any, stale: int) -> None:
    confirmed.become(FINAL)
    faulty_ehr.fail("PUT", status=stale)

    assert confirmed.sweep(faulty_ehr.url) == 1

    assert faulty_ehr.asked.count("PUT") == 2
    assert confirmed.status_at_ehr == "final"


def test_a_copy_that_others_change_all_the_time_is_left_for_later(confirmed: Charted, faulty_ehr: Any) -> None:
    confirmed.become(FINAL)
    faulty_ehr.fail("PUT", times=5, status=412)

    confirmed.sweep(faulty_ehr.url)

    assert confirmed.outbox[1] == (1, "pending")
    assert confirmed.status_at_ehr == "preliminary"


def test_what_was_changed_at_the_ehr_into_something_else_is_for_a_person(confirmed: Charted) -> None:
    (copy,) = confirmed.ehr.observations(confirmed.patient)
    reference = f"Observation/{copy['id']}"
    confirmed.ehr.http.put(
        f"{confirmed.ehr.url}/{reference}", json={**copy, "status": "entered-in-error"}
    ).raise_for_status()
    confirmed.become(FINAL)

    confirmed.sweep()

    (row,) = confirmed.rows("SELECT state, last_error FROM outbox WHERE change = 1")
    assert row == {
        "state": "rejected",
        "last_error": f"{reference} is entered-in-error at the EHR, which cannot become final",
    }
    assert confirmed.status_at_ehr == "entered-in-error"


def test_a_reference_that_is_not_the_entry_is_not_touched(confirmed: Charted) -> None:
    (copy,) = confirmed.ehr.observations(confirmed.patient)
    other = {**copy, "identifier": [{"system": "urn:other", "value": "1"}]}
    confirmed.ehr.http.put(f"{confirmed.ehr.url}/Observation/{copy['id']}", json=other).raise_for_status()
    confirmed.become(WRONG)

    confirmed.sweep()

    assert confirmed.outbox[1] == (1, "rejected")
    assert confirmed.status_at_ehr == "preliminary"


@pytest.mark.parametrize(("status", "told"), [(FINAL, "rejected"), (WRONG, "confirmed")])
def test_a_copy_under_another_patient_is_only_retracted(confirmed: Charted, status: EntryStatus, told: str) -> None:
    (copy,) = confirmed.ehr.observations(confirmed.patient)
    moved = {**copy, "subject": {"reference": confirmed.ehr.post({"resourceType": "Patient"})}}
    confirmed.ehr.http.put(f"{confirmed.ehr.url}/Observation/{copy['id']}", json=moved).raise_for_status()
    confirmed.become(status)

    confirmed.sweep()

    assert confirmed.outbox[1] == (1, told)


def test_a_status_of_a_held_entry_waits_and_keeps_no_other_waiting(charted: Charted, ehr: Any) -> None:
    infant, charted.ward.infant = charted.ward.infant, charted.ward.infant
    twin = ehr.admit(infant)
    charted.sweep()
    assert charted.outbox == [(0, "held")]
    charted.become(FINAL)
    charted.ward.chart(first=10)
    ehr.http.delete(f"{ehr.url}/{twin}").raise_for_status()

    charted.sweep()
    assert charted.outbox == [(0, "held"), (1, "pending"), (0, "confirmed")]

    charted.ward.clock.advance(600)
    charted.sweep()
    assert charted.outbox == [(0, "confirmed"), (1, "confirmed"), (0, "confirmed")]


def test_a_held_entry_that_is_retracted_is_not_sent(charted: Charted, ehr: Any) -> None:
    twin = ehr.admit(charted.ward.infant)
    charted.sweep()
    charted.become(WRONG)
    ehr.http.delete(f"{ehr.url}/{twin}").raise_for_status()
    charted.ward.clock.advance(600)

    charted.sweep()

    assert charted.outbox == [(0, "cancelled")]
    assert ehr.observations(charted.patient) == []
    assert charted.events[-2:] == ["delivery_cancelled", "entry_status_changed"]


@pytest.mark.parametrize("status", [FINAL, WRONG])
def test_a_status_creates_no_entry_that_the_ehr_refused(charted: Charted, faulty_ehr: Any, status: EntryStatus) -> None:
    faulty_ehr.fail("POST", status=422)
    charted.sweep(faulty_ehr.url)
    charted.become(status)
    charted.ward.clock.advance(60)

    charted.sweep()

    assert charted.outbox == [(0, "rejected"), (1, "pending")]
    assert charted.ehr.observations(charted.patient) == []


def test_what_was_to_be_told_of_an_entry_that_is_not_sent_is_not_sent_either(charted: Charted, faulty_ehr: Any) -> None:
    faulty_ehr.fail("POST", status=422)
    charted.sweep(faulty_ehr.url)
    charted.become(FINAL)

    decide(
        charted.engine, charted.ward.clock, charted.entry, Decision(Verdict.CANCEL, "E. Engineer", "charted by hand")
    )

    assert charted.outbox == [(0, "cancelled"), (1, "cancelled")]
    assert charted.rows("SELECT status FROM entries ORDER BY ends LIMIT 1") == [{"status": "final"}]


@pytest.mark.parametrize(("is_done", "state"), [(True, "confirmed"), (False, "rejected")])
def test_a_200_that_says_that_a_status_was_not_taken_is_believed_when_the_copy_says_so_too(
    confirmed: Charted, faulty_ehr: Any, *, is_done: bool, state: str
) -> None:
    outcome = b'{"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "business-rule"}]}'
    confirmed.become(WRONG)
    faulty_ehr.fail("PUT", status=200, body=outcome, is_done=is_done)

    confirmed.sweep(faulty_ehr.url)

    assert confirmed.outbox[1:] == [(1, state)]


def test_a_refused_status_is_tried_again_when_a_person_says_so(confirmed: Charted, faulty_ehr: Any) -> None:
    confirmed.become(FINAL)
    confirmed.become(AMENDED)
    faulty_ehr.fail("PUT", status=422)
    confirmed.sweep(faulty_ehr.url)
    assert confirmed.outbox[1:] == [(1, "rejected"), (2, "pending")]

    verdict = Decision(Verdict.RETRY, "E. Engineer", "rights were given")
    decide(confirmed.engine, confirmed.ward.clock, confirmed.entry, verdict)
    confirmed.sweep(faulty_ehr.url)

    assert confirmed.outbox[1:] == [(1, "confirmed"), (2, "confirmed")]
    assert confirmed.status_at_ehr == "amended"


def test_a_retraction_waits_for_no_status_that_the_ehr_refused(confirmed: Charted, faulty_ehr: Any) -> None:
    confirmed.become(FINAL)
    faulty_ehr.fail("PUT", status=422)
    confirmed.sweep(faulty_ehr.url)

    confirmed.become(WRONG)
    confirmed.sweep(faulty_ehr.url)

    assert confirmed.outbox == [(0, "confirmed"), (1, "cancelled"), (2, "confirmed")]
    assert confirmed.status_at_ehr == "entered-in-error"


def test_an_entry_is_counted_once_whatever_becomes_of_it(confirmed: Charted, database: str) -> None:
    confirmed.become(FINAL)
    confirmed.sweep()

    assert count_entries(database)[confirmed.ward.bed] == EntryCounts(entries=1, confirmed=1)
