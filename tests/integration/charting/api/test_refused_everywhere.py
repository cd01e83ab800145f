"""The matrix: every endpoint that tells or takes something, against every token that is not good for it."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from neopain.charting.api.question import VIEWS, WRITTEN
from neopain.codecs.fhir.alert_act import OPERATIONS
from neopain.codecs.fhir.search import SEARCHES
from neopain.domain.alert_policy import AlertPolicy
from neopain.domain.policy import ChartingPolicy

FHIR = "application/fhir+json"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address and method. ``action`` is the letter of SMART's v2 scopes that it needs, on its type."""

    method: str
    path: str
    resource_type: str
    action: str
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def is_of_person(self) -> bool:
        """Whether it takes something, which only a person may give."""
        return self.action in "cud" and not self.is_of_client

    @property
    def is_of_client(self) -> bool:
        """Whether it takes something, which only a system may give."""
        return self.action in "cud" and self.resource_type == "Subscription"

    def ask(self, api: Any, token: str) -> httpx.Response:
        with api.http.stream(
            self.method,
            f"{api.url}/{self.path}",
            headers={**self.headers, "Authorization": f"Bearer {token}"} if token else self.headers,
            content=self.body,
        ) as answer:
            # A stream of events has no end: its head says enough.
            if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
                answer.read()
            return answer  # type: ignore[no-any-return]


def endpoints() -> Iterator[Endpoint]:
    for resource_type in SEARCHES:
        yield Endpoint("GET", f"{resource_type}/none", resource_type, "r")
        yield Endpoint("HEAD", f"{resource_type}/none", resource_type, "r")
        yield Endpoint("GET", resource_type, resource_type, "s")
        yield Endpoint("POST", f"{resource_type}/_search", resource_type, "s", "", {"Content-Type": FORM})
    yield Endpoint("GET", "$events", "Observation", "s")
    for resource_type in WRITTEN:
        body = json.dumps({"resourceType": resource_type})
        headers = {"Content-Type": FHIR, "If-Match": 'W/"1"'}
        yield Endpoint("PUT", f"{resource_type}/none", resource_type, "u", body, headers)
        yield Endpoint("POST", resource_type, resource_type, "c", body, headers)
    body = json.dumps({"resourceType": "Subscription"})
    yield Endpoint("POST", "Subscription", "Subscription", "c", body, {"Content-Type": FHIR})
    yield Endpoint("PUT", "Subscription/none", "Subscription", "u", body, {"Content-Type": FHIR})
    yield Endpoint("DELETE", "Subscription/none", "Subscription", "d")
    for view in VIEWS:
        yield Endpoint("GET", f"Subscription/none/{view}", "Subscription", "r")
    yield Endpoint("GET", "Subscription/$status", "Subscription", "r")
    for operation, parameters in OPERATIONS.items():
        told = [{"name": "seen", "valueCode": "severe"}, {"name": "minutes", "valueInteger": 5}]
        body = json.dumps(
            {"resourceType": "Parameters", "parameter": [one for one in told if one["name"] in parameters]}
        )
        yield Endpoint("POST", f"Flag/none/{operation}", "Flag", "u", body, {"Content-Type": FHIR})


ENDPOINTS = {f"{one.method} {one.path}": one for one in endpoints()}


def by_hand(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)]
    unsigned = ".".join(parts)
    signature = hmac.digest(secret, unsigned.encode(), "sha256") if secret is not None else b""
    return f"{unsigned}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


@pytest.fixture
def bad_tokens(api: Any, issuer: Any) -> dict[str, str]:
    """By what is wrong with them; apart from that each grants everything."""
    now = datetime.now(UTC)
    good = api.token(scope="user/*.cruds system/*.cruds")
    claims = jwt.decode(good, options={"verify_signature": False})
    public = issuer.keys["rs256"][0].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    stranger = ec.generate_private_key(ec.SECP384R1())
    everything = {"scope": claims["scope"]}
    return {
        "none at all": "",
        "another key": jwt.encode(claims, stranger, algorithm="ES384", headers={"kid": "es384"}),
        "expired": api.token(**everything, exp=now - timedelta(minutes=5)),
        "not yet": api.token(**everything, nbf=now + timedelta(minutes=5)),
        "for another audience": api.token(**everything, aud="https://another.example/fhir"),
        "of another issuer": api.token(**everything, iss="https://id.other.example"),
        "algorithm none": by_hand({"alg": "none", "kid": "es384", "typ": "JWT"}, claims, None),
        "the public key as a secret": by_hand({"alg": "HS256", "kid": "rs256", "typ": "JWT"}, claims, public),
        "cut": good[:-8],
    }


def test_a_token_that_is_not_good_is_refused_at_every_endpoint(api: Any, bad_tokens: dict[str, str]) -> None:
    for name, endpoint in ENDPOINTS.items():
        answers = {what: endpoint.ask(api, token).status_code for what, token in bad_tokens.items()}

        assert (name, answers) == (name, dict.fromkeys(bad_tokens, 401))


def test_a_scope_for_something_else_is_refused_at_every_endpoint(api: Any) -> None:
    for name, endpoint in ENDPOINTS.items():
        answers = {scope: endpoint.ask(api, api.token(scope=scope)).status_code for scope in wrong_for(endpoint)}

        assert (name, set(answers.values())) == (name, {403}), answers


def test_the_scope_that_it_needs_is_enough_at_every_endpoint(api: Any) -> None:
    for name, endpoint in ENDPOINTS.items():
        answers = {scope: endpoint.ask(api, api.token(scope=scope)).status_code for scope in enough_for(endpoint)}

        # What it asks for is not there, or is no whole resource: it was let in.
        assert (name, set(answers.values()) - {200, 404, 422}) == (name, set()), answers


def wrong_for(endpoint: Endpoint) -> list[str]:
    own, other = endpoint.resource_type, "Condition"
    if endpoint.is_of_client:
        less = "cruds".replace(endpoint.action, "")
        return [f"user/{own}.cruds", "user/*.*", f"system/{own}.{less}", f"system/{other}.cruds", "system/*.read", ""]
    v1 = "read" if endpoint.is_of_person else "write"
    wrong = [f"user/{other}.cruds", f"system/{other}.cruds", f"patient/{own}.cruds", "openid", ""]
    wrong += [f"user/{own}.{'cruds'.replace(endpoint.action, '')}", f"user/{own}.{v1}", f"user/*.{v1}"]
    return [*wrong, f"system/{own}.cruds", "system/*.*"] if endpoint.is_of_person else wrong


def enough_for(endpoint: Endpoint) -> list[str]:
    if endpoint.is_of_client:
        return [f"system/Subscription.{endpoint.action}", "system/Subscription.write", "system/*.*", "system/*.cruds"]
    own, v1 = endpoint.resource_type, "write" if endpoint.is_of_person else "read"
    enough = [f"user/{own}.{endpoint.action}", f"user/*.{endpoint.action}", f"user/{own}.{v1}", "user/*.*"]
    return enough if endpoint.is_of_person else [*enough, f"system/{own}.{endpoint.action}", f"system/{own}.{v1}"]


# -- units and one infant, where something is -------------------------------------------------------------------------


@pytest.fixture
def standing(ward: Any) -> Any:
    """The ward with an entry and an open alert of its one infant."""
    ward.policy = ChartingPolicy(
        name="p", interval=timedelta(seconds=10), lateness=timedelta(seconds=2), alert=AlertPolicy(enabled=True)
    )
    ward.admit(ward.infant)
    ward.take(*(ward.score(second, 8.0) for second in range(1, 31, 5)))
    ward.clock.advance(40)
    return ward


def writes(api: Any) -> list[Endpoint]:
    """What a nurse may do with what is there."""
    (entry, *_) = api.found("Observation?code=pain-score")
    (flag,) = api.found("Flag?status=active")
    accepted = json.dumps({**entry, "status": "final"})
    headers = {"Content-Type": FHIR, "If-Match": f'W/"{entry["meta"]["versionId"]}"'}
    seen = json.dumps({"resourceType": "Parameters", "parameter": [{"name": "seen", "valueCode": "severe"}]})
    return [
        Endpoint("PUT", f"Observation/{entry['id']}", "Observation", "u", accepted, headers),
        Endpoint("POST", f"Flag/{flag['id']}/$acknowledge", "Flag", "u", seen, {"Content-Type": FHIR}),
    ]


def test_nothing_can_be_written_beyond_the_units_of_a_token(api_with: Callable[..., Any], standing: Any) -> None:
    api = api_with(api_units_claim="units")
    mine, scope = ["NICU"], "user/*.cruds system/*.rs"
    everything = api_with()

    for endpoint in writes(everything):
        for units in (["PICU"], ["NICU@ELSEWHERE"], [], None):
            assert endpoint.ask(api, api.token(scope=scope, units=units)).status_code == 404
        assert endpoint.ask(api, api.token(scope=scope, units=mine)).status_code == 200


@pytest.mark.parametrize("resource_type", ["Observation", "Flag"])
def test_nothing_is_told_beyond_the_units_or_the_infant_of_a_token(
    api_with: Callable[..., Any], standing: Any, resource_type: str
) -> None:
    api, scope = api_with(api_units_claim="units"), f"patient/{resource_type}.rs"
    own_id = api_with().found(resource_type)[0]["id"]
    infant = f"urn:neopain:authority:HOSP|{standing.infant.value}"

    for claims, is_told in (
        ({"units": ["NICU"]}, True),
        ({"units": ["PICU"]}, False),
        ({"units": ["NICU"], "scope": scope, "patient": infant}, True),
        ({"units": ["NICU"], "scope": scope, "patient": "urn:neopain:authority:HOSP|another"}, False),
        ({"units": ["PICU"], "scope": scope, "patient": infant}, False),
    ):
        token = api.token(**claims)
        assert bool(api.found(resource_type, token=token)) == is_told
        assert api.ask(f"{resource_type}/{own_id}", token=token).status_code == (200 if is_told else 404)
