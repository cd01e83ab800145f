"""Delivery: every entry in the EHR exactly once, in order for each infant, whatever the EHR does."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from neopain.charting import outbox
from neopain.charting.audit.verify import verify_audit
from neopain.charting.deliverer import Deliverer
from neopain.charting.desk import Decision, Verdict, decide
from neopain.charting.ehr.channel import Located
from neopain.charting.ehr.fhir_r4 import R4Channel
from neopain.domain.identity import BedId, PatientId
from neopain.domain.review import ChartEntry
from neopain.errors import EhrUnavailable, NotLetIn

from .conftest import ENTRY_SYSTEM

Rows = Callable[[str], list[dict[str, Any]]]
To = Callable[..., Deliverer]
Sweep = Callable[[str], int]
States = Callable[[], list[str]]

DOWN = "http://127.0.0.1:1/fhir"


def test_an_entry_is_confirmed_when_it_was_read_back(ward: Any, ehr: Any, sweep: Sweep, rows: Rows) -> None:
    patient = ehr.admit(ward.infant)
    ward.chart()

    assert sweep(ehr.url) == 1

    (observation,) = ehr.observations(patient)
    (row,) = rows("SELECT state, ehr_reference, confirmed FROM outbox")
    assert (row["state"], row["ehr_reference"]) == ("confirmed", f"Observation/{observation['id']}")
    assert row["confirmed"] is not None


def test_a_confirmation_is_audited(ward: Any, ehr: Any, sweep: Sweep, rows: Rows, database: str) -> None:
    ehr.admit(ward.infant)
    ward.chart()
    sweep(ehr.url)

    assert [row["event"] for row in rows("SELECT event FROM audit ORDER BY position")] == [
        "entry_charted",
        "entry_confirmed",
    ]
    assert verify_audit(database).is_whole


def test_the_entries_of_an_infant_arrive_in_order(ward: Any, ehr: Any, sweep: Sweep) -> None:
    patient = ehr.admit(ward.infant)
    ward.chart(6)

    sweep(ehr.url)

    starts = [one["effectivePeriod"]["start"] for one in ehr.observations(patient)]
    assert len(starts) == 6
    assert starts == sorted(starts)


def test_an_ehr_that_is_down_lets_the_outbox_grow_and_then_drain(
    ward: Any, ehr: Any, sweep: Sweep, states: States
) -> None:
    patient = ehr.admit(ward.infant)
    for number in range(5):
        ward.chart(first=10 * number)
        sweep(DOWN)
        ward.clock.advance(10)
    assert set(states()) == {"pending"}

    ward.clock.advance(60)
    sweep(ehr.url)

    assert len(states()) == len(ehr.observations(patient))
    assert set(states()) == {"confirmed"}


def test_a_head_that_waits_blocks_the_later_ones_of_its_infant_only(
    ward: Any, ehr: Any, faulty_ehr: Any, sweep: Sweep, states: States
) -> None:
    neighbour, bed = PatientId(f"{ward.infant.value}-N", "HOSP"), BedId(f"{ward.bed}-N")
    ward.admit(neighbour, bed=bed)
    ehr.admit(ward.infant)
    ehr.admit(neighbour)
    ward.chart(3)
    ward.take(ward.score(1, bed=bed), ward.score(25, bed=bed))
    faulty_ehr.fail("POST", status=503)

    sweep(faulty_ehr.url)

    assert states() == ["pending", "pending", "pending", "confirmed"]


def test_what_the_ehr_asked_for_is_waited_for(
    ward: Any, ehr: Any, faulty_ehr: Any, sweep: Sweep, states: States
) -> None:
    ehr.admit(ward.infant)
    ward.chart()
    faulty_ehr.fail("GET", status=429, Retry_After="120")

    sweep(faulty_ehr.url)
    ward.clock.advance(119)
    sweep(faulty_ehr.url)
    assert states() == ["pending"]

    ward.clock.advance(1)
    sweep(faulty_ehr.url)
    assert states() == ["confirmed"]


def test_an_ehr_that_asks_for_more_than_there_is_is_asked_again_after_a_day(
    ward: Any, ehr: Any, faulty_ehr: Any, sweep: Sweep, states: States
) -> None:
    ehr.admit(ward.infant)
    ward.chart()
    faulty_ehr.fail("POST", status=503, Retry_After="9" * 400)

    sweep(faulty_ehr.url)
    ward.clock.advance(86_399)
    sweep(faulty_ehr.url)
    assert states() == ["pending"]

    ward.clock.advance(1)
    sweep(faulty_ehr.url)
    assert states() == ["confirmed"]


@pytest.mark.parametrize("happened", ["charted", "down", "unanswered", "in the hands of a worker that died", "taken"])
def test_what_a_clock_that_was_days_ahead_wrote_goes_on_when_it_is_right_again(
    ward: Any, ehr: Any, *, faulty_ehr: Any, sweep: Sweep, states: States, deliverer_to: To, happened: str
) -> None:
    patient = ehr.admit(ward.infant)
    ward.clock.advance(2 * 86_400)
    ward.chart()
    match happened:
        case "down":
            faulty_ehr.fail("GET", status=503)
            sweep(faulty_ehr.url)
        case "unanswered":
            faulty_ehr.fail("POST")
            sweep(faulty_ehr.url)
        case "in the hands of a worker that died":
            deliverer_to(ehr.url).hand_out()
        case "taken":
            faulty_ehr.fail("POST", status=202)
            sweep(faulty_ehr.url)
    ward.clock.advance(-2 * 86_400)
    ward.chart(first=10)

    sweep(faulty_ehr.url)
    for _ in range(3):
        ward.clock.advance(3600 if happened == "taken" else 20)
        sweep(faulty_ehr.url)

    assert set(states()) == {"confirmed"}
    starts = [one["effectivePeriod"]["start"] for one in ehr.observations(patient)]
    assert (len(starts), starts) == (len(states()), sorted(set(starts)))


def test_a_time_out_after_the_ehr_has_stored_it_doubles_nothing(
    ward: Any, ehr: Any, faulty_ehr: Any, sweep: Sweep, states: States
) -> None:
    patient = ehr.admit(ward.infant)
    ward.chart()
    faulty_ehr.fail("POST", times=1)

    sweep(faulty_ehr.url)
    assert (states(), len(ehr.observations(patient))) == (["pending"], 1)
    ward.clock.advance(10)
    sweep(faulty_ehr.url)

    assert (states(), len(ehr.observations(patient))) == (["confirmed"], 1)
    assert faulty_ehr.asked.count("POST") == 1


def test_an_ehr_without_conditional_create_does_not_get_it_twice_either(
    ward: Any, ehr: Any, faulty_ehr: Any, sweep: Sweep
) -> None:
    patient = ehr.admit(ward.infant)
    ward.chart(3)
    faulty_ehr.drop_headers.add("if-none-exist")
    faulty_ehr.fail("POST", times=2)

    for _ in range(4):
        sweep(faulty_ehr.url)
        ward.clock.advance(20)

    assert len(ehr.observations(patient)) == 3


def test_a_request_in_doubt_is_not_repeated_before_it_must_have_ended(
    ward: Any, ehr: Any, faulty_ehr: Any, sweep: Sweep
) -> None:
    ehr.admit(ward.infant)
    ward.chart()
    faulty_ehr.fail("POST", status=504)

    sweep(faulty_ehr.url)
    ward.clock.advance(9)
    sweep(faulty_ehr.url)
    assert faulty_ehr.asked.count("POST") == 1

    ward.clock.advance(1)
    sweep(faulty_ehr.url)
    assert faulty_ehr.asked.count("POST") == 2


def test_a_time_out_is_followed_by_the_whole_time_of_doubt(
    ward: Any, ehr: Any, faulty_ehr: Any, sweep: Sweep, states: States
) -> None:
    patient = ehr.admit(ward.infant)
    ward.chart()
    at_work: list[httpx.Request] = []
    forward = faulty_ehr.forward

    def keep_at_work(request: httpx.Request) -> httpx.Response:
        if request.method != "POST":
            return forward(request)
        at_work.append(request)
        ward.clock.advance(10)
        return httpx.Response(504)

    faulty_ehr.forward = keep_at_work
    faulty_ehr.drop_headers.add("if-none-exist")
    faulty_ehr.fail("POST")
    sweep(faulty_ehr.url)
    ward.clock.advance(9)
    sweep(faulty_ehr.url)
    faulty_ehr.forward = forward
    forward(at_work[0])
    ward.clock.advance(1)
    sweep(faulty_ehr.url)

    assert states() == ["confirmed"]
    assert (len(at_work), len(ehr.observations(patient))) == (1, 1)


def test_what_a_worker_sent_that_died_is_left_alone_for_a_time_out_and_the_time_of_doubt(
    ward: Any, ehr: Any, faulty_ehr: Any, deliverer_to: To, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(channel: R4Channel, entry: ChartEntry, located: Located) -> None:
        raise Killed

    ehr.admit(ward.infant)
    ward.chart()
    deliverer = deliverer_to(faulty_ehr.url)
    (head,) = deliverer.hand_out()
    with monkeypatch.context() as dying:
        dying.setattr(R4Channel, "create", killed)
        with pytest.raises(Killed):
            deliverer.deliver(head)

    ward.clock.advance(19)
    assert (deliverer.hand_out(), deliverer.deliver(head)) == ([], 0)
    ward.clock.advance(1)
    assert (deliverer.hand_out(), deliverer.deliver(head)) == ([head], 1)


def test_a_message_that_the_broker_repeats_does_not_hurry_a_request_in_doubt(
    ward: Any, ehr: Any, faulty_ehr: Any, deliverer_to: To
) -> None:
    ehr.admit(ward.infant)
    ward.chart()
    faulty_ehr.fail("POST")
    deliverer = deliverer_to(faulty_ehr.url)
    (head,) = deliverer.hand_out()

    deliverer.deliver(head)
    ward.clock.advance(9)

    assert deliverer.deliver(head) == 0
    assert faulty_ehr.asked.count("POST") == 1


def test_a_read_back_that_fails_leaves_it_unconfirmed_until_it_is_found(
    ward: Any, ehr: Any, faulty_ehr: Any, sweep: Sweep, states: States
) -> None:
    patient = ehr.admit(ward.infant)
    ward.chart()
    # Patient and Encounter are searched for first; the third GET is the read-back.
    faulty_ehr.fail_after(2, "GET", status=500)
    sweep(faulty_ehr.url)
    assert states() == ["pending"]

    ward.clock.advance(20)
    sweep(faulty_ehr.url)

    assert states() == ["confirmed"]
    assert len(ehr.observations(patient)) == 1
    assert faulty_ehr.asked.count("POST") == 1


def test_an_ehr_that_accepts_and_does_not_show_is_not_believed(
    ward: Any, ehr: Any, faulty_ehr: Any, sweep: Sweep, rows: Rows
) -> None:
    ehr.admit(ward.infant)
    ward.chart()
    faulty_ehr.fail("POST", status=202)

    sweep(faulty_ehr.url)

    (row,) = rows("SELECT state, last_error FROM outbox")
    assert row == {"state": "pending", "last_error": "the EHR took the entry and does not show it yet"}


def test_what_an_ehr_has_queued_is_not_sent_again_until_it_had_an_hour_for_it(
    ward: Any, ehr: Any, faulty_ehr: Any, sweep: Sweep, states: States
) -> None:
    patient = ehr.admit(ward.infant)
    ward.chart()
    faulty_ehr.fail("POST", status=202)

    for seconds in (0, 10, 60, 600, 2900):
        ward.clock.advance(seconds)
        sweep(faulty_ehr.url)
    assert (states(), faulty_ehr.asked.count("POST")) == (["pending"], 1)

    ward.clock.advance(30)
    sweep(faulty_ehr.url)
    assert (states(), faulty_ehr.asked.count("POST")) == (["confirmed"], 2)
    assert len(ehr.observations(patient)) == 1


def test_what_an_ehr_takes_and_never_shows_is_sent_twice_at_most_before_a_person_looks(
    ward: Any, ehr: Any, faulty_ehr: Any, sweep: Sweep, rows: Rows, *, engine: Engine
) -> None:
    ehr.admit(ward.infant)
    ward.chart()
    faulty_ehr.fail("POST", times=9, status=201)

    for _ in range(5):
        sweep(faulty_ehr.url)
        ward.clock.advance(3600)

    (row,) = rows("SELECT entry_id, state, ehr_reference, last_error FROM outbox")
    assert (row["state"], faulty_ehr.asked.count("POST")) == ("rejected", 2)
    assert row["ehr_reference"] == "taken again and not shown"
    assert row["last_error"] == "the EHR took the entry twice and shows it nowhere: it may be there, even twice"
    decide(engine, ward.clock, row["entry_id"], Decision(Verdict.RETRY, "I. Engineer", "the index is mended"))
    faulty_ehr.fail("GET", status=503)
    sweep(faulty_ehr.url)
    ward.clock.advance(120)
    sweep(ehr.url)
    assert rows("SELECT state FROM outbox") == [{"state": "confirmed"}]


NOT_TAKEN = b'{"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "business-rule"}]}'


@pytest.mark.parametrize("says", ["taken", "not taken"])
@pytest.mark.parametrize("trouble", [NotLetIn("no token"), EhrUnavailable("no token", was_sent=False)], ids=str)
def test_what_was_sent_is_looked_for_though_no_token_was_to_be_had_after_it(
    ward: Any,
    ehr: Any,
    faulty_ehr: Any,
    sweep: Sweep,
    rows: Rows,
    *,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Any,
    says: str,
) -> None:
    def find(*_: object, **__: object) -> None:
        raise trouble

    patient = ehr.admit(ward.infant)
    ward.chart()
    faulty_ehr.drop_headers.add("if-none-exist")
    if says == "not taken":
        faulty_ehr.fail("POST", status=200, body=NOT_TAKEN, is_done=True)
    monkeypatch.setattr(R4Channel, "find", find)
    sweep(faulty_ehr.url)
    assert rows("SELECT state, attempted IS NULL AS unsent FROM outbox") == [{"state": "pending", "unsent": False}]

    monkeypatch.undo()
    ward.clock.advance(60)
    sweep(faulty_ehr.url)
    assert rows("SELECT state FROM outbox") == [{"state": "confirmed"}]
    assert len(ehr.observations(patient)) == 1


@pytest.mark.parametrize(("is_done", "state"), [(True, "confirmed"), (False, "rejected")])
def test_a_200_that_says_that_it_was_not_taken_is_believed_when_it_is_not_there(
    ward: Any, ehr: Any, faulty_ehr: Any, sweep: Sweep, states: States, *, is_done: bool, state: str
) -> None:
    ehr.admit(ward.infant)
    ward.chart()
    faulty_ehr.fail("POST", status=200, body=NOT_TAKEN, is_done=is_done)

    sweep(faulty_ehr.url)

    assert states() == [state]


def test_what_an_ehr_has_queued_is_confirmed_as_soon_as_it_shows_it(
    ward: Any, ehr: Any, faulty_ehr: Any, sweep: Sweep, states: States, *, rows: Rows
) -> None:
    patient = ehr.admit(ward.infant)
    ward.chart()
    faulty_ehr.fail("POST", status=202)
    sweep(faulty_ehr.url)
    (row,) = rows("SELECT entry_id FROM outbox")
    queued = {"resourceType": "Observation", "status": "preliminary", "code": {"text": "pain"}}
    ehr.post(
        {
            **queued,
            "subject": {"reference": patient},
            "identifier": [{"system": ENTRY_SYSTEM, "value": row["entry_id"]}],
        }
    )

    ward.clock.advance(30)
    sweep(faulty_ehr.url)

    assert (states(), faulty_ehr.asked.count("POST")) == (["confirmed"], 1)


def test_a_search_that_fails_after_the_ehr_took_it_sends_nothing_again(
    ward: Any, ehr: Any, faulty_ehr: Any, sweep: Sweep, states: States
) -> None:
    ehr.admit(ward.infant)
    ward.chart()
    faulty_ehr.fail("POST", status=202)
    faulty_ehr.fail_after(2, "GET", status=500)
    sweep(faulty_ehr.url)

    ward.clock.advance(60)
    sweep(faulty_ehr.url)

    assert (states(), faulty_ehr.asked.count("POST")) == (["pending"], 1)


def test_a_page_to_sign_in_is_no_answer_to_what_was_sent(
    ward: Any, ehr: Any, faulty_ehr: Any, sweep: Sweep, states: States
) -> None:
    ehr.admit(ward.infant)
    ward.chart()
    faulty_ehr.fail("POST", status=200, body=b"<html>Sign in</html>")
    sweep(faulty_ehr.url)
    assert states() == ["pending"]

    ward.clock.advance(20)
    sweep(faulty_ehr.url)

    assert (states(), faulty_ehr.asked.count("POST")) == (["confirmed"], 2)


def test_a_refused_entry_is_a_dead_letter_and_does_not_block_the_next(
    ward: Any, ehr: Any, faulty_ehr: Any, sweep: Sweep, rows: Rows
) -> None:
    patient = ehr.admit(ward.infant)
    ward.chart(2)
    faulty_ehr.fail("POST", status=422)

    sweep(faulty_ehr.url)

    assert [row["state"] for row in rows("SELECT state FROM outbox ORDER BY place")] == ["rejected", "confirmed"]
    (audit,) = rows("SELECT detail FROM audit WHERE event = 'entry_rejected'")
    assert "HTTP 422" in audit["detail"]
    assert len(ehr.observations(patient)) == 1


def test_an_infant_that_the_ehr_does_not_know_is_held_and_asked_for_again(
    ward: Any, ehr: Any, sweep: Sweep, states: States, rows: Rows
) -> None:
    ward.chart()

    sweep(ehr.url)
    (row,) = rows("SELECT state, last_error FROM outbox")
    assert row == {"state": "held", "last_error": "the EHR has no patients with the infant's identifier"}
    assert rows("SELECT event FROM audit ORDER BY position")[-1] == {"event": "entry_not_located"}

    ehr.admit(ward.infant)
    ward.clock.advance(599)
    sweep(ehr.url)
    assert states() == ["held"]
    ward.clock.advance(1)
    sweep(ehr.url)
    assert states() == ["confirmed"]


def test_an_infant_that_the_ehr_has_twice_is_held(ward: Any, ehr: Any, sweep: Sweep, states: States) -> None:
    patients = [ehr.admit(ward.infant), ehr.admit(ward.infant)]
    ward.chart()

    sweep(ehr.url)

    assert states() == ["held"]
    assert [ehr.observations(patient) for patient in patients] == [[], []]


def test_two_workers_on_one_infant_deliver_each_entry_once(
    ward: Any, ehr: Any, faulty_ehr: Any, deliverer_to: To
) -> None:
    patient = ehr.admit(ward.infant)
    ward.chart(5)
    deliverer = deliverer_to(faulty_ehr.url)
    (head,) = deliverer.hand_out()

    with ThreadPoolExecutor(max_workers=3) as pool:
        settled = sum(pool.map(deliverer.deliver, [head] * 3))

    assert settled == 5
    assert faulty_ehr.asked.count("POST") == 5
    assert len(ehr.observations(patient)) == 5


def test_an_infant_that_another_worker_has_in_hand_is_left_alone(
    ward: Any, ehr: Any, deliverer_to: To, engine: Engine, states: States
) -> None:
    ehr.admit(ward.infant)
    ward.chart()
    deliverer = deliverer_to(ehr.url)
    (head,) = deliverer.hand_out()
    with engine.connect() as other:
        key = f"HOSP|{ward.infant.value}"
        other.execute(text("SELECT pg_advisory_lock(hashtextextended(:key, 7305103))"), {"key": key})

        assert deliverer.deliver(head) == 0
        assert states() == ["pending"]


def test_a_row_in_a_workers_hands_is_handed_out_again_only_after_a_while(ward: Any, deliverer_to: To) -> None:
    ward.chart()
    deliverer = deliverer_to(DOWN)

    first = deliverer.hand_out()
    again = deliverer.hand_out()
    ward.clock.advance(outbox.HAND_OUT_AGAIN.total_seconds() + 1)

    assert (len(first), again, deliverer.hand_out()) == (1, [], first)


def test_an_entry_that_cannot_be_read_is_a_dead_letter_and_does_not_block_the_next(
    ward: Any, ehr: Any, sweep: Sweep, tamper: Callable[..., None], rows: Rows
) -> None:
    ehr.admit(ward.infant)
    ward.chart(2)
    tamper("UPDATE entries SET draft = draft - 'windows' WHERE ends = (SELECT min(ends) FROM entries)")

    sweep(ehr.url)

    first, second = rows("SELECT state, last_error FROM outbox ORDER BY place")
    assert (first["state"], second["state"]) == ("rejected", "confirmed")
    assert "windows" in first["last_error"]
    assert ward.infant.value not in first["last_error"]


def test_a_fault_of_ours_says_nothing_of_an_ehr_that_is_left_alone(
    ward: Any, ehr: Any, deliverer_to: Callable[..., Deliverer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(channel: R4Channel, entry: ChartEntry) -> None:
        raise KeyError("a fault")

    ward.chart()
    monkeypatch.setattr(R4Channel, "locate", broken)
    deliverer = deliverer_to(ehr.url)
    for _ in range(deliverer.breaker.failures):
        deliverer.breaker.failed(ward.clock.now())
    ward.clock.advance(31)

    (entry,) = deliverer.hand_out()
    deliverer.deliver(entry)

    assert deliverer.breaker.is_open


def test_a_fault_of_ours_is_told_in_the_row_and_keeps_no_other_infant_waiting(
    ward: Any, ehr: Any, sweep: Sweep, rows: Rows, *, monkeypatch: pytest.MonkeyPatch
) -> None:
    neighbour, bed = PatientId(f"{ward.infant.value}-N", "HOSP"), BedId(f"{ward.bed}-N")
    ward.admit(neighbour, bed=bed)
    ehr.admit(ward.infant)
    ehr.admit(neighbour)
    ward.chart()
    ward.take(ward.score(5, bed=bed), ward.score(15, bed=bed))
    create = R4Channel.create

    def broken(channel: R4Channel, entry: ChartEntry, located: Located) -> None:
        if entry.patient == ward.infant:
            raise KeyError("a fault")
        create(channel, entry, located)

    monkeypatch.setattr(R4Channel, "create", broken)
    sweep(ehr.url)
    first, second = rows("SELECT state, attempts, last_error FROM outbox ORDER BY place")
    assert (first["state"], first["attempts"], second["state"]) == ("pending", 1, "confirmed")
    assert "a fault of neopain's, KeyError" in first["last_error"]

    monkeypatch.undo()
    ward.clock.advance(30)
    sweep(ehr.url)
    assert [row["state"] for row in rows("SELECT state FROM outbox")] == ["confirmed"] * 2


def test_a_sick_ehr_is_left_alone_by_all_infants_and_asked_by_one_when_the_pause_is_over(
    ward: Any, ehr: Any, faulty_ehr: Any, sweep: Sweep, states: States
) -> None:
    for number in range(12):
        infant, bed = PatientId(f"{ward.infant.value}-{number}", "HOSP"), BedId(f"{ward.bed}-{number}")
        ward.admit(infant, bed=bed)
        ehr.admit(infant)
        ward.take(ward.score(1, bed=bed), ward.score(15, bed=bed))
    faulty_ehr.fail("GET", times=6, status=503)

    sweep(faulty_ehr.url)
    assert len(faulty_ehr.asked) == 5
    ward.clock.advance(15)
    sweep(faulty_ehr.url)
    assert len(faulty_ehr.asked) == 5

    ward.clock.advance(15)
    sweep(faulty_ehr.url)
    assert len(faulty_ehr.asked) == 6

    ward.clock.advance(40)
    sweep(faulty_ehr.url)
    assert set(states()) == {"confirmed"}


def test_an_ehr_that_takes_entries_and_shows_them_later_is_not_sick(
    ward: Any, ehr: Any, faulty_ehr: Any, sweep: Sweep, states: States
) -> None:
    for number in range(7):
        infant, bed = PatientId(f"{ward.infant.value}-{number}", "HOSP"), BedId(f"{ward.bed}-{number}")
        ward.admit(infant, bed=bed)
        ehr.admit(infant)
        ward.take(ward.score(1, bed=bed), ward.score(15, bed=bed))
    faulty_ehr.fail("POST", times=7, status=202)

    sweep(faulty_ehr.url)

    assert faulty_ehr.asked.count("POST") == 7
    assert set(states()) == {"pending"}
