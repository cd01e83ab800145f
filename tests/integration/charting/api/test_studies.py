"""Study mode over the API: no number before a nurse has scored, both afterwards, and who may see more."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from neopain.charting.aggregates import sum_up_scores
from neopain.charting.audit.verify import verify_audit
from neopain.charting.retention.rows import CLASSES, delete_batch
from neopain.charting.unit_of_work import unit_of_work
from neopain.codecs.fhir.ids import patient_id
from neopain.domain.identity import PatientId
from neopain.domain.study import Reveal, Study

from ....fhir_validity import require_valid
from ..conftest import AUTHORITY, NOON
from .conftest import outcome

Rows = Callable[[str], list[dict[str, Any]]]

SCORES = "https://neopain.org/fhir/CodeSystem/score"
ITEMS = {"facial-expression": 1, "cry": 2, "breathing": 0, "arms": 1, "legs": 0, "arousal": 1}
SECRET = 6.125
"""Of 10: the number that nobody may be told. Its NIPS equivalent is 4.2875, its interval 5.125 to 7.125."""
TELL_TALES = ("6.1", "4.3", "4.28", "5.1", "7.1")
SYSTEM = "system/*.rs neopain/study.r"
POLICY = """
name = "trial"
[[unit]]
name = "NICU"
study.enabled = true
study.reveal = "{reveal}"
"""


@dataclass(slots=True)
class Trial:
    """A unit in study mode: its API, its ward, and a nurse."""

    api: Any
    ward: Any
    scope: str = "user/*.cruds"
    claims: dict[str, Any] = field(default_factory=dict)

    @property
    def token(self) -> str:
        return str(self.api.token(**{"scope": self.scope, "sub": "n-17", "name": "N. Nurse", **self.claims}))

    def score(self, second: float = 60, items: dict[str, int] | None = None, **changes: Any) -> httpx.Response:
        """The answer to her own score of the ward's infant at the second after noon."""
        items = items or ITEMS
        body = {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "98012-8"}]},
            "subject": {"reference": f"Patient/{patient_id(self.ward.infant)}"},
            "effectiveDateTime": (NOON + timedelta(seconds=second)).isoformat(),
            "valueQuantity": {"value": sum(items.values())},
            "component": [
                {"code": {"coding": [{"system": SCORES, "code": f"nips-{name}"}]}, "valueInteger": value}
                for name, value in items.items()
            ],
            **changes,
        }
        told = {name: value for name, value in body.items() if value is not None}
        headers = {"Content-Type": "application/fhir+json", "X-Request-Id": "request-9"}
        answer: httpx.Response = self.api.ask(
            "Observation", method="POST", token=self.token, headers=headers, json=told
        )
        return answer

    def found(self, path: str, token: str = "") -> list[dict[str, Any]]:
        return list(self.api.found(path, token=token or self.token))


def policy_file(folder: Path, reveal: str = "after-score") -> Path:
    path = folder / "policy.toml"
    path.write_text(POLICY.format(reveal=reveal))
    return path


@pytest.fixture
def trial(ward: Any, api_with: Callable[..., Any], tmp_path: Path) -> Trial:
    """A minute of windows, with entries, aggregates and a newest score, all of 6.125."""
    ward.policy = replace(ward.policy, study=Study(enabled=True))
    ward.clock.advance(60)
    ward.take(*(ward.score(second, SECRET) for second in range(1, 61, 5)))
    sum_up_scores(ward.intake, now=ward.clock.now())
    return Trial(api_with(policy_file=policy_file(tmp_path)), ward)


def everything(trial: Trial, *, token: str) -> list[str]:
    """What a token gets at every address there is, as text."""
    patient, asked = patient_id(trial.ward.infant), []
    ids = [
        row["entry_id"] for row in trial.ward.engine.connect().execute(text("SELECT entry_id FROM entries")).mappings()
    ]
    for resource in ("Observation", "Patient", "Encounter", "Device", "Flag", "Provenance", "AuditEvent"):
        asked += [resource, f"{resource}?_count=500", f"{resource}?_summary=count"]
    codes = "pain-score,live-pain-score,aggregated-pain-score,98012-8"
    asked += [f"Observation?code={codes}&_summary={one}" for one in ("true", "text", "data", "count", "false")]
    asked += [
        f"Observation?code={codes}&_count=1&_sort=date",
        f"Observation?code={codes}&_sort=-_lastUpdated&patient={patient}",
        "Observation?category=live",
        "Observation?category=aggregate",
        "Observation?status=preliminary",
        "Provenance?_include=Provenance:target",
        f"Provenance?patient={patient}&_include=Provenance:target",
        "AuditEvent?subtype=entry_blinded",
        "metadata",
    ]
    for own_id in ids:
        asked += [
            f"Observation/{own_id}",
            f"Provenance/{own_id}",
            f"Observation?_id={own_id}",
            f"Provenance?target={own_id}",
        ]
    asked += [f"Observation/{one['id']}" for one in live_and_sums(trial)]
    return [trial.api.ask(path, token=token).text for path in asked]


def live_and_sums(trial: Trial) -> list[dict[str, Any]]:
    path = "Observation?code=live-pain-score,aggregated-pain-score&_count=500"
    return list(trial.api.found(path, token=trial.api.token(scope=SYSTEM)))


def told_numbers(texts: list[str]) -> list[str]:
    """Which of the secret numbers stand in the texts as values."""
    return [tale for tale in TELL_TALES for one in texts if f'"value":{tale}' in one or f'"{tale}' in one]


def test_no_address_tells_the_number_before_she_has_scored(trial: Trial) -> None:
    assert told_numbers(everything(trial, token=trial.token)) == []
    # The same addresses do tell it to who evaluates the study: the walk would see it.
    assert set(told_numbers(everything(trial, token=trial.api.token(scope=SYSTEM)))) >= {"6.1", "4.3"}


def test_a_system_without_the_scope_of_studies_is_told_none(trial: Trial) -> None:
    path = "Observation?code=pain-score,live-pain-score,aggregated-pain-score&_count=500"

    assert told_numbers([trial.api.ask(path).text]) == []
    assert told_numbers([trial.api.ask(path, token=trial.api.token(scope="user/*.rs neopain/study.r")).text]) == []


def test_the_newest_score_says_that_she_scores_first(trial: Trial) -> None:
    (newest,) = trial.found("Observation?category=live")

    assert newest["dataAbsentReason"] == {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "masked"}],
        "text": "study-mode",
    }
    assert "valueQuantity" not in newest


def test_gzip_and_the_answer_to_a_known_version_tell_no_more(trial: Trial) -> None:
    path = "Observation?code=pain-score,live-pain-score,aggregated-pain-score&_count=500"
    packed = trial.api.ask(path, token=trial.token, headers={"Accept-Encoding": "gzip"})
    again = trial.api.ask(path, token=trial.token, headers={"If-None-Match": packed.headers["ETag"]})

    assert told_numbers([packed.text]) == []
    assert again.status_code in (200, 304)
    assert told_numbers([again.text]) == []


def test_events_name_nothing_that_is_kept(trial: Trial, rows: Rows) -> None:
    events: list[str] = []
    with (
        going_on(trial.ward),
        trial.api.http.stream(
            "GET", f"{trial.api.url}/$events", headers={"Authorization": f"Bearer {trial.token}"}
        ) as answer,
    ):
        for line in answer.iter_lines():
            events.append(line)
            # From the first on the feed looks; by the fourth intervals have been closed between two looks.
            if events.count("event: live-score") == 4:
                break

    assert told_numbers(events) == []
    assert not [line for line in events if line in ("event: entry", "event: aggregate", "event: alert")]
    assert rows("SELECT count(*) > 0 AS are_kept FROM entries WHERE state = 'blinded'") == [{"are_kept": True}]


@contextmanager
def going_on(ward: Any) -> Iterator[None]:
    """A window after the other while the block runs, five seconds apart: intervals are closed on the way."""
    stop = threading.Event()

    def go_on() -> None:
        second = 61
        while not stop.wait(0.1):
            ward.take(ward.score(second, SECRET))
            sum_up_scores(ward.intake, now=NOON + timedelta(seconds=second))
            second += 5

    windows = threading.Thread(target=go_on)
    windows.start()
    try:
        yield
    finally:
        stop.set()
        windows.join()


def test_nothing_goes_to_the_ehr(trial: Trial, rows: Rows) -> None:
    trial.score()

    assert rows("SELECT count(*) AS rows FROM outbox") == [{"rows": 0}]
    kept = rows("SELECT DISTINCT state, in_study FROM entries ORDER BY state")
    assert kept == [{"state": "blinded", "in_study": True}, {"state": "charted", "in_study": True}]


def test_after_her_score_both_are_told(trial: Trial, rows: Rows) -> None:
    answer = trial.score(performer=[{"identifier": {"value": "n-17"}}], note=[{"text": "asleep"}])

    hers = answer.json()
    require_valid(hers)
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/Observation/{hers['id']}/_history/1")
    assert hers["valueQuantity"]["value"] == 5
    assert hers["performer"][0]["identifier"]["value"] == "n-17"
    assert "derivedFrom" not in hers
    (ours,) = trial.found("Observation?code=pain-score")
    assert ours["valueQuantity"]["value"] == 6.1
    assert ours["meta"]["tag"][0]["code"] == "study"
    assert ours["effectivePeriod"]["end"] == "2026-10-05T12:00:56+00:00"
    assert hers["extension"][0]["valueReference"]["identifier"]["value"] == ours["id"]
    assert {one["id"] for one in trial.found("Provenance")} == {ours["id"], hers["id"]}


def test_after_it_what_is_of_other_times_is_still_kept(trial: Trial) -> None:
    trial.score()

    assert [one["id"] for one in trial.found("Observation?category=aggregate&code=aggregated-pain-score")] == []
    (newest,) = trial.found("Observation?category=live")
    assert newest["dataAbsentReason"]["text"] == "study-mode"
    assert len(trial.found("Observation?code=pain-score")) == 1


def test_both_are_kept_in_one_transaction_with_the_audit_row(trial: Trial, rows: Rows, database: str) -> None:
    hers = trial.score().json()

    (kept,) = rows("SELECT * FROM study_scores")
    assert kept["entry_id"] == hers["id"]
    assert (kept["nips"], kept["items"]["cry"], kept["reviewer"], kept["seen_before"]) == (5, 2, "n-17", False)
    (ours,) = rows(f"SELECT value, state, revealed FROM entries WHERE entry_id = '{kept['suggestion_id']}'")  # noqa: S608
    assert ours == {"value": SECRET, "state": "blinded", "revealed": "after-score"}
    (audited,) = rows("SELECT * FROM audit WHERE event = 'study_scored'")
    detail = json.loads(audited["detail"])
    assert (audited["actor"], audited["entry_id"], detail["request_id"]) == ("N. Nurse", hers["id"], "request-9")
    assert (detail["nips"], detail["suggestion"], len(detail["draft_sha256"])) == (5, kept["suggestion_id"], 64)
    assert "6.1" not in audited["detail"]
    assert verify_audit(database).is_whole


def test_when_the_database_refuses_one_of_them_nothing_is_kept(
    trial: Trial, rows: Rows, tamper: Callable[..., None]
) -> None:
    tamper("ALTER TABLE study_scores ADD CONSTRAINT none CHECK (nips < 0)")
    try:
        answer = trial.score()
    finally:
        tamper("ALTER TABLE study_scores DROP CONSTRAINT none")

    assert answer.status_code >= 500
    assert rows("SELECT count(*) AS rows FROM entries WHERE kind LIKE 'nurse-%' OR revealed IS NOT NULL") == [
        {"rows": 0}
    ]
    assert rows("SELECT count(*) AS rows FROM audit WHERE event = 'study_scored'") == [{"rows": 0}]


def test_the_same_score_again_is_answered_and_kept_once(trial: Trial, rows: Rows) -> None:
    first, again = trial.score(), trial.score()

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert rows("SELECT count(*) AS rows FROM study_scores") == [{"rows": 1}]


def test_another_score_of_hers_for_the_same_time_is_refused(trial: Trial, rows: Rows) -> None:
    trial.score()
    answer = trial.score(items={**ITEMS, "cry": 0})

    assert outcome(answer) == (422, "business-rule")
    assert answer.json()["issue"][0]["expression"] == ["Observation.component"]
    assert rows("SELECT nips FROM study_scores") == [{"nips": 5}]


def test_a_second_nurse_s_score_of_that_time_says_that_the_number_could_be_seen(trial: Trial, rows: Rows) -> None:
    trial.score()
    trial.claims = {"sub": "n-18", "name": "M. Nurse"}
    second, third = trial.score(), trial.score(50)

    assert (second.status_code, third.status_code) == (201, 201)
    kept = rows(
        "SELECT reviewer, seen_before, suggestion_id FROM study_scores ORDER BY moment, reviewer, effective DESC"
    )
    assert [(one["reviewer"], one["seen_before"]) for one in kept] == [("n-17", False), ("n-18", True), ("n-18", True)]
    assert kept[0]["suggestion_id"] == kept[1]["suggestion_id"]


def test_a_time_before_the_study_is_kept_as_seen(trial: Trial, rows: Rows, tamper: Callable[..., None]) -> None:
    tamper("UPDATE aggregates SET in_study = false WHERE begins = '2026-10-05T12:00:20Z'")
    trial.score()

    assert rows("SELECT seen_before FROM study_scores") == [{"seen_before": True}]


def test_without_a_window_hers_is_kept_alone_with_the_reason(trial: Trial, rows: Rows) -> None:
    trial.ward.clock.advance(300)
    answer = trial.score(second=300)

    assert answer.status_code == 201
    assert "extension" not in answer.json()
    (kept,) = rows("SELECT suggestion_id, unpaired FROM study_scores")
    assert kept == {"suggestion_id": None, "unpaired": "no window of this bed in the minute that was scored"}


NO_SCORES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"effectiveDateTime": "2026-10-05T12:02:00Z"}, "Observation.effectiveDateTime"),
    ({"effectiveDateTime": "2026-10-05T10:59:00Z"}, "Observation.effectiveDateTime"),
    ({"effectiveDateTime": "2026-10-05"}, "Observation.effectiveDateTime"),
    ({"effectiveDateTime": None}, "Observation.effectiveDateTime"),
    ({"subject": {"reference": "Device/1"}}, "Observation.subject"),
    ({"valueQuantity": {"value": 4}}, "Observation.valueQuantity"),
    ({"component": []}, "Observation.component"),
    ({"performer": [{"identifier": {"value": "n-99"}}]}, "Observation.performer"),
    ({"effectivePeriod": {"start": "2026-10-05T12:00:00Z"}}, "Observation.effectivePeriod"),
    ({"status": "preliminary"}, "Observation.status"),
)


def test_what_is_no_score_is_refused_by_its_element(trial: Trial, rows: Rows) -> None:
    for changes, element in NO_SCORES:
        answer = trial.score(**changes)
        assert outcome(answer) == (422, "business-rule")
        assert answer.json()["issue"][0]["expression"] == [element]
    assert rows("SELECT count(*) AS rows FROM study_scores") == [{"rows": 0}]


def test_she_scores_only_infants_of_her_unit(
    trial: Trial, rows: Rows, api_with: Callable[..., Any], tmp_path: Path
) -> None:
    trial.api = api_with(policy_file=policy_file(tmp_path), api_units_claim="units")
    trial.claims = {"units": ["PICU"]}

    assert outcome(trial.score()) == (404, "not-found")
    assert rows("SELECT count(*) AS rows FROM study_scores") == [{"rows": 0}]
    trial.claims = {"units": ["NICU"]}
    assert trial.score().status_code == 201


def test_another_infant_s_time_in_the_bed_is_not_hers(trial: Trial, rows: Rows) -> None:
    other = PatientId("MRN-other", AUTHORITY)
    trial.ward.clock.advance(30)
    trial.ward.admit(at=65)
    trial.ward.admit(other, at=70)
    trial.ward.infant = other

    assert trial.score(second=60).json()["issue"][0]["expression"] == ["Observation.subject"]
    assert rows("SELECT count(*) AS rows FROM study_scores") == [{"rows": 0}]


def test_a_held_bed_takes_no_score(trial: Trial) -> None:
    trial.ward.admit(trial.ward.infant, at=60, held="two infants")

    assert outcome(trial.score()) == (409, "conflict")


def test_only_a_person_writes_and_a_system_of_the_study_reads(trial: Trial) -> None:
    trial.scope = SYSTEM + " system/Observation.cruds"
    assert outcome(trial.score()) == (403, "forbidden")
    mixed = trial.api.token(scope=f"{SYSTEM} user/Observation.rs")

    assert trial.found("Observation?code=pain-score", token=mixed) == []
    assert len(trial.found("Observation?code=pain-score", token=trial.api.token(scope=SYSTEM))) == 6


def test_a_read_for_the_study_is_in_the_trail_as_one(trial: Trial, rows: Rows) -> None:
    trial.found("Observation?code=pain-score", token=trial.api.token(scope=SYSTEM))
    trial.found("Observation?code=pain-score")

    read = [
        json.loads(row["detail"]) for row in rows("SELECT detail FROM audit WHERE chain = 'reads' ORDER BY position")
    ]
    assert [one.get("study") for one in read] == [True, None]


def test_nobody_verifies_what_is_kept_for_a_study(trial: Trial, rows: Rows) -> None:
    trial.score()
    (ours,) = trial.found("Observation?code=pain-score")
    headers = {"If-Match": 'W/"1"', "Content-Type": "application/fhir+json"}
    accepted = {**ours, "status": "final"}
    answer = trial.api.ask(f"Observation/{ours['id']}", method="PUT", token=trial.token, headers=headers, json=accepted)

    assert outcome(answer) == (422, "business-rule")
    assert (
        trial.score(
            subject=None,
            effectiveDateTime=None,
            derivedFrom=[{"reference": f"Observation/{ours['id']}/_history/1"}],
        ).status_code
        == 422
    )
    assert rows("SELECT count(*) AS rows FROM reviews") == [{"rows": 0}]


def test_hidden_until_the_end_they_are_told_when_the_unit_leaves_study_mode(
    trial: Trial, api_with: Callable[..., Any], tmp_path: Path
) -> None:
    trial.ward.policy = replace(trial.ward.policy, study=Study(True, Reveal.AFTER_STUDY))
    trial.api = api_with(policy_file=policy_file(tmp_path, "after-study"))
    assert trial.score().status_code == 201
    during = trial.found("Observation?code=pain-score")
    trial.api = api_with()

    assert during == []
    (ours,) = trial.found("Observation?code=pain-score")
    assert ours["valueQuantity"]["value"] == 6.1


def test_a_unit_that_leaves_study_mode_charts_anew_and_sends_nothing_of_before(
    trial: Trial, rows: Rows, states: Callable[[], list[str]], api_with: Callable[..., Any]
) -> None:
    held_before = rows("SELECT count(*) AS rows FROM entries")[0]["rows"]
    trial.ward.policy = replace(trial.ward.policy, study=Study())
    trial.api = api_with()
    # Of the interval that is open now, one window was blinded and the others are not.
    trial.ward.take(*(trial.ward.score(second, 2.0) for second in (59, 63, 75)))

    assert states() == ["pending"]
    (sent,) = rows("SELECT entries.value, in_study FROM outbox JOIN entries USING (entry_id)")
    assert sent == {"value": 2.0, "in_study": False}
    assert rows("SELECT count(*) AS rows FROM entries WHERE state = 'blinded'")[0]["rows"] >= held_before
    assert [one["valueQuantity"]["value"] for one in trial.found("Observation?code=pain-score")] == [2.0]
    assert told_numbers(everything(trial, token=trial.token)) == []


def test_what_was_held_in_a_study_stays_in_it_when_it_is_known_whose_it_is(
    trial: Trial, rows: Rows, states: Callable[[], list[str]]
) -> None:
    other = PatientId("MRN-late", AUTHORITY)
    trial.ward.policy = replace(trial.ward.policy, study=Study())
    # Told late: since before noon another infant has lain there.
    trial.ward.admit(other, at=-30)

    assert states() == []
    standing = rows("SELECT DISTINCT state, patient_value FROM entries WHERE state IN ('blinded', 'charted')")
    assert standing == [{"state": "blinded", "patient_value": "MRN-late"}]
    assert rows("SELECT DISTINCT in_study FROM entries") == [{"in_study": True}]


def test_scores_of_a_study_cannot_be_changed(trial: Trial, owner_engine: Any) -> None:
    trial.score()

    with pytest.raises(IntegrityError, match="append-only"), owner_engine.begin() as connection:
        connection.execute(text("UPDATE study_scores SET nips = 0"))


def test_retention_takes_hers_and_then_ours(trial: Trial, owner_engine: Any, rows: Rows) -> None:
    trial.score()
    entries, now = CLASSES[0], NOON + timedelta(days=1)
    for _ in range(2):
        with unit_of_work(owner_engine, trial.ward.clock) as unit:
            delete_batch(unit, entries, before=now, by="test", now=now)

    assert rows("SELECT count(*) AS rows FROM entries") == [{"rows": 0}]
    assert rows("SELECT count(*) AS rows FROM study_scores") == [{"rows": 0}]
