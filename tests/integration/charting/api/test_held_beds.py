"""A held bed that a nurse resolves over the API: ingest's own rules on a real bus, refused exactly, audited."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from neopain.bootstrap.held_beds import resolver
from neopain.bus.bus import Bus
from neopain.bus.census import read_bed, read_census, write_beds
from neopain.charting.api.service import serving
from neopain.charting.api.settings import ApiSettings
from neopain.charting.facts import take_fact
from neopain.codecs.fhir.ids import encounter_id
from neopain.domain.census import BedState, Infant
from neopain.domain.identity import BedId, PatientId
from neopain.embedded.loopback import free_port
from neopain.ingest.census.release import ReleaseWanted, release
from neopain.runtime.settings import BusSettings

from ....fhir_validity import require_valid
from ....servers import trusted
from ...in_thread import in_thread
from ..conftest import AUTHORITY, NOON
from .conftest import ISSUER, Api, outcome

Rows = Callable[[str], list[dict[str, Any]]]
WHY = "two infants are in this bed by ADT"
OTHER = PatientId("MRN-other", AUTHORITY)


@dataclass(slots=True)
class HeldBed:
    """A bed that two infants are in by ADT, on the bus and in charting's own census, and a nurse at the API."""

    api: Api
    ward: Any
    bus: BusSettings
    claims: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"Encounter/{encounter_id(self.ward.infant, 'V1')}/$resolve-held"

    def resolve(self, *, path: str = "", scope: str = "user/Encounter.rus", **changes: str) -> httpx.Response:
        """The answer to her decision that the ward's infant lies there."""
        told = {"bed": self.ward.bed, "seen": WHY, "reason": "wristband read", **changes}
        parameter = [{"name": name, "valueString": value} for name, value in told.items() if value]
        body = {"resourceType": "Parameters", "parameter": parameter}
        token = self.api.token(**{"scope": scope, "sub": "n-17", "name": "N. Nurse", **self.claims})
        headers = {"Content-Type": "application/fhir+json", "X-Request-Id": "request-5"}
        return self.api.ask(path or self.path, method="POST", token=token, headers=headers, json=body)

    def on_bus(self) -> BedState:
        state: BedState = asyncio.run(of_bus(self.bus, lambda bus: read_bed(bus, self.ward.bed)))
        return state

    def facts(self) -> int:
        return int(asyncio.run(of_bus(self.bus, lambda bus: bus.durable.xlen(bus.key("census")))))


async def of_bus(settings: BusSettings, ask: Callable[[Bus], Any]) -> Any:
    bus = Bus(settings.address())
    try:
        return await ask(bus)
    finally:
        await bus.aclose()


async def told(bus: Bus, state: BedState, mark: str) -> None:
    await write_beds(bus, [state], version=(await read_census(bus)).version, mark=mark)


@pytest.fixture
def held(ward: Any, database: str, issuer: Any, bus_settings: BusSettings) -> Any:
    infants = [Infant((one,), visit="V1") for one in (ward.infant, OTHER)]
    state = BedState(ward.bed, NOON, infants[0], WHY, rivals=(infants[1],), held_since=NOON)
    asyncio.run(of_bus(bus_settings, lambda bus: told(bus, state, "held")))
    take_fact(ward.intake, fact_id="held", state=state, arrived=NOON)
    settings = ApiSettings(
        database_url=database,
        api_port=free_port(),
        api_issuer=ISSUER,
        api_jwks_file=issuer.jwks_file,
        api_units_claim="units",
    )
    with ExitStack() as started:
        started.enter_context(in_thread(serving(settings, ward.engine, ward.clock, resolve_bed=resolver(bus_settings))))
        http = started.enter_context(httpx.Client(timeout=30, verify=trusted()))
        api = Api(settings.base_url, issuer, http, started.close)
        yield HeldBed(api, ward, bus_settings, {"units": ["NICU"]})


def test_she_says_who_lies_there_and_the_bed_is_let_go(held: HeldBed) -> None:
    answer = held.resolve()

    encounter = answer.json()
    require_valid(encounter)
    assert answer.status_code == 200
    assert encounter["location"][0]["location"]["display"] == held.ward.bed
    state = held.on_bus()
    assert (state.is_held, state.rivals, state.infant and state.infant.identifiers[0]) == (False, (), held.ward.infant)
    assert state.release is not None
    assert (state.release.by, state.release.reason) == ("N. Nurse", "wristband read")


def test_it_does_what_the_command_does(held: HeldBed) -> None:
    bed, first = BedId("NICU/9/command"), PatientId("A", AUTHORITY)
    alike = BedState(bed, NOON, Infant((first,), visit="V1"), WHY, rivals=(Infant((PatientId("B", AUTHORITY),)),))
    asyncio.run(of_bus(held.bus, lambda bus: told(bus, alike, "alike")))
    wanted = ReleaseWanted(bed, "N. Nurse", "wristband read", first)
    by_command = asyncio.run(of_bus(held.bus, lambda bus: release(bus, wanted, now=NOON)))
    held.resolve()
    by_api = held.on_bus()

    same = ("held_reason", "rivals", "disputes", "overruled", "release", "processing")
    assert {name: getattr(by_api, name) for name in same} == {name: getattr(by_command, name) for name in same}


def test_who_when_what_she_saw_and_why_are_in_the_trail_before(held: HeldBed, rows: Rows) -> None:
    held.resolve()

    (row,) = rows("SELECT * FROM audit WHERE event = 'bed_release_asked'")
    detail = json.loads(row["detail"])
    assert (row["actor"], row["patient"]) == ("N. Nurse", f"{AUTHORITY}|{held.ward.infant.value}")
    asked = {"bed": held.ward.bed, "saw": WHY, "why": "wristband read", "reviewer": "n-17", "request_id": "request-5"}
    assert {name: detail[name] for name in asked} == asked


def test_charting_takes_the_fact_and_names_her(held: HeldBed, rows: Rows) -> None:
    held.resolve()
    state = held.on_bus()
    take_fact(held.ward.intake, fact_id="released", state=state, arrived=NOON + timedelta(seconds=1))

    (row,) = rows("SELECT actor, detail FROM audit WHERE event = 'bed_released'")
    assert (row["actor"], json.loads(row["detail"])["reason"]) == ("N. Nurse", "wristband read")


def test_the_same_decision_again_is_answered_and_is_one_fact(held: HeldBed) -> None:
    first, facts = held.resolve(), held.facts()
    again = held.resolve()

    assert (first.status_code, again.status_code) == (200, 200)
    assert held.facts() == facts


def test_a_bed_that_is_held_for_another_reason_than_she_saw_stays_held(held: HeldBed, rows: Rows) -> None:
    answer = held.resolve(seen="a monitor names somebody else")

    assert outcome(answer) == (409, "conflict")
    state = held.on_bus()
    assert state.is_held
    (row,) = rows("SELECT detail FROM audit WHERE event = 'bed_release_refused'")
    assert "another reason" in json.loads(row["detail"])["refusal"]


def test_a_bed_that_is_not_held_any_more_is_left_alone(held: HeldBed) -> None:
    state = BedState(held.ward.bed, NOON, Infant((held.ward.infant,), visit="V1"))
    asyncio.run(of_bus(held.bus, lambda bus: told(bus, state, "free")))

    assert outcome(held.resolve()) == (409, "conflict")


def test_an_infant_whom_adt_has_there_no_more_is_not_placed(held: HeldBed) -> None:
    state = BedState(held.ward.bed, NOON, Infant((OTHER,), visit="V1"), WHY, held_since=NOON)
    asyncio.run(of_bus(held.bus, lambda bus: told(bus, state, "gone")))

    assert outcome(held.resolve()) == (409, "conflict")
    found = held.on_bus()
    assert found.is_held


def test_parameters_are_refused_by_their_names(held: HeldBed) -> None:
    for changes in ({"reason": ""}, {"seen": ""}, {"bed": "NICU/1/elsewhere"}, {"reason": "x" * 201}, {"more": "x"}):
        assert outcome(held.resolve(**changes)) == (422, "business-rule"), changes
    found = held.on_bus()
    assert found.is_held


def test_only_a_person_of_the_unit_with_the_scope_decides(held: HeldBed, rows: Rows) -> None:
    assert outcome(held.resolve(scope="user/Encounter.rs")) == (403, "forbidden")
    assert outcome(held.resolve(scope="system/Encounter.cruds")) == (403, "forbidden")
    assert outcome(held.resolve(path="Encounter/none/$resolve-held")) == (404, "not-found")
    held.claims = {"units": ["PICU"]}
    assert outcome(held.resolve()) == (404, "not-found")
    found = held.on_bus()
    assert found.is_held
    assert rows("SELECT count(*) AS rows FROM audit WHERE event LIKE 'bed_release%'") == [{"rows": 0}]


def test_a_bus_that_does_not_answer_is_503(held: HeldBed, engine: Engine, issuer: Any, database: str) -> None:
    nowhere = BusSettings(url=f"redis://127.0.0.1:{free_port()}/0", media_urls=held.bus.media_urls)
    settings = ApiSettings(
        database_url=database, api_port=free_port(), api_issuer=ISSUER, api_jwks_file=issuer.jwks_file
    )
    with in_thread(serving(settings, engine, held.ward.clock, resolve_bed=resolver(nowhere))):
        held.api.url = settings.base_url
        assert outcome(held.resolve()) == (503, "transient")


def operations(api: Api) -> list[str]:
    """The operations on an Encounter that the API says it has."""
    listed = api.read("metadata", token="")["rest"][0]["resource"]
    return [operation["name"] for one in listed if one["type"] == "Encounter" for operation in one.get("operation", [])]


def test_where_it_is_not_set_there_is_no_such_operation(held: HeldBed, api: Api) -> None:
    assert (operations(held.api), operations(api)) == (["resolve-held"], [])
    held.api = api
    assert outcome(held.resolve()) == (404, "not-found")
