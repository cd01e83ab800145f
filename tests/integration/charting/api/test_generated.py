"""Whatever is asked, the API answers it or says what is wrong with it: no 5xx, and afterwards it is as well as before.

Requests are generated from the tables of what can be asked, right and wrong. ``NEOPAIN_API_EXAMPLES`` says how many
(150 without it).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neopain.charting.api.settings import BASE_PATH
from neopain.codecs.fhir.alert_act import OPERATIONS
from neopain.codecs.fhir.search import CONTROLS, PASSED_OVER, SEARCHES
from neopain.domain.alert_policy import AlertPolicy
from neopain.domain.policy import ChartingPolicy

EXAMPLES = int(os.environ.get("NEOPAIN_API_EXAMPLES", "150"))
FHIR = "application/fhir+json"
FORM = "application/x-www-form-urlencoded"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

NAMES = sorted({name for one in SEARCHES.values() for name in one.parameters})
ODD = st.text(st.characters(codec="utf-8"), max_size=12)
NUMBERS = st.sampled_from(["0", "1", "-1", "500", "999999999", "9999999999999999999", "1e9", "١", "00"])
MOMENTS = st.sampled_from(
    [
        "2026",
        "2026-10",
        "2026-10-05",
        "2026-10-05T12:00Z",
        "2026-10-05T12:00:00.123456789+14:00",
        "0001-01-01",
        "9999-12-31T23:59:59Z",
        "9999",
        "0000",
        "10000-01-01",
        "2026-13-40",
        "2026-02-29",
        "2026-10-05T24:00:00Z",
        "2026-10-05T23:59:60Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ]
)
PREFIXES = st.sampled_from(["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap", "xx"])
DATES = st.builds("{}{}".format, PREFIXES, MOMENTS)
CODES = st.sampled_from(
    [
        "pain-score",
        "live-score",
        "98012-8",
        "8867-4",
        "survey",
        "aggregate",
        "live",
        "vital-signs",
        "preliminary",
        "active",
        "final",
        "in-progress",
        "unknown",
        "read",
        "search-type",
        "|",
        "||",
        "a|b|c",
        "\\|",
        "|x",
        "x|",
        ",",
    ]
)
INCLUDES = st.sampled_from(
    [
        "Observation:patient",
        "Observation:encounter",
        "Provenance:target",
        "Flag:subject",
        "*",
        ":",
        "Observation:",
        "Observation:patient:Patient",
        "Observation:patient:Group",
    ]
)
SORTS = st.sampled_from(["date", "-date", "_lastUpdated", "-_lastUpdated", "recorded", "-recorded", "--date", "_id"])


@dataclass(frozen=True)
class Known:
    """Ids of what is there."""

    ids: tuple[str, ...]
    observation: dict[str, Any]
    flag: str


def values(known: Known) -> st.SearchStrategy[str]:
    listed = st.sampled_from([*known.ids, "none", "x" * 64, "x" * 65, "Patient/none", "http://a/Patient/1", ""])
    several = st.lists(listed | CODES, min_size=2, max_size=4).map(",".join)
    return listed | CODES | DATES | NUMBERS | INCLUDES | SORTS | several | ODD


def names() -> st.SearchStrategy[str]:
    known = st.sampled_from([*NAMES, *CONTROLS, *PASSED_OVER])
    modified = st.builds("{}:{}".format, known, st.sampled_from(["exact", "not", "missing", "Patient", "in", ""]))
    return known | modified | ODD


def queries(known: Known) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(names(), values(known)), max_size=4)
    encoded = pairs.map(lambda those: "&".join(f"{quote(name)}={quote(value)}" for name, value in those))
    return encoded | encoded | encoded | st.sampled_from(["%", "%zz=1", "a=%ff", "&&&", "=", "_cursor=AAAA", ";" * 50])


def paths(known: Known) -> st.SearchStrategy[str]:
    types = st.sampled_from([*SEARCHES, "Condition", "metadata", "$everything", ""])
    own_ids = st.sampled_from([*known.ids, "none", "_search", "charting-1", "charting-99999999999999999999", "live-x"])
    operations = st.sampled_from([*OPERATIONS, "$other", "_history", "_history/1"])
    own_id = own_ids | own_ids | ODD.map(lambda text: quote(text, safe=""))
    return (
        types
        | st.builds("{}/{}".format, types, own_id)
        | st.builds("Flag/{}/{}".format, st.just(known.flag) | own_id, operations)
        | st.builds("{}/{}/{}".format, types, own_id, operations)
        | st.sampled_from(["..", "../metadata", "%2e%2e", "%00", "%ff", "Observation//", "/", "Observation/%2F"])
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD, inner, max_size=3),
    max_leaves=6,
)


def changed(resource: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The resource with some of what is in it replaced, or left out."""
    keys = st.sampled_from(sorted(resource))
    status = st.sampled_from(["final", "entered-in-error", "cancelled", "amended", "preliminary"])
    replaced = st.dictionaries(keys, JSON | st.just(None), max_size=2)
    return st.builds(lambda what, how: {**resource, "status": how, **what}, replaced, status)


def parameters() -> st.SearchStrategy[dict[str, Any]]:
    seen = st.fixed_dictionaries({"name": st.just("seen"), "valueCode": st.sampled_from(["severe", "mild", "x"])})
    note = st.fixed_dictionaries({"name": st.just("note"), "valueString": ODD})
    minutes = st.fixed_dictionaries({"name": st.just("minutes"), "valueInteger": st.integers() | st.booleans() | ODD})
    listed = st.lists(seen | note | minutes | JSON, max_size=4) | JSON
    return st.builds(lambda one: {"resourceType": "Parameters", "parameter": one}, listed)


def bodies(known: Known) -> st.SearchStrategy[bytes]:
    resources = changed(known.observation) | parameters() | JSON
    return (
        resources.map(lambda one: json.dumps(one).encode())
        | queries(known).map(str.encode)
        | st.sampled_from([b"", b"{", b"\xff", b"[" * 5000, b'{"a":' * 2000, b"x" * 70_000, b'{"a":1e999}', b"NaN"])
        | st.binary(max_size=40)
    )


def headers() -> st.SearchStrategy[dict[str, str]]:
    latin = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
    return st.fixed_dictionaries(
        {},
        optional={
            "Content-Type": st.sampled_from([FHIR, "application/json", FORM, "text/plain", "a", f"{FHIR}; charset=x"]),
            "Accept": st.sampled_from(["*/*", FHIR, "text/html", "application/fhir+xml", ",", "a/b;q=x"]) | latin,
            "Prefer": st.sampled_from(["handling=strict", "handling=lenient", "return=minimal", ",;,"]) | latin,
            "If-Match": st.sampled_from(['W/"1"', 'W/"2"', '"1"', "*", 'W/"99999999999999999999"', ""]) | latin,
            "If-None-Match": st.sampled_from(["*", 'W/"1"', '""', ","]) | latin,
            "If-Modified-Since": st.sampled_from(["Thu, 01 Jan 1970 00:00:00 GMT", "never"]),
            "Accept-Encoding": st.sampled_from(["gzip", "gzip;q=0", "*", "br", ""]),
            "Last-Event-ID": NUMBERS.filter(str.isascii) | latin,
            "X-Request-Id": latin,
            "X-Forwarded-For": latin,
        },
    )


@dataclass(frozen=True)
class Request:
    """What is sent; ``target`` follows the base path."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""


def requests(known: Known) -> st.SearchStrategy[Request]:
    """Most are for something that there is, with a method that it knows; the others are anything."""
    types = st.sampled_from([*SEARCHES])
    form, fhir = {"Content-Type": FORM}, {"Content-Type": FHIR}
    own = f"Observation/{known.observation['id']}"
    seen = st.sampled_from(['W/"1"', 'W/"2"', '"1"', 'W/"999999999"']).map(lambda tag: {**fhir, "If-Match": tag})
    observations = changed(known.observation).map(lambda one: json.dumps(one).encode())
    acts = parameters().map(lambda one: json.dumps(one).encode())
    operations = st.sampled_from([f"Flag/{known.flag}/{one}" for one in OPERATIONS])
    targets = st.builds("{}?{}".format, types | paths(known), queries(known))
    forms = queries(known).map(str.encode)
    return (
        st.builds(Request, st.sampled_from(["GET", "HEAD"]), targets, headers())
        | st.builds(Request, st.just("GET"), st.builds("{}?{}".format, types, queries(known)), st.just({}))
        | st.builds(Request, st.just("POST"), types.map("{}/_search".format), st.just(form), forms)
        | st.builds(Request, st.just("PUT"), st.just(own), seen, observations)
        | st.builds(Request, st.just("POST"), st.just("Observation"), st.just(fhir), observations)
        | st.builds(Request, st.just("POST"), operations, st.just(fhir), acts)
        | st.builds(Request, st.sampled_from(METHODS), targets, headers(), bodies(known))
    )


@pytest.fixture
def known(api: Any, ward: Any) -> Known:
    """A ward with an entry, an open alert, a newest score, and what was read of it."""
    interval, lateness = timedelta(seconds=10), timedelta(seconds=2)
    ward.policy = ChartingPolicy("p", interval, lateness, alert=AlertPolicy(enabled=True))
    ward.admit(ward.infant)
    ward.take(*(ward.score(second, 8.0) for second in range(1, 31, 5)))
    ward.clock.advance(40)
    found = {one: api.found(one) for one in SEARCHES}
    ids = tuple(one["id"] for of_type in found.values() for one in of_type[:2])
    return Known(ids, found["Observation"][0], found["Flag"][0]["id"])


def asked(api: Any, request: Request) -> httpx.Response:
    url = httpx.URL(api.url).copy_with(raw_path=f"{BASE_PATH}/{request.target}".encode())
    token = api.token(scope="user/*.cruds system/*.rs", name="N. Nurse")
    sent = {"Authorization": f"Bearer {token}", **request.headers}
    with api.http.stream(request.method, url, headers=sent, content=request.body or None) as answer:
        # A stream of events has no end: its head says enough.
        if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
            answer.read()
        return answer  # type: ignore[no-any-return]


def require_answer(method: str, answer: httpx.Response) -> None:
    """No fault of the server's; what is refused says why, as an OperationOutcome."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and method != "HEAD":
        assert answer.json()["resourceType"] == "OperationOutcome"


def test_nothing_that_is_asked_is_a_fault_of_the_server(api: Any, known: Known) -> None:
    counted: Counter[int] = Counter()

    @settings(
        max_examples=EXAMPLES,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(request=requests(known))
    def ask(request: Request) -> None:
        answer = asked(api, request)
        counted[answer.status_code] += 1
        require_answer(request.method, answer)

    ask()

    print(f"answers by status: {dict(sorted(counted.items()))}")
    assert {200, 400, 404, 422} <= counted.keys()
    assert api.ask("Observation").status_code == 200


@pytest.mark.parametrize("last", ["", "0", "-1", "99999999999999999999", "x", "1.2"])
def test_a_stream_begins_wherever_a_client_says_that_it_was(api: Any, known: Known, last: str) -> None:
    answer = asked(api, Request("GET", "$events", {"Last-Event-ID": last} if last else {}))

    assert answer.status_code == 200
