"""Delivery by batches: to a FHIR server that nobody here wrote, and to one that refuses or loses parts of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from neopain.charting.deliverer import Deliverer
from neopain.charting.ehr import fhir_batch
from neopain.charting.ehr.fhir_batch import Batches
from neopain.charting.ehr.fhir_r4 import R4Channel

from ...servers import trusted

INFANTS = 3
Channel = Callable[..., R4Channel]
States = Callable[[], list[str]]
SweepAtOnce = Callable[[str], int]
Wards = list[Any]


@pytest.fixture
def wards(ward: Any, ehr: Any) -> Wards:
    """Beds with one entry each, of infants that the EHR has."""
    made = [type(ward)(ward.engine, ward.clock) for _ in range(INFANTS)]
    for one in made:
        one.admit(one.infant)
        ehr.begin_encounter(ehr.admit(one.infant))
        one.chart()
    return made


class Together:
    """Delivers for all infants at the same time, in step: a batch waits for everybody who has something to ask."""

    def __init__(self, deliverer: Deliverer, batches: Batches) -> None:
        self.deliverer = deliverer
        self.batches = batches
        self.running: set[str] = set()

    def wait(self, _: float) -> None:
        end = time.monotonic() + 30
        while sum(len(one.requests) for one in list(self.batches._open.values())) < len(self.running):
            assert time.monotonic() < end
            time.sleep(0.001)

    def sweep(self) -> int:
        handed_out = self.deliverer.hand_out()
        self.running = set(handed_out)
        with ThreadPoolExecutor(max_workers=INFANTS) as pool:
            return sum(pool.map(self._deliver, handed_out))

    def _deliver(self, entry_id: str) -> int:
        try:
            return self.deliverer.deliver(entry_id)
        finally:
            self.running.discard(entry_id)


@pytest.fixture
def sweep_at_once(deliverer_to: Callable[..., Deliverer], monkeypatch: pytest.MonkeyPatch) -> SweepAtOnce:
    """One round of delivery to a FHIR base URL by as many threads as there are infants."""
    made: dict[str, Together] = {}

    def run(url: str) -> int:
        if url not in made:
            deliverer = deliverer_to(url, http={"gathering_seconds": 1.0})
            made[url] = Together(deliverer, deliverer.channel.http._batches)  # type: ignore[attr-defined]
            monkeypatch.setattr(fhir_batch, "sleep", made[url].wait)
        return made[url].sweep()

    return run


def bundle_of(request: httpx.Request) -> list[dict[str, Any]]:
    """The entries of a batch; of any other request none."""
    body = json.loads(request.content or b"{}")
    return list(body["entry"]) if body.get("type") == "batch" else []


def strike(faulty_ehr: Any, *, status: int, method: str = "POST") -> list[int]:
    """The next batch that has such a request is answered by 200, and within it the first of them by the status.

    Returns where the sizes of all batches are written down.
    """
    send, sizes = faulty_ehr.forward, []
    struck: list[int] = []

    def forward(request: httpx.Request) -> httpx.Response:
        entries = bundle_of(request)
        sizes.extend([len(entries)] if entries else [])
        hit = next((place for place, one in enumerate(entries) if one["request"]["method"] == method), None)
        if struck or hit is None:
            return send(request)
        struck.append(hit)
        passed = {"resourceType": "Bundle", "type": "batch", "entry": entries[:hit] + entries[hit + 1 :]}
        headers = {"Content-Type": "application/fhir+json"}
        body = send(httpx.Request("POST", request.url, json=passed, headers=headers)).json()
        body["entry"].insert(hit, {"response": {"status": str(status)}})
        return httpx.Response(200, json=body)

    faulty_ehr.forward = forward
    return sizes


def held_by_the_ehr(ehr: Any, wards: Wards) -> list[int]:
    """How many entries the EHR has of each infant."""
    patients = [ehr.search("Patient", identifier=one.infant.value)[0]["id"] for one in wards]
    return [len(ehr.observations(f"Patient/{one}")) for one in patients]


def test_entries_of_several_infants_arrive_in_batches(
    wards: Wards, ehr: Any, faulty_ehr: Any, sweep_at_once: SweepAtOnce, states: States
) -> None:
    sizes = strike(faulty_ehr, status=500, method="DELETE")

    assert sweep_at_once(faulty_ehr.url) == INFANTS

    assert states() == ["confirmed"] * INFANTS
    assert held_by_the_ehr(ehr, wards) == [1] * INFANTS
    # Patient, encounter, creation, reading back.
    assert sizes == [INFANTS] * 4
    assert faulty_ehr.asked == ["POST"] * 4


@pytest.mark.parametrize("status", [429, 503])
def test_a_part_that_is_refused_for_now_is_tried_again_alone(
    wards: Wards, ehr: Any, faulty_ehr: Any, sweep_at_once: SweepAtOnce, *, states: States, status: int
) -> None:
    strike(faulty_ehr, status=status)

    sweep_at_once(faulty_ehr.url)
    assert sorted(states()) == ["confirmed", "confirmed", "pending"]

    wards[0].clock.advance(30)
    assert sweep_at_once(faulty_ehr.url) == 1
    assert states() == ["confirmed"] * INFANTS
    assert held_by_the_ehr(ehr, wards) == [1] * INFANTS


def test_a_part_that_is_refused_for_good_is_a_dead_letter_of_its_own(
    wards: Wards, ehr: Any, faulty_ehr: Any, sweep_at_once: SweepAtOnce, states: States
) -> None:
    strike(faulty_ehr, status=422)

    assert sweep_at_once(faulty_ehr.url) == INFANTS

    assert sorted(states()) == ["confirmed", "confirmed", "rejected"]
    assert sorted(held_by_the_ehr(ehr, wards)) == [0, 1, 1]


def test_a_batch_that_is_lost_after_the_ehr_has_carried_it_out_doubles_nothing(
    wards: Wards, ehr: Any, faulty_ehr: Any, sweep_at_once: SweepAtOnce, states: States
) -> None:
    # Patients and encounters are found; the answer to the creations is cut off.
    faulty_ehr.fail_after(2, "POST", status=0)

    sweep_at_once(faulty_ehr.url)
    assert states() == ["pending"] * INFANTS

    wards[0].clock.advance(30)
    assert sweep_at_once(faulty_ehr.url) == INFANTS
    assert states() == ["confirmed"] * INFANTS
    assert held_by_the_ehr(ehr, wards) == [1] * INFANTS


def test_an_ehr_that_refuses_batches_gets_each_request_alone(
    wards: Wards, ehr: Any, faulty_ehr: Any, sweep_at_once: SweepAtOnce, states: States
) -> None:
    faulty_ehr.fail("POST", status=405)

    assert sweep_at_once(faulty_ehr.url) == INFANTS

    assert states() == ["confirmed"] * INFANTS
    assert held_by_the_ehr(ehr, wards) == [1] * INFANTS
    assert faulty_ehr.asked[1:].count("GET") >= INFANTS


def test_an_ehr_that_does_not_say_that_it_takes_batches_gets_none(
    wards: Wards, faulty_ehr: Any, channel_to: Channel
) -> None:
    channel = channel_to(faulty_ehr.url, http={"gathering_seconds": 0.001})
    channel.check()
    assert channel.http.sends_batches

    statement = httpx.get(f"{faulty_ehr.target}/metadata", verify=trusted()).json()
    statement["rest"][0]["interaction"] = [{"code": "transaction"}]
    faulty_ehr.fail("GET", status=200, body=json.dumps(statement).encode())
    channel.check()

    assert not channel.http.sends_batches
