"""Oracle Health's channel, against something that keeps to the rules of its documentation and to its own ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine

from neopain.charting.audit.verify import verify_audit
from neopain.charting.deliverer import Deliverer
from neopain.charting.desk import Decision, Verdict, decide, doubt_restored
from neopain.charting.ehr.fhir_http import FhirHttp
from neopain.charting.ehr.fhir_r4_oracle import OracleChannel, OracleSite, refuses_at_oracle
from neopain.charting.outcome import Outcome
from neopain.charting.retry import RetryPolicy
from neopain.charting.reviews import Review, review
from neopain.charting.statuses import change_status, locked_entry
from neopain.charting.unit_of_work import unit_of_work
from neopain.codecs.fhir.oracle import OracleCode
from neopain.domain.entry_status import EntryStatus
from neopain.domain.review import NipsItems, ReviewAct
from neopain.domain.reviewer import Reviewer
from neopain.errors import ConfigurationError, EhrUnavailable

from ...fhir_validity import require_valid
from .oracle import Millennium, running

Rows = Callable[[str], list[dict[str, Any]]]
CODE = OracleCode("https://fhir.cerner.com/ec2458f2/codeSet/72", "4154126", "NIPS Score", "nips")
NURSE = Reviewer("n-17", "https://id.hospital.example", "N. Nurse")
OTHER = Reviewer("n-18", "https://id.hospital.example", "O. Other")
SITE = OracleSite(CODE, {(NURSE.issuer, NURSE.id): "Practitioner/4"})
ITEMS = NipsItems(facial_expression=1, cry=2, breathing=0, arms=0, legs=0, arousal=1)
POSTED = ("POST", 201)
DENIED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "business-rule"}]}


@dataclass(slots=True)
class Bedside:
    """An infant whose entries nurses act on, and delivery to the domain."""

    engine: Engine
    ward: Any
    ehr: Any
    rows: Rows
    domain: Millennium
    channel: OracleChannel
    patient: str = ""

    @property
    def entries(self) -> list[str]:
        return [row["entry_id"] for row in self.rows("SELECT entry_id FROM outbox WHERE change = 0 ORDER BY place")]

    def act(self, act: ReviewAct, *, by: Reviewer = NURSE, entry: str = "") -> None:
        wanted = Review(act, by, seen_version=1, items=ITEMS if act is ReviewAct.CHANGE else None)
        with unit_of_work(self.engine, self.ward.clock) as unit:
            found = locked_entry(unit.connection, entry or self.entries[0])
            review(unit, found, wanted, now=self.ward.clock.now())

    def become(self, status: EntryStatus) -> None:
        with unit_of_work(self.engine, self.ward.clock) as unit:
            now = self.ward.clock.now()
            change_status(unit, self.entries[0], status, actor="N. Nurse", cause="review", now=now)

    def sweep(self) -> list[tuple[int, str]]:
        """One round of delivery; returns the change and the state of each row."""
        deliverer = Deliverer(self.engine, self.channel, self.ward.clock, RetryPolicy())
        for entry_id in deliverer.hand_out():
            deliverer.deliver(entry_id)
        return [(row["change"], row["state"]) for row in self.rows("SELECT change, state FROM outbox ORDER BY place")]

    @property
    def why(self) -> str:
        return str(self.rows("SELECT last_error FROM outbox ORDER BY place")[0]["last_error"])

    @property
    def charted(self) -> list[dict[str, Any]]:
        """What it holds; whatever we have sent has to be valid."""
        held = list(self.domain.observations.values())
        for one in held:
            require_valid(one)
        return held

    def later(self, seconds: float) -> None:
        self.ward.clock.advance(seconds)


@pytest.fixture
def domain(ehr_url: str) -> Iterator[Millennium]:
    with running(ehr_url) as domain:
        yield domain


@pytest.fixture
def bedside(engine: Engine, ward: Any, ehr: Any, rows: Rows, domain: Millennium) -> Iterator[Bedside]:
    """An infant in an encounter, with one entry that nobody has acted upon."""
    http = FhirHttp(domain.url, timeout_seconds=5, refuses=refuses_at_oracle)
    bedside = Bedside(engine, ward, ehr, rows, domain, OracleChannel(http, SITE))
    bedside.patient = ehr.admit(ward.infant)
    ehr.begin_encounter(bedside.patient)
    ward.chart()
    yield bedside
    http.close()


def test_what_no_nurse_has_verified_waits_and_is_told_as_waiting(bedside: Bedside) -> None:
    assert bedside.sweep() == [(0, "unverified")]
    assert bedside.why == "no nurse has verified it, and this EHR takes nothing else"
    assert bedside.charted == []

    bedside.later(100_000)
    assert bedside.sweep() == [(0, "unverified")]


def test_an_accepted_entry_is_charted_by_the_nurse_who_accepted_it(bedside: Bedside, database: str) -> None:
    bedside.sweep()
    bedside.act(ReviewAct.ACCEPT)

    assert bedside.sweep() == [(0, "confirmed"), (1, "confirmed")]
    (observation,) = bedside.charted
    assert (observation["status"], observation["valueQuantity"]["value"]) == ("final", 1.4)
    assert observation["performer"][0]["reference"] == "Practitioner/4"
    assert observation["subject"]["reference"] == bedside.patient
    assert bedside.domain.asked.count(POSTED) == 1
    assert verify_audit(database).is_whole


def test_an_entry_that_is_accepted_before_it_was_looked_at_is_charted_at_once(bedside: Bedside) -> None:
    bedside.act(ReviewAct.ACCEPT)

    assert bedside.sweep() == [(0, "confirmed"), (1, "confirmed")]


def test_an_answer_that_is_another_resource_says_nothing_about_the_copy(bedside: Bedside) -> None:
    bedside.act(ReviewAct.ACCEPT)
    bedside.sweep()
    bedside.become(EntryStatus.ENTERED_IN_ERROR)
    bedside.domain.faults.append(("GET", 200, {"resourceType": "Parameters"}, {}))

    assert bedside.sweep() == [(0, "confirmed"), (1, "confirmed"), (2, "pending")]
    bedside.later(60)
    assert bedside.sweep() == [(0, "confirmed"), (1, "confirmed"), (2, "confirmed")]
    assert bedside.charted[0]["status"] == "entered-in-error"


def test_a_nurse_who_accepts_while_it_is_looked_at_is_not_missed(
    bedside: Bedside, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice = Deliverer._notice

    def accept_meanwhile(deliverer: Deliverer, outcome: Outcome) -> None:
        monkeypatch.setattr(Deliverer, "_notice", notice)
        bedside.act(ReviewAct.ACCEPT)

    monkeypatch.setattr(Deliverer, "_notice", accept_meanwhile)

    assert bedside.sweep() == [(0, "confirmed"), (1, "confirmed")]


def test_the_unverified_ones_keep_no_verified_one_waiting(bedside: Bedside) -> None:
    bedside.ward.chart(2, first=100)
    bedside.act(ReviewAct.ACCEPT, entry=bedside.entries[2])

    assert bedside.sweep() == [(0, state) for state in ("unverified", "unverified", "confirmed", "unverified")] + [
        (1, "confirmed")
    ]


@pytest.mark.parametrize("is_looked_at", [True, False])
def test_a_rejected_entry_is_never_sent(bedside: Bedside, *, is_looked_at: bool) -> None:
    if is_looked_at:
        bedside.sweep()
    bedside.act(ReviewAct.REJECT)

    assert {state for _, state in bedside.sweep()} == {"cancelled"}
    assert bedside.charted == []
    assert {"event": "delivery_cancelled"} in bedside.rows("SELECT event FROM audit")


def test_a_nurses_own_score_goes_in_its_place(bedside: Bedside) -> None:
    bedside.sweep()
    bedside.act(ReviewAct.CHANGE)

    assert bedside.sweep() == [(0, "cancelled"), (0, "confirmed")]
    (observation,) = bedside.charted
    assert (observation["valueQuantity"]["value"], observation["status"]) == (4, "final")


def test_a_nurse_whom_the_site_does_not_know_at_the_ehr_holds_it(bedside: Bedside) -> None:
    bedside.act(ReviewAct.ACCEPT, by=OTHER)

    assert bedside.sweep()[0] == (0, "held")
    assert bedside.why == "the nurse who verified it has no [[practitioner]] in the site's file"


def test_a_nurse_may_be_found_by_her_id(bedside: Bedside) -> None:
    system = "urn:test:staff"
    practitioner = {"resourceType": "Practitioner", "identifier": [{"system": system, "value": OTHER.id}]}
    reference = bedside.ehr.post(practitioner)
    bedside.channel = OracleChannel(bedside.channel.http, OracleSite(CODE, practitioner_system=system))
    bedside.act(ReviewAct.ACCEPT, by=OTHER)

    bedside.sweep()

    assert bedside.charted[0]["performer"][0]["reference"] == reference


@pytest.mark.parametrize("drops_notes", [False, True])
def test_a_create_without_an_answer_doubles_nothing(bedside: Bedside, *, drops_notes: bool) -> None:
    bedside.domain.drops_notes = drops_notes
    bedside.domain.faults.append(("POST", 0, {}, {}))
    bedside.act(ReviewAct.ACCEPT)

    assert bedside.sweep()[0] == (0, "pending")
    bedside.later(20)
    assert bedside.sweep()[0] == (0, "confirmed")
    assert len(bedside.charted) == 1


@pytest.mark.parametrize(
    ("act", "becomes"),
    [
        (ReviewAct.ACCEPT, [(0, "confirmed"), (1, "confirmed")]),
        # Who verified it is lost: a person looks whether it is there.
        (ReviewAct.REJECT, [(0, "held"), (1, "pending")]),
    ],
)
def test_what_was_verified_and_sent_after_the_backup_that_was_restored_is_charted_once_and_not_forgotten(
    bedside: Bedside, tamper: Callable[..., None], act: ReviewAct, becomes: list[tuple[int, str]]
) -> None:
    bedside.sweep()
    bedside.act(ReviewAct.ACCEPT)
    bedside.sweep()
    tamper(
        "DELETE FROM reviews",
        "DELETE FROM entry_statuses",
        "DELETE FROM outbox WHERE change = 1",
        "UPDATE entries SET status = 'preliminary', version = 1, updated = NULL",
        "UPDATE outbox SET state = 'unverified', attempted = NULL, confirmed = NULL, ehr_reference = NULL",
    )

    assert doubt_restored(bedside.engine, bedside.ward.clock, by="dba", reason="the disk was lost") == 1
    bedside.act(act)
    bedside.later(20)

    assert bedside.sweep() == becomes
    assert len(bedside.charted) == 1


def test_what_is_held_and_cannot_be_looked_for_is_cancelled_by_a_person_who_has_looked(bedside: Bedside) -> None:
    bedside.sweep()
    doubt_restored(bedside.engine, bedside.ward.clock, by="dba", reason="the disk was lost")
    bedside.act(ReviewAct.REJECT)
    bedside.later(20)
    assert bedside.sweep() == [(0, "held"), (1, "pending")]

    decide(bedside.engine, bedside.ward.clock, bedside.entries[0], Decision(Verdict.CANCEL, "dba", "it is not there"))
    assert bedside.sweep() == [(0, "cancelled"), (1, "cancelled")]


@pytest.mark.parametrize(
    ("fault", "references"),
    [
        pytest.param(("POST", 503, {}, {}), ["Observation/VS-1", "Observation/VS-2"], id="not-taken"),
        pytest.param(("POST", 0, {}, {}), ["Observation/VS-1", "Observation/VS-2"], id="taken-without-an-answer"),
        pytest.param(("POST", -201, {}, {}), ["Observation/VS-1", "Observation/VS-2"], id="taken-without-a-location"),
        pytest.param(("POST", 202, {}, {}), ["Observation/VS-1", "taken and not shown"], id="queued"),
        pytest.param(("POST", 200, DENIED, {}), ["Observation/VS-1", None], id="denied"),
    ],
)
def test_what_is_there_as_another_entry_that_says_the_same_is_not_this_one(
    bedside: Bedside, tamper: Callable[..., None], fault: tuple[str, int, Any, Any], references: list[str | None]
) -> None:
    bedside.ward.chart(first=10)
    first, second = bedside.entries
    same = f"(SELECT draft -> 'observed_to' FROM entries WHERE entry_id = '{first}')"  # noqa: S608
    tamper(f"UPDATE entries SET draft = jsonb_set(draft, '{{observed_to}}', {same}) WHERE entry_id = '{second}'")  # noqa: S608
    bedside.domain.drops_notes = True
    bedside.act(ReviewAct.ACCEPT, entry=first)
    bedside.sweep()
    bedside.domain.faults.append(fault)
    bedside.act(ReviewAct.ACCEPT, entry=second)
    bedside.sweep()
    bedside.later(60)
    bedside.sweep()

    rows = bedside.rows("SELECT ehr_reference FROM outbox WHERE change = 0 ORDER BY place")
    assert [row["ehr_reference"] for row in rows] == references


def of_somebody_else(bedside: Bedside) -> dict[str, Any]:
    """A heart rate of the same infant, which a nurse charted."""
    heart_rate = {
        "resourceType": "Observation",
        "id": "HR-1",
        "meta": {"versionId": "1"},
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": bedside.patient},
        "effectiveDateTime": "2026-10-05T11:00:00.000Z",
        "performer": [{"reference": "Practitioner/77"}],
        "valueQuantity": {"value": 140},
    }
    bedside.domain.observations["HR-1"] = heart_rate
    return dict(heart_rate)


@pytest.mark.parametrize("named", ["HR-1", "none"])
def test_a_location_that_is_not_the_entrys_is_not_believed(bedside: Bedside, named: str) -> None:
    theirs = of_somebody_else(bedside)
    elsewhere = {"Location": f"https://elsewhere.example/r4/Observation/{named}"}
    bedside.domain.faults.append(("POST", -201, {}, elsewhere))
    bedside.act(ReviewAct.ACCEPT)

    assert bedside.sweep()[0] == (0, "confirmed")
    (row,) = bedside.rows("SELECT ehr_reference FROM outbox WHERE change = 0")
    assert row["ehr_reference"] == "Observation/VS-2"
    assert bedside.domain.asked.count(POSTED) == 1
    assert bedside.domain.observations["HR-1"] == theirs


def test_what_was_created_is_not_created_again_where_it_cannot_be_read_for_want_of_a_token(
    bedside: Bedside, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_token(http: FhirHttp, path: str, **_: object) -> None:
        raise EhrUnavailable(f"GET {path}: no token", was_sent=False)

    bedside.act(ReviewAct.ACCEPT)
    monkeypatch.setattr(FhirHttp, "read", without_token)
    monkeypatch.setattr(OracleChannel, "find", lambda *_, **__: without_token(bedside.channel.http, "Observation"))
    bedside.sweep()
    monkeypatch.undo()
    bedside.later(60)

    assert bedside.sweep() == [(0, "confirmed"), (1, "confirmed")]
    assert len(bedside.charted) == 1


def test_what_is_not_the_entry_is_never_written_over(bedside: Bedside, tamper: Callable[..., None]) -> None:
    bedside.act(ReviewAct.ACCEPT)
    bedside.sweep()
    theirs = of_somebody_else(bedside)
    tamper("UPDATE outbox SET ehr_reference = 'Observation/HR-1' WHERE change = 0")
    bedside.become(EntryStatus.ENTERED_IN_ERROR)

    assert bedside.sweep()[-1] == (2, "rejected")
    assert bedside.domain.observations["HR-1"] == theirs


def test_what_is_another_entrys_is_not_taken_for_this_one(bedside: Bedside) -> None:
    bedside.act(ReviewAct.ACCEPT)
    bedside.sweep()
    (first,) = bedside.charted
    first["note"] = [{"text": "neopain entry 0123"}]
    located = bedside.channel.locate(entry_of(bedside))

    assert bedside.channel.find(entry_of(bedside), located) is None  # type: ignore[arg-type]


def entry_of(bedside: Bedside) -> Any:
    from neopain.charting.entries import charted_entry

    with bedside.engine.connect() as connection:
        return charted_entry(connection, bedside.entries[0])


def outcome(code: str) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]}


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (500, outcome("required"), "rejected"),
        (500, outcome("transient"), "pending"),
        (500, {}, "pending"),
        (503, outcome("required"), "pending"),
        (409, outcome("conflict"), "rejected"),
        (422, outcome("not-supported"), "rejected"),
        (429, {}, "pending"),
    ],
)
def test_a_refusal_of_a_create_is_for_a_person_or_for_later(
    bedside: Bedside, status: int, body: dict[str, Any], state: str
) -> None:
    bedside.domain.faults.append(("POST", status, body, {"Retry-After": "120"}))
    bedside.act(ReviewAct.ACCEPT)

    assert bedside.sweep()[0] == (0, state)
    assert f"POST Observation: HTTP {status}" in bedside.why
    assert "X-Request-Id 30a3177d" in bedside.why


@pytest.mark.parametrize(("answered", "state"), [(-200, "confirmed"), (200, "rejected")])
def test_a_200_that_says_that_nothing_was_taken_is_believed_when_nothing_is_there(
    bedside: Bedside, answered: int, state: str
) -> None:
    bedside.domain.faults.append(("POST", answered, outcome("required"), {}))
    bedside.act(ReviewAct.ACCEPT)

    assert bedside.sweep()[0] == (0, state)


@pytest.mark.parametrize(("answered", "state"), [(-200, "confirmed"), (200, "rejected")])
def test_a_200_that_says_that_a_retraction_was_not_taken_is_believed_when_the_copy_says_so_too(
    bedside: Bedside, answered: int, state: str
) -> None:
    bedside.act(ReviewAct.ACCEPT)
    bedside.sweep()
    bedside.domain.faults.append(("PUT", answered, outcome("required"), {}))
    bedside.become(EntryStatus.ENTERED_IN_ERROR)

    assert bedside.sweep()[-1] == (2, state)


def test_what_may_be_there_and_is_not_is_not_sent_any_more_once_it_is_retracted(bedside: Bedside) -> None:
    bedside.domain.faults.append(("POST", 503, {}, {}))
    bedside.act(ReviewAct.ACCEPT)
    bedside.sweep()
    bedside.become(EntryStatus.ENTERED_IN_ERROR)
    bedside.later(60)

    assert {state for _, state in bedside.sweep()} == {"cancelled"}
    assert POSTED not in bedside.domain.asked
    assert bedside.why == "the entry is entered-in-error and the EHR does not have it"


def test_what_was_taken_and_is_not_shown_is_for_a_person_once_it_is_retracted(bedside: Bedside) -> None:
    bedside.domain.faults.append(("POST", 202, {}, {}))
    bedside.act(ReviewAct.ACCEPT)
    bedside.sweep()
    bedside.become(EntryStatus.ENTERED_IN_ERROR)
    bedside.later(3_660)

    assert bedside.sweep() == [(0, "rejected"), (1, "pending"), (2, "pending")]
    assert bedside.why == "the entry is entered-in-error, and the EHR took it and shows it nowhere: it may be there"


def test_what_may_be_there_and_is_is_retracted_there(bedside: Bedside) -> None:
    bedside.domain.faults.append(("POST", 0, {}, {}))
    bedside.act(ReviewAct.ACCEPT)
    bedside.sweep()
    bedside.become(EntryStatus.ENTERED_IN_ERROR)
    bedside.later(60)

    assert {state for _, state in bedside.sweep()} == {"confirmed"}
    assert [one["status"] for one in bedside.charted] == ["entered-in-error"]


def test_what_was_refused_is_charted_once_when_a_person_has_it_tried_again(bedside: Bedside) -> None:
    bedside.domain.faults.append(("POST", 500, outcome("required"), {}))
    bedside.act(ReviewAct.ACCEPT)
    bedside.sweep()
    decision = Decision(Verdict.RETRY, "I. Engineer", "the code is known now")
    decide(bedside.engine, bedside.ward.clock, bedside.entries[0], decision)
    bedside.later(20)

    assert bedside.sweep() == [(0, "confirmed"), (1, "confirmed")]


def test_a_retraction_changes_the_copy_in_the_version_that_it_has(bedside: Bedside) -> None:
    bedside.act(ReviewAct.ACCEPT)
    bedside.sweep()
    bedside.domain.faults.append(("PUT", 409, outcome("conflict"), {}))
    bedside.become(EntryStatus.ENTERED_IN_ERROR)

    assert bedside.sweep()[-1] == (2, "confirmed")
    (observation,) = bedside.charted
    assert (observation["status"], observation["meta"]["versionId"]) == ("entered-in-error", "2")
    assert observation["performer"][0]["reference"] == "Practitioner/4"


def test_a_retraction_that_the_ehr_does_not_take_is_for_a_person(bedside: Bedside) -> None:
    bedside.act(ReviewAct.ACCEPT)
    bedside.sweep()
    bedside.domain.faults.append(("PUT", 500, outcome("business-rule"), {}))
    bedside.become(EntryStatus.ENTERED_IN_ERROR)

    assert bedside.sweep()[-1] == (2, "rejected")


def test_an_entry_without_a_number_is_for_a_person(bedside: Bedside) -> None:
    bedside.ward.take(bedside.ward.score(101, None), bedside.ward.score(125))
    bedside.act(ReviewAct.ACCEPT, entry=bedside.entries[2])

    bedside.sweep()

    (row,) = bedside.rows("SELECT last_error FROM outbox WHERE state = 'rejected'")
    assert "has no number, and this EHR has no field for why" in row["last_error"]


def test_a_server_that_does_not_offer_what_is_needed_is_refused(bedside: Bedside) -> None:
    bedside.channel.check()
    statement = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": []}
    bedside.domain.faults.append(("GET", 200, statement, {}))

    with pytest.raises(ConfigurationError, match="Observation search-type by patient and date"):
        bedside.channel.check()
