"""SMART Backend Services: charting to an EHR that lets in only who signs as one that is registered."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from neopain.charting.deliverer import Deliverer
from neopain.charting.ehr.fhir_r4 import R4Channel
from neopain.charting.ehr.smart_keys import make_key, read_keys
from neopain.charting.ehr.smart_token import SmartClient
from neopain.charting.retry import RetryPolicy
from neopain.errors import ConfigurationError, EhrUnavailable, NotLetIn

from .authorization import CLIENT, AuthorizationServer, running, told

Rows = Callable[[str], list[dict[str, Any]]]
SCOPES = "system/Patient.rs system/Observation.crus"


@pytest.fixture(scope="module")
def shared_server(authorization_script: Path, ehr_url: str) -> Iterator[AuthorizationServer]:
    with running(authorization_script, ehr_url) as server:
        yield server


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with one key."""
    make_key(tmp_path / "keys", "ES384", now=datetime(2026, 1, 1, tzinfo=UTC))
    return tmp_path / "keys"


@pytest.fixture(scope="module")
def rsa_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one RSA key, which takes a while to make."""
    folder = tmp_path_factory.mktemp("rsa")
    make_key(folder, "RS384", now=datetime(2026, 2, 1, tzinfo=UTC))
    return folder


@pytest.fixture
def server(shared_server: AuthorizationServer, keys: Path) -> AuthorizationServer:
    """One that knows the key, and no token of before."""
    shared_server.register(keys, forget=True)
    return shared_server


@dataclass(slots=True)
class Connect:
    """Makes channels to the EHR behind the server. The client's clock begins where the server's is, the machine's."""

    url: str
    keys: Path
    clock: Any
    make: Callable[..., R4Channel]

    def __call__(self, **options: Any) -> R4Channel:
        client = replace(SmartClient(CLIENT, self.keys, SCOPES), **options)
        return self.make(self.url, http={"smart": client, "clock": self.clock})


@pytest.fixture
def connect(channel_to: Callable[..., R4Channel], server: AuthorizationServer, keys: Path, clock: Any) -> Connect:
    return Connect(server.fhir, keys, type(clock)(datetime.now(UTC)), channel_to)


@pytest.fixture
def settle(engine: Any, ward: Any, rows: Rows) -> Callable[[R4Channel], set[str]]:
    """One round of delivery; returns the states that rows are in then."""

    def run(channel: R4Channel) -> set[str]:
        deliverer = Deliverer(engine, channel, ward.clock, RetryPolicy())
        for entry_id in deliverer.hand_out():
            deliverer.deliver(entry_id)
        return {row["state"] for row in rows("SELECT state FROM outbox")}

    return run


@pytest.mark.parametrize(("folder", "algorithm"), [("keys", "ES384"), ("rsa_keys", "RS384")])
def test_an_assertion_is_signed_by_the_kind_of_its_key(
    server: AuthorizationServer, connect: Connect, request: pytest.FixtureRequest, folder: str, algorithm: str
) -> None:
    keys = request.getfixturevalue(folder)
    server.register(keys)

    connect(keys=keys).check()

    assert server.seen == [{"kid": read_keys(keys)[0].kid, "alg": algorithm, "scope": SCOPES}]


def test_without_a_token_the_gate_lets_nobody_in(server: AuthorizationServer, channel_to: Any) -> None:
    with pytest.raises(EhrUnavailable, match="HTTP 401"):
        channel_to(server.fhir).check()


def test_a_token_is_kept_until_shortly_before_its_end(
    server: AuthorizationServer, connect: Connect, keys: Path
) -> None:
    server.register(keys, lifetime=100)
    channel = connect()

    channel.check()
    connect.clock.advance(69)
    channel.check()
    assert len(server.seen) == 1

    connect.clock.advance(2)
    channel.check()
    assert len(server.seen) == 2


def test_a_token_that_is_taken_no_more_is_replaced_once_and_what_was_asked_is_asked_again(
    server: AuthorizationServer, connect: Connect, ward: Any, ehr: Any, settle: Any
) -> None:
    channel = connect()
    channel.check()
    patient = ehr.admit(ward.infant)
    ward.chart()
    server.register(connect.keys, forget=True)

    assert settle(channel) == {"confirmed"}
    assert len(ehr.observations(patient)) == 1
    assert len(server.seen) == 1


def test_the_token_endpoint_may_be_set(server: AuthorizationServer, connect: Connect) -> None:
    connect(token_url=server.token_url).check()

    assert len(server.seen) == 1


def test_an_older_key_signs_until_it_is_taken_away_and_both_are_published(
    server: AuthorizationServer, connect: Connect, keys: Path, rsa_keys: Path
) -> None:
    old = next(keys.iterdir())
    shutil.copy(next(rsa_keys.iterdir()), keys)
    server.register(keys, lifetime=100)
    channel = connect()

    channel.check()
    old.unlink()
    connect.clock.advance(100)
    channel.check()

    assert [one["alg"] for one in server.seen] == ["ES384", "RS384"]


def test_a_client_that_is_not_registered_is_for_a_person(
    server: AuthorizationServer, connect: Connect, tmp_path: Path
) -> None:
    make_key(tmp_path / "other", "ES384", now=datetime.now(UTC))
    server.register(tmp_path / "other")

    with pytest.raises(ConfigurationError, match="HTTP 400, invalid_client"):
        connect().check()


def test_a_refused_client_holds_the_entry_and_does_not_ask_again_for_each_of_them(
    server: AuthorizationServer, connect: Connect, ward: Any, ehr: Any, settle: Any
) -> None:
    patient = ehr.admit(ward.infant)
    ward.chart(3)
    server.register(connect.keys, client="another")
    channel = connect()

    assert settle(channel) == {"held"}
    assert len(server.seen) == 1

    server.register(connect.keys)
    connect.clock.advance(61)
    ward.clock.advance(601)
    assert settle(channel) == {"confirmed"}
    assert len(ehr.observations(patient)) == 3


def test_a_token_that_is_good_for_longer_than_there_is_time_is_used(
    server: AuthorizationServer, connect: Connect, keys: Path
) -> None:
    server.register(keys, lifetime=1e300)

    connect().check()


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_a_token_endpoint_that_is_out_of_order_is_tried_later(
    server: AuthorizationServer, connect: Connect, keys: Path, status: int
) -> None:
    server.register(keys, fault={"status": status, "headers": {"Retry-After": "17"}})

    with pytest.raises(EhrUnavailable, match=f"/token: HTTP {status}") as failed:
        connect().check()

    assert (failed.value.was_sent, failed.value.retry_after_seconds) == (False, 17.0)


def test_a_token_endpoint_that_is_down_is_tried_later(connect: Connect) -> None:
    with pytest.raises(EhrUnavailable, match=r"POST http://127\.0\.0\.1:1/token: ConnectError") as failed:
        connect(token_url="http://127.0.0.1:1/token").check()

    assert failed.value.was_sent is False


@pytest.mark.parametrize("body", [{}, {"access_token": "a", "token_type": "mac"}, {"access_token": 7}])
def test_an_answer_without_a_bearer_token_is_none(
    server: AuthorizationServer, connect: Connect, keys: Path, body: dict[str, Any]
) -> None:
    server.register(keys, fault={"status": 200, "body": body})

    with pytest.raises(EhrUnavailable, match="without a bearer token"):
        connect().check()


def test_an_algorithm_that_the_ehr_does_not_take_is_for_a_person(
    server: AuthorizationServer, connect: Connect, keys: Path
) -> None:
    server.register(keys, algorithms=["RS384"])

    with pytest.raises(NotLetIn, match="takes no assertion signed by ES384"):
        connect().http.get("metadata")


def test_scopes_that_are_not_granted_are_told_once(
    server: AuthorizationServer, connect: Connect, keys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.register(keys, granted="system/Patient.rs", lifetime=100)
    channel = connect()

    channel.check()
    connect.clock.advance(100)
    channel.check()

    (warned,) = [record for record in caplog.records if record.message == "ehr_grants_less"]
    assert warned.fields == {"lacking": "system/Observation.crus"}  # type: ignore[attr-defined]


def test_neither_a_token_nor_an_assertion_nor_a_key_is_ever_told(
    server: AuthorizationServer, connect: Connect, keys: Path, caplog: pytest.LogCaptureFixture, capsys: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    connect().check()
    good = server.tokens
    server.register(keys, client="another")
    with pytest.raises(NotLetIn) as refused:
        connect().http.get("metadata")

    said = told([vars(record) for record in caplog.records]) + str(refused.value) + told(capsys.readouterr())
    assert good
    assert not any(token in said for token in good)
    assert "eyJ" not in said
    assert "PRIVATE" not in said
