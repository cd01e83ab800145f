"""Subscriptions: who may make one, what it is told of, in which order, and what becomes of it when it is not taken."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from neopain.charting.api.subscriptions.dispatcher import Dispatcher
from neopain.charting.api.subscriptions.endpoint import AddressRefused, EndpointRules, Endpoints, NotTaken
from neopain.charting.api.subscriptions.fan_out import FanOut
from neopain.charting.api.subscriptions.notifier import Notifier, Site
from neopain.charting.audit.of_infant import AskedOf, read_rows_of
from neopain.charting.audit.verify import verify_audit
from neopain.charting.database import connect
from neopain.charting.ehr.client_tls import ClientTls, ClientTlsFiles
from neopain.charting.retry import RetryPolicy
from neopain.codecs.fhir.census import Naming
from neopain.codecs.fhir.ids import patient_id
from neopain.codecs.fhir.refusal import Refused
from neopain.codecs.fhir.subscription import CONTENT, FILTER, HEARTBEAT, MOST_EVENTS, TIMEOUT
from neopain.domain.alert_policy import AlertPolicy
from neopain.domain.identity import BedId, PatientId, Unit
from neopain.domain.policy import ChartingPolicy, SitePolicies
from neopain.embedded.loopback import free_port

from ....certificates import NEEDS_OPENSSL, Authority
from ....fhir_validity import require_valid
from .subscriber import Subscriber, events_of, numbers_of, one_of, subscribing

ROOT = Path(__file__).resolve().parents[4]
FHIR = {"Content-Type": "application/fhir+json"}
ENTRIES = "https://neopain.org/fhir/SubscriptionTopic/pain-entry"
ALERTS = "https://neopain.org/fhir/SubscriptionTopic/pain-alert"
SCOPE = "system/Subscription.cruds system/Observation.rs system/Flag.rs"
SECRET = "Bearer s3cret-of-the-subscriber"


@dataclass(slots=True)
class Desk:
    """The API as a client has it that subscribes, and the loop that sends, which goes when the test says so."""

    api: Any
    dispatcher: Dispatcher
    notifier: Notifier
    ends: datetime

    def body(self, subscriber: Subscriber, **changes: Any) -> dict[str, Any]:
        filters = changes.pop("filters", [])
        content = changes.pop("content", "full-resource")
        extensions = changes.pop("extension", [])
        channel = {
            "type": "rest-hook",
            "endpoint": subscriber.url,
            "payload": "application/fhir+json",
            "_payload": {"extension": [{"url": CONTENT, "valueCode": content}]},
            "header": [f"Authorization: {SECRET}"],
            **({"extension": extensions} if extensions else {}),
        }
        criteria = {"extension": [{"url": FILTER, "valueString": one} for one in filters]}
        return {
            "resourceType": "Subscription",
            "status": "requested",
            "end": self.ends.isoformat(),
            "reason": "a display of another vendor",
            "criteria": ENTRIES,
            **({"_criteria": criteria} if filters else {}),
            "channel": channel,
            **changes,
        }

    def ask(self, method: str, path: str, body: Any = None, *, headers: Any = None, **claims: Any) -> Any:
        token = self.api.token(**{"scope": SCOPE, **claims})
        content = json.dumps(body) if body is not None else None
        told = {**FHIR, **(headers or {})} if body is not None else headers or {}
        return self.api.ask(path, method=method, token=token, content=content, headers=told)

    def make(self, subscriber: Subscriber, *, claims: Any = None, **changes: Any) -> dict[str, Any]:
        """A subscription that was made, and is not active yet."""
        answer = self.ask("POST", "Subscription", self.body(subscriber, **changes), **(claims or {}))
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        require_valid(made)
        assert answer.headers["Location"].endswith(f"/Subscription/{made['id']}/_history/1")
        return made

    def run(self) -> None:
        """One look, and what is due of it sent."""
        for own_id in self.dispatcher.look():
            self.notifier.send(own_id)

    def status(self, own_id: str) -> dict[str, Any]:
        """What ``$status`` says, in the shape of a notification."""
        answer = self.ask("GET", f"Subscription/{own_id}/$status")
        assert answer.status_code == 200, answer.text
        require_valid(answer.json())
        return dict(answer.json())


@pytest.fixture
def dispatching(engine: Engine, clock: Any, database: str) -> Iterator[Callable[..., tuple[Dispatcher, Notifier]]]:
    made: list[Dispatcher] = []

    def make(base_url: str, *, units: tuple[Unit, ...] = (), failures: int = 3, **rules: Any) -> Any:
        own = connect(database, connections=5)
        site = Site(base_url, Naming({}, None), SitePolicies(ChartingPolicy()), units)
        endpoints = Endpoints(EndpointRules(frozenset({"127.0.0.1"})), **rules)
        retries = RetryPolicy(timedelta(seconds=2), timedelta(seconds=60))
        notifier = Notifier(own, clock, site, endpoints, retries=retries, failures=failures)
        fan_out = FanOut(own, clock, (), timedelta(days=7))
        made.append(Dispatcher(own, clock, fan_out, notifier, seconds=3600))
        return made[-1], notifier

    yield make
    for one in made:
        one.close()


@pytest.fixture
def desk_with(api_with: Callable[..., Any], clock: Any, dispatching: Callable[..., Any]) -> Callable[..., Desk]:
    """Makes one with settings of the test's own; the API's own loop sleeps."""

    def make(**changes: Any) -> Desk:
        hosts = {"api_subscription_hosts": ("127.0.0.1",), "api_subscription_look_seconds": 3600}
        api = api_with(**hosts, api_subscriptions=4, **changes)
        return Desk(api, *dispatching(api.url), clock.moment + timedelta(days=10))

    return make


@pytest.fixture
def desk(desk_with: Callable[..., Desk]) -> Desk:
    return desk_with()


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    with subscribing() as listening:
        yield listening


def patient_of(infant: PatientId) -> str:
    return patient_id(infant)


# -- made, shaken hands with, told -------------------------------------------------------------------------------------


def test_a_subscription_is_active_when_its_endpoint_has_answered(desk: Desk, subscriber: Subscriber) -> None:
    made = desk.make(subscriber)
    assert (made["status"], "header" in made["channel"]) == ("requested", False)

    desk.run()

    (handshake,) = subscriber.got
    require_valid(handshake)
    assert handshake["type"] == "history"
    assert [one_of(handshake, name) for name in ("type", "status", "events-since-subscription-start")] == [
        "handshake",
        "requested",
        "0",
    ]
    assert subscriber.headers[0]["Authorization"] == SECRET
    assert subscriber.headers[0]["Content-Type"] == "application/fhir+json"
    assert desk.ask("GET", f"Subscription/{made['id']}").json()["status"] == "active"


def test_entries_are_told_in_order_with_their_numbers_and_as_they_are_read(
    desk: Desk, subscriber: Subscriber, ward: Any
) -> None:
    desk.make(subscriber, extension=[{"url": MOST_EVENTS, "valuePositiveInt": 2}])
    ward.chart(3)

    desk.run()

    told = subscriber.of("event-notification")
    for one in told:
        require_valid(one)
    assert [numbers_of(one) for one in told] == [[1, 2], [3]]
    assert {one_of(one, "events-since-subscription-start") for one in told} == {"3"}
    resources = [entry["resource"] for one in told for entry in one["entry"][1:]]
    assert resources == desk.api.found("Observation?_sort=date")
    assert [event["focus"]["reference"] for one in told for event in events_of(one)] == [
        f"{desk.api.url}/Observation/{one['id']}" for one in resources
    ]
    assert {entry["request"]["method"] for one in told for entry in one["entry"]} == {"GET"}


def test_a_change_of_an_entry_is_told_once_more(desk: Desk, subscriber: Subscriber, ward: Any) -> None:
    desk.make(subscriber)
    ward.chart()
    desk.run()
    (entry,) = desk.api.found("Observation")
    accepted = desk.api.ask(
        f"Observation/{entry['id']}",
        method="PUT",
        token=desk.api.token(scope="user/Observation.cruds"),
        content=json.dumps({**entry, "status": "final"}),
        headers={**FHIR, "If-Match": 'W/"1"'},
    )
    assert accepted.status_code == 200

    desk.run()

    last = subscriber.got[-1]
    assert (numbers_of(last), last["entry"][1]["resource"]["status"]) == ([2], "final")


@pytest.mark.parametrize(("content", "has_focus"), [("empty", False), ("id-only", True)])
def test_no_more_is_told_than_the_content_says(
    desk: Desk, subscriber: Subscriber, ward: Any, content: str, *, has_focus: bool
) -> None:
    desk.make(subscriber, content=content)
    ward.chart()

    desk.run()

    (told,) = subscriber.of("event-notification")
    require_valid(told)
    (event,) = events_of(told)
    assert ("focus" in event, one_of(told, "topic") is not None) == (has_focus, has_focus)
    assert all("resource" not in one for one in told["entry"][1:])
    assert (ward.infant.value in json.dumps(told), len(told["entry"])) == (False, 2 if has_focus else 1)


def test_alerts_are_told_from_their_opening_to_their_end(desk: Desk, subscriber: Subscriber, ward: Any) -> None:
    ward.policy = ChartingPolicy(
        name="p", interval=timedelta(seconds=10), lateness=timedelta(seconds=2), alert=AlertPolicy(enabled=True)
    )
    desk.make(subscriber, criteria=ALERTS)
    ward.take(*(ward.score(second, 8.0) for second in range(0, 21, 5)))
    desk.run()
    opened = subscriber.got[-1]["entry"][-1]["resource"]
    ward.admit(at=25)
    ward.take(ward.score(26, 8.0))
    desk.run()

    ended = subscriber.got[-1]["entry"][-1]["resource"]
    assert (opened["resourceType"], opened["status"], ended["status"]) == ("Flag", "active", "inactive")
    assert opened["id"] == ended["id"]
    assert subscriber.numbers() == list(range(1, len(subscriber.numbers()) + 1))


# -- whom it is told of ------------------------------------------------------------------------------------------------


@pytest.fixture
def two_wards(ward: Any, engine: Engine, clock: Any) -> tuple[Any, Any]:
    """Two infants in two units of two facilities."""
    ward.bed = BedId("NICU/1/1@EAST")
    other = type(ward)(engine, clock, bed=BedId("PICU/1/1@WEST"))
    for one in (ward, other):
        one.admit(one.infant)
    return ward, other


def told_of(subscriber: Subscriber, own_id: str) -> list[str]:
    """The patients of whom a subscription was told, one for each event; empty where it had its number alone."""
    found = []
    for one in subscriber.of("event-notification"):
        if not one_of(one, "subscription")["reference"].endswith(own_id):
            continue
        whose = {entry["fullUrl"]: entry["resource"]["subject"]["reference"] for entry in one["entry"][1:]}
        found += [whose[event["focus"]["reference"]] if "focus" in event else "" for event in events_of(one)]
    return sorted(found)


FILTERS: dict[tuple[str, ...], set[int]] = {
    (): {0, 1},
    ("Observation?patient={0}",): {0},
    ("Observation?patient=Patient/{1}",): {1},
    ("Observation?patient={0},{1}",): {0, 1},
    ("Observation?unit=NICU",): {0},
    ("Observation?unit=PICU@WEST",): {1},
    ("Observation?unit=PICU@EAST",): set(),
    ("Observation?unit=PICU", "Observation?patient={0}"): set(),
    ("Observation?unit=NICU&status=preliminary",): {0},
    ("Observation?status=final",): set(),
    ("Observation?code=pain-score",): {0, 1},
    ("Observation?code=http://loinc.org|98012-8",): set(),
}


def test_what_a_filter_does_not_ask_for_is_not_told(
    desk: Desk, subscriber: Subscriber, two_wards: tuple[Any, Any]
) -> None:
    ids = [patient_of(one.infant) for one in two_wards]
    made = {
        filters: desk.make(
            subscriber, filters=[one.format(*ids) for one in filters], claims={"client_id": f"client-{number}"}
        )
        for number, filters in enumerate(FILTERS)
    }
    for one in two_wards:
        one.chart()

    desk.run()

    told = {filters: told_of(subscriber, one["id"]) for filters, one in made.items()}
    assert told == {filters: sorted(f"Patient/{ids[one]}" for one in infants) for filters, infants in FILTERS.items()}


def test_nobody_is_told_beyond_the_units_and_the_infant_of_the_token(
    desk_with: Callable[..., Desk], subscriber: Subscriber, two_wards: tuple[Any, Any]
) -> None:
    desk = desk_with(api_units_claim="units")
    ids = [f"Patient/{patient_of(one.infant)}" for one in two_wards]
    of_second = {
        "scope": "system/Subscription.c patient/Observation.rs",
        "patient": f"urn:neopain:authority:HOSP|{two_wards[1].infant.value}",
    }
    claims: dict[str, dict[str, Any]] = {
        "first": {"units": ["NICU"]},
        "second": {"units": ["PICU@WEST"]},
        "nobody": {"units": []},
        "unknown": {},
        "patient": {"units": ["NICU", "PICU"], **of_second},
        "nowhere": {"units": ["NICU"], **of_second},
    }
    made = {name: desk.make(subscriber, claims={"client_id": name, **told}) for name, told in claims.items()}
    for one in two_wards:
        one.chart()

    desk.run()

    assert {name: told_of(subscriber, one["id"]) for name, one in made.items()} == {
        "first": [ids[0]],
        "second": [ids[1]],
        "nobody": [],
        "unknown": [],
        "patient": [ids[1]],
        "nowhere": [],
    }


def test_what_may_not_be_told_any_longer_is_told_by_its_number_alone(
    desk: Desk, dispatching: Callable[..., Any], subscriber: Subscriber, two_wards: tuple[Any, Any]
) -> None:
    made = desk.make(subscriber)
    for one in two_wards:
        one.chart()
    desk.dispatcher.look()
    desk.dispatcher, desk.notifier = dispatching(desk.api.url, units=(Unit("PICU"),))

    desk.run()

    (told,) = subscriber.of("event-notification")
    assert [("focus" in one, one["event-number"]) for one in events_of(told)] == [(False, "1"), (True, "2")]
    assert told_of(subscriber, made["id"]) == ["", f"Patient/{patient_of(two_wards[1].infant)}"]


def test_another_client_neither_sees_nor_changes_nor_deletes_it(desk: Desk, subscriber: Subscriber) -> None:
    claims = {"client_id": "another"}
    made = desk.make(subscriber)
    place = f"Subscription/{made['id']}"

    refused = [
        desk.ask("GET", place, **claims).status_code,
        desk.ask("PUT", place, {**desk.body(subscriber), "id": made["id"]}, **claims).status_code,
        desk.ask("DELETE", place, **claims).status_code,
        desk.ask("GET", f"{place}/$status", **claims).status_code,
        desk.ask("GET", f"{place}/$events", **claims).status_code,
    ]

    assert refused == [404] * 5
    assert desk.ask("GET", "Subscription", **claims).json().get("entry", []) == []
    assert [
        one["id"] for one in desk.api.found("Subscription?status=requested", token=desk.api.token(scope=SCOPE))
    ] == [made["id"]]
    assert desk.ask("GET", "Subscription/$status").json()["total"] == 1


def test_a_token_for_one_infant_sees_no_subscription(desk: Desk, subscriber: Subscriber) -> None:
    made = desk.make(subscriber)
    claims = {"scope": "patient/*.rs", "patient": "abc"}

    places = ("", f"/{made['id']}", f"/{made['id']}/$status", f"/{made['id']}/$events")
    assert [desk.ask("GET", f"Subscription{place}", **claims).status_code for place in places] == [403] * 4


def test_it_takes_a_scope_of_the_system_and_one_to_read_what_is_told(desk: Desk, subscriber: Subscriber) -> None:
    for scope in (
        "user/Subscription.cruds system/Observation.rs",
        "system/Subscription.rs system/Observation.rs",
        "system/Subscription.cruds",
        "system/Subscription.cruds system/Flag.rs",
        "system/Subscription.read system/*.rs",
    ):
        answer = desk.ask("POST", "Subscription", desk.body(subscriber), scope=scope)
        assert (scope, answer.status_code, answer.json()["issue"][0]["code"]) == (scope, 403, "forbidden")


def test_a_client_has_only_so_many(desk: Desk, subscriber: Subscriber) -> None:
    for _ in range(4):
        made = desk.make(subscriber)

    answer = desk.ask("POST", "Subscription", desk.body(subscriber))

    assert answer.status_code == 409
    assert desk.ask("POST", "Subscription", desk.body(subscriber), client_id="another").status_code == 201
    assert desk.ask("DELETE", f"Subscription/{made['id']}").status_code == 204
    assert desk.ask("GET", f"Subscription/{made['id']}").status_code == 404
    desk.make(subscriber)


# -- what is wrong with it ---------------------------------------------------------------------------------------------


def test_everything_that_is_wrong_is_named_at_once(desk: Desk, subscriber: Subscriber) -> None:
    body = desk.body(
        subscriber,
        filters=["Observation?colour=red", "Patient?_id=1"],
        extension=[
            {"url": HEARTBEAT, "valueUnsignedInt": 1},
            {"url": TIMEOUT, "valueUnsignedInt": 1000},
            {"url": "http://other.example", "valueString": "x"},
        ],
        content="everything",
        end="2036-01-01T00:00:00Z",
        reason="",
        status="on",
        contact=[],
    )
    body["channel"] |= {
        "type": "email",
        "payload": "text/plain",
        "endpoint": "ftp://x/",
        "header": ["no header", "Host: x", "A: 1\r\nB: 2"],
    }

    answer = desk.ask("POST", "Subscription", body)

    assert answer.status_code == 422
    require_valid(answer.json())
    channel = "Subscription.channel"
    extension = f"{channel}.extension.where(url='%s')"
    assert {one["expression"][0] for one in answer.json()["issue"]} == {
        "Subscription.contact",
        "Subscription.status",
        "Subscription.end",
        "Subscription.reason",
        "Subscription.criteria.extension[0]",
        "Subscription.criteria.extension[1]",
        f"{channel}.type",
        f"{channel}.payload",
        f"{channel}.payload.extension",
        f"{channel}.endpoint",
        f"{channel}.header[0]",
        f"{channel}.header[1]",
        f"{channel}.header[2]",
        f"{channel}.extension[2]",
        extension % HEARTBEAT,
        extension % TIMEOUT,
    }


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"criteria": "https://neopain.org/fhir/SubscriptionTopic/other"}, "Subscription.criteria"),
    ({"criteria": "Observation?code=x"}, "Subscription.criteria"),
    ({"end": None}, "Subscription.end"),
    ({"end": "2026-10-05T11:00:00Z"}, "Subscription.end"),
    ({"end": "2026-10-06"}, "Subscription.end"),
    ({"status": "active"}, "Subscription.status"),
    ({"id": "mine"}, "Subscription.id"),
    ({"channel": None}, "Subscription.channel"),
    ({"_criteria": {}}, "Subscription.criteria.extension"),
]


def test_one_thing_that_is_wrong_is_named(desk: Desk, subscriber: Subscriber) -> None:
    for changes, expression in WRONG:
        body = {name: value for name, value in desk.body(subscriber, **changes).items() if value is not None}
        answer = desk.ask("POST", "Subscription", body)

        assert (changes, answer.status_code) == (changes, 422)
        assert expression in [one["expression"][0] for one in answer.json()["issue"]]


# -- where it may go ---------------------------------------------------------------------------------------------------


NOWHERE = [
    "http://example.org/told",
    "http://10.0.0.1/told",
    "https://10.0.0.1/told",
    "https://192.168.1.7:8443/told",
    "https://[fd00::1]/told",
    "https://[::ffff:10.0.0.1]/told",
    "https://[64:ff9b::a00:1]/told",
    "https://169.254.169.254/latest/meta-data",
    "https://0.0.0.0/",
    "https://100.64.0.1/",
    "https://127.0.0.2/",
    "https://user:password@example.org/",
    "https://example.org/#x",
    "https:///told",
    "https://example.org:0/",
    "https://[::1/",
    "file:///etc/passwd",
    "told",
]


def test_an_endpoint_that_may_not_be_is_refused_when_it_is_named(desk: Desk) -> None:
    for url in NOWHERE:
        answer = desk.ask("POST", "Subscription", desk.body(Subscriber(url)))

        assert (url, answer.status_code) == (url, 422)
        assert [one["expression"] for one in answer.json()["issue"]] == [["Subscription.channel.endpoint"]]


@pytest.mark.parametrize("host", ["metadata", "printer", "mixed"])
def test_a_name_is_looked_at_for_each_connection(
    desk: Desk, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    port = int(subscriber.url.rpartition(":")[2].partition("/")[0])
    meant = {"metadata": ["169.254.169.254"], "printer": ["127.0.0.1"], "mixed": ["93.184.215.14", "127.0.0.1"]}[host]
    looked_up = socket.getaddrinfo

    def look_up(name: str, *arguments: Any, **options: Any) -> Any:
        if name != f"{host}.example":
            return looked_up(name, *arguments, **options)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in meant]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    made = desk.make(Subscriber(f"https://{host}.example:{port}/told"))

    desk.run()

    told = desk.status(made["id"])
    assert (one_of(told, "status"), subscriber.got) == ("error", [])
    assert "allow" in one_of(told, "error")["text"] or "nobody" in one_of(told, "error")["text"]


def test_a_redirection_is_not_followed(desk: Desk, subscriber: Subscriber) -> None:
    made = desk.make(subscriber)
    with subscribing() as other:
        subscriber.fail(1, 307, Location=other.url)
        desk.run()
        assert other.got == []

    assert one_of(desk.status(made["id"]), "error")["text"] == "handshake: HTTP 307: redirections are not followed"


def test_a_listed_host_goes_by_http_on_this_machine_only() -> None:
    rules = EndpointRules(frozenset({"10.0.0.7", "127.0.0.1"}))

    rules.require("https://10.0.0.7/told")
    rules.require("http://127.0.0.1:8080/told")
    rules.require("https://93.184.215.14/told")
    with pytest.raises(Refused, match="this machine only"):
        rules.require("http://10.0.0.7/told")


@NEEDS_OPENSSL
def test_an_endpoint_shows_a_certificate_of_an_authority_that_is_trusted(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    issued = authority.issue("subscriber", alternative="IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    rules = EndpointRules(frozenset({"127.0.0.1"}))
    trusting = Endpoints(rules, ClientTls(ClientTlsFiles("X", authority.own.certificate)))
    with subscribing(context) as listening:
        trusting.post(listening.url, (), b'{"resourceType": "Bundle", "type": "history"}', timeout_seconds=5)
        with pytest.raises(NotTaken, match="its certificate is not taken"):
            Endpoints(rules).post(listening.url, (), b"{}", timeout_seconds=5)

    assert len(listening.got) == 1


def test_an_endpoint_that_takes_its_time_keeps_nobody_longer_than_the_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        stop = threading.Event()

        def drip() -> None:
            opened, _ = server.accept()
            with opened:
                opened.sendall(b"HTTP/1.1 200 ")
                while not stop.wait(0.02):
                    try:
                        opened.sendall(b"O")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        with pytest.raises(NotTaken, match="it took too long"):
            Endpoints(EndpointRules(frozenset({"127.0.0.1"}))).post(
                f"http://127.0.0.1:{port}/", (), b"{}", timeout_seconds=0.3
            )
        stop.set()
        thread.join()


def test_what_is_being_sent_is_broken_off_when_the_process_ends(
    desk: Desk, subscriber: Subscriber, ward: Any, clock: Any, dispatching: Callable[..., Any]
) -> None:
    made = desk.make(subscriber, extension=[{"url": TIMEOUT, "valueUnsignedInt": 30}])
    desk.run()
    ward.chart()
    let_go = threading.Event()

    def close(_: dict[str, Any]) -> None:
        subscriber.before = None
        desk.notifier.close()
        let_go.wait(10)

    subscriber.before = close
    desk.run()
    let_go.set()

    assert one_of(desk.status(made["id"]), "error")["text"] == "event-notification: this process ends"
    desk.dispatcher, desk.notifier = dispatching(desk.api.url)
    clock.advance(5)
    desk.run()
    assert subscriber.numbers() == [1, 1]


def test_an_address_that_is_refused_gets_nothing() -> None:
    with pytest.raises(AddressRefused, match="does not allow that host"):
        Endpoints(EndpointRules()).post("https://localhost:1/", (), b"{}", timeout_seconds=1)


# -- not taken ---------------------------------------------------------------------------------------------------------


def test_an_endpoint_that_refuses_the_handshake_is_asked_again_and_then_given_up(
    desk: Desk, subscriber: Subscriber, ward: Any, clock: Any
) -> None:
    made = desk.make(subscriber)
    subscriber.fail(3, 403)
    ward.chart()
    for _ in range(5):
        desk.run()
        clock.advance(120)

    assert len(subscriber.got) == 3
    assert [one_of(desk.status(made["id"]), name) for name in ("status", "type")] == ["error", "query-status"]
    assert desk.ask("GET", f"Subscription/{made['id']}").json()["error"] == "handshake: HTTP 403"


def test_what_is_not_taken_comes_again_after_the_time_that_is_asked_for(
    desk: Desk, subscriber: Subscriber, ward: Any, clock: Any
) -> None:
    desk.make(subscriber)
    desk.run()
    subscriber.fail(1, 429, Retry_After="90")
    ward.chart()
    desk.run()
    clock.advance(89)
    desk.run()
    assert subscriber.numbers() == [1]

    clock.advance(2)
    desk.run()

    assert subscriber.numbers() == [1, 1]
    assert subscriber.got[-2]["entry"][1] == subscriber.got[-1]["entry"][1]


def test_it_stands_at_error_after_many_failures_and_misses_nothing_when_it_is_asked_for_again(
    desk: Desk, subscriber: Subscriber, ward: Any, clock: Any, rows: Callable[..., Any]
) -> None:
    made = desk.make(subscriber)
    desk.run()
    subscriber.fail(3)
    ward.chart(2)
    for _ in range(4):
        desk.run()
        clock.advance(120)
    told = desk.status(made["id"])
    assert (one_of(told, "status"), one_of(told, "error")["text"]) == ("error", "event-notification: HTTP 503")
    assert len(subscriber.of("event-notification")) == 3
    ward.chart(1, first=20)
    desk.run()
    subscriber.got.clear()

    current = desk.ask("GET", f"Subscription/{made['id']}").json()
    stale = desk.ask("PUT", f"Subscription/{made['id']}", current, headers={"If-Match": 'W/"1"'})
    answer = desk.ask(
        "PUT",
        f"Subscription/{made['id']}",
        {**current, "status": "requested"},
        headers={"If-Match": f'W/"{current["meta"]["versionId"]}"'},
    )
    desk.run()

    assert (stale.status_code, answer.status_code, answer.json()["status"]) == (412, 200, "requested")
    assert [one_of(one, "type") for one in subscriber.got] == ["handshake", "event-notification"]
    assert subscriber.numbers() == [1, 2, 3]
    assert subscriber.headers[-1]["Authorization"] == SECRET
    happened = [
        one["event"]
        for one in rows("SELECT event FROM audit WHERE event LIKE 'subscription_%' ORDER BY recorded, position")
    ]
    assert [one for one in happened if one != "subscription_notified"] == [
        "subscription_created",
        "subscription_activated",
        "subscription_failed",
        "subscription_changed",
        "subscription_activated",
    ]


def test_another_endpoint_is_shaken_hands_with_and_told_what_the_first_has_not_taken(
    desk: Desk, subscriber: Subscriber, ward: Any
) -> None:
    made = desk.make(subscriber)
    desk.run()
    with subscribing() as other:

        def move(_: dict[str, Any]) -> None:
            subscriber.before = None
            body = {**desk.body(other), "id": made["id"], "status": "active"}
            assert desk.ask("PUT", f"Subscription/{made['id']}", body).json()["status"] == "requested"

        subscriber.before = move
        ward.chart()
        desk.run()

        assert subscriber.numbers() == [1]
        assert [one_of(one, "type") for one in other.got] == ["handshake", "event-notification"]
        assert other.numbers() == [1]


def test_one_that_was_turned_off_is_told_nothing(desk: Desk, subscriber: Subscriber, ward: Any) -> None:
    made = desk.make(subscriber)
    desk.run()
    off = desk.ask("PUT", f"Subscription/{made['id']}", {**desk.body(subscriber), "id": made["id"], "status": "off"})
    ward.chart()
    desk.run()

    assert off.json()["status"] == "off"
    assert len(subscriber.got) == 1


def test_a_silent_subscription_has_a_heartbeat(desk: Desk, subscriber: Subscriber, ward: Any, clock: Any) -> None:
    desk.make(subscriber, extension=[{"url": HEARTBEAT, "valueUnsignedInt": 60}])
    ward.chart()
    desk.run()
    clock.advance(59)
    desk.run()
    assert subscriber.of("heartbeat") == []
    clock.advance(1)
    desk.run()
    clock.advance(30)
    desk.run()

    (heartbeat,) = subscriber.of("heartbeat")
    require_valid(heartbeat)
    assert one_of(heartbeat, "events-since-subscription-start") == "1"


def test_it_ends_at_its_end(desk: Desk, subscriber: Subscriber, ward: Any, clock: Any) -> None:
    made = desk.make(subscriber)
    desk.run()
    clock.advance(10 * 86_400)
    ward.chart()
    desk.run()

    assert len(subscriber.got) == 1
    assert desk.ask("GET", f"Subscription/{made['id']}").json()["status"] == "off"
    clock.advance(7 * 86_400 + 1)
    desk.run()
    assert desk.ask("GET", f"Subscription/{made['id']}").status_code == 404


# -- nothing lost, nothing told in secret ------------------------------------------------------------------------------


def test_missed_events_are_had_by_their_numbers(
    desk: Desk, subscriber: Subscriber, ward: Any, rows: Callable[..., Any]
) -> None:
    made = desk.make(subscriber, content="id-only")
    ward.chart(4)
    desk.run()

    def asked(query: str) -> dict[str, Any]:
        answer = desk.ask("GET", f"Subscription/{made['id']}/$events{query}")
        assert answer.status_code == 200, answer.text
        require_valid(answer.json())
        return dict(answer.json())

    some = asked("?eventsSinceNumber=2&eventsUntilNumber=3&content=full-resource")
    assert (one_of(some, "type"), numbers_of(some)) == ("query-event", [2, 3])
    assert [one["resource"]["id"] for one in some["entry"][1:]] == [
        one["id"] for one in desk.api.found("Observation?_sort=date")[1:3]
    ]
    assert (numbers_of(asked("")), "resource" in asked("")["entry"][1]) == ([1, 2, 3, 4], False)
    assert numbers_of(asked("?eventsSinceNumber=9")) == []
    assert desk.ask("GET", f"Subscription/{made['id']}/$events?eventsSinceNumber=x").status_code == 400
    searched = "SELECT patient FROM audit WHERE event = 'fhir_searched' AND detail LIKE '%$events%' ORDER BY position"
    reads = rows(searched)
    assert reads[0]["patient"] == f"HOSP|{ward.infant.value}"


def test_a_notification_is_a_disclosure_that_is_written_down_before_it_is_sent(
    desk: Desk, subscriber: Subscriber, ward: Any, engine: Engine, rows: Callable[..., Any]
) -> None:
    desk.make(subscriber)
    seen: list[int] = []
    subscriber.before = lambda _: seen.append(
        len(rows("SELECT 1 FROM audit WHERE event = 'subscription_notified' AND chain = 'reads'"))
    )
    ward.chart()
    desk.run()

    told = read_rows_of(engine, ward.clock, AskedOf(ward.infant.value, None, by="officer", reason="asked"))
    (row,) = [one for one in told.rows if one.event == "subscription_notified"]
    assert (seen, row.actor) == ([0, 1], "dashboard")
    assert row.detail["address"] == subscriber.url.partition("?")[0]
    assert (row.detail["content"], row.detail["first"], row.detail["last"]) == ("full-resource", 1, 1)
    (event,) = desk.api.found(f"AuditEvent?patient={patient_of(ward.infant)}&subtype=subscription_notified")
    assert event["action"] == "R"
    assert verify_audit(str(engine.url.render_as_string(hide_password=False))).is_whole


def test_secrets_are_in_no_log_no_answer_and_no_row_but_one(
    desk: Desk, subscriber: Subscriber, ward: Any, capfd: pytest.CaptureFixture[str], rows: Callable[..., Any]
) -> None:
    made = desk.make(subscriber)
    subscriber.fail(1)
    ward.chart()
    desk.run()
    answers = [desk.ask("GET", f"Subscription/{made['id']}").text, desk.ask("GET", "Subscription").text]
    answers += [json.dumps(desk.status(made["id"])), json.dumps(rows("SELECT detail FROM audit"))]

    captured = capfd.readouterr()
    assert not any("s3cret-of-the-subscriber" in one for one in (*answers, captured.out, captured.err))
    assert "s3cret" not in json.dumps(rows("SELECT detail FROM audit")) + captured.err


def test_one_at_a_time_sends_for_a_subscription(
    desk: Desk, dispatching: Callable[..., Any], subscriber: Subscriber, ward: Any
) -> None:
    made = desk.make(subscriber)
    other = dispatching(desk.api.url)[1]
    taken: list[int] = []
    subscriber.before = lambda _: taken.append(other.send(made["id"]))
    ward.chart()

    desk.run()

    assert (taken, subscriber.numbers()) == ([0, 0], [1])


def test_a_change_that_is_committed_late_is_told_late_and_not_lost(
    desk: Desk, subscriber: Subscriber, ward: Any, engine: Engine
) -> None:
    desk.make(subscriber)
    ward.chart()
    desk.run()
    put = text(
        "INSERT INTO subscription_changes (resource_type, resource_id, version, kind, status, moment, bed, "
        "patient_authority, patient_value) SELECT 'Observation', entry_id, version, kind, status, issued, bed, "
        "patient_authority, patient_value FROM entries"
    )
    with engine.connect() as slow:
        slow.execute(put)
        ward.chart(1, first=10)
        desk.run()
        assert subscriber.numbers() == [1, 2]
        slow.commit()
    desk.run()

    assert subscriber.numbers() == [1, 2, 3]
    first, _, last = (one["entry"][1]["fullUrl"] for one in subscriber.of("event-notification"))
    assert first == last


def test_what_is_too_much_for_one_notification_comes_in_several(
    desk: Desk, subscriber: Subscriber, ward: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.make(subscriber)
    ward.chart(1)
    desk.run()
    one_event = len(json.dumps(subscriber.got[-1]))
    monkeypatch.setattr("neopain.charting.api.subscriptions.notifier.MOST_BYTES", 2 * one_event)
    ward.chart(4, first=10)
    desk.run()

    assert [numbers_of(one) for one in subscriber.of("event-notification")] == [[1], [2, 3], [4, 5]]


def test_what_nobody_took_for_too_long_is_a_gap_that_can_be_seen(
    desk: Desk, subscriber: Subscriber, ward: Any, clock: Any
) -> None:
    desk.make(subscriber)
    desk.run()
    subscriber.fail(1)
    ward.chart(2)
    desk.run()
    subscriber.got.clear()
    clock.advance(8 * 86_400)
    desk.run()
    assert subscriber.got == []

    ward.chart(1, first=20)
    desk.run()

    assert subscriber.numbers() == [3]


def test_a_filter_that_cannot_be_kept_is_refused(desk: Desk, subscriber: Subscriber) -> None:
    for text_of_filter in (
        "Observation?unit=\x00",
        "Observation?unit=\ud800",
        "Observation?unit=@EAST",
        "Observation?",
    ):
        answer = desk.ask("POST", "Subscription", desk.body(subscriber, filters=[text_of_filter]))

        assert (text_of_filter, answer.status_code) == (text_of_filter, 422)


def test_without_a_subscription_nothing_is_written_down(ward: Any, count: Callable[[str], int]) -> None:
    ward.chart(2)

    assert count("subscription_changes") == 0


def test_what_is_held_is_told_to_nobody_until_it_is_charted(
    desk: Desk, subscriber: Subscriber, ward: Any, bedside: Any
) -> None:
    desk.make(subscriber)
    bedside.chart()
    desk.run()

    assert subscriber.of("event-notification") == []


@pytest.fixture
def environment(database: str, issuer: Any) -> dict[str, str]:
    """Of a ``neopain api`` that looks for what is due all the time."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("NEOPAIN_")}
    return {
        **ours,
        "PYTHONPATH": str(ROOT / "services"),
        "NEOPAIN_CHARTING_DATABASE_URL": database,
        "NEOPAIN_CHARTING_HTTP_PORT": str(free_port()),
        "NEOPAIN_CHARTING_API_PORT": str(free_port()),
        "NEOPAIN_CHARTING_API_ISSUER": "https://id.hospital.example",
        "NEOPAIN_CHARTING_API_JWKS_FILE": str(issuer.jwks_file),
        "NEOPAIN_CHARTING_API_SUBSCRIPTION_HOSTS": '["127.0.0.1"]',
        "NEOPAIN_CHARTING_API_SUBSCRIPTION_LOOK_SECONDS": "0.05",
    }


def test_a_process_that_is_killed_between_sending_and_writing_loses_nothing(
    desk: Desk, subscriber: Subscriber, ward: Any, environment: dict[str, str], engine: Engine
) -> None:
    desk.make(subscriber, extension=[{"url": MOST_EVENTS, "valuePositiveInt": 2}])
    with engine.begin() as connection:
        # The process has the machine's clock.
        connection.execute(text("UPDATE subscriptions SET ends = now() + interval '1 day'"))
    ward.chart(5)
    killed = threading.Event()
    child = subprocess.Popen([sys.executable, "-m", "neopain", "api"], env=environment, stderr=subprocess.DEVNULL)

    def kill(told: dict[str, Any]) -> None:
        if numbers_of(told) == [3, 4] and not killed.is_set():
            child.send_signal(signal.SIGKILL)
            child.wait()
            killed.set()

    subscriber.before = kill
    try:
        assert killed.wait(60)
    finally:
        child.kill()
        child.wait()
    desk.dispatcher._clock.moment = datetime.now().astimezone()  # type: ignore[attr-defined]
    desk.run()

    assert [numbers_of(one) for one in subscriber.of("event-notification")] == [[1, 2], [3, 4], [3, 4], [5]]
    assert len(subscriber.of("handshake")) == 1
    assert verify_audit(str(engine.url.render_as_string(hide_password=False))).is_whole
