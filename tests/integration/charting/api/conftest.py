"""The FHIR API on a port of this machine, with an issuer whose keys the test has."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sqlalchemy import Engine

from neopain.charting.api.service import serving
from neopain.charting.api.settings import ApiSettings
from neopain.embedded.loopback import free_port
from neopain.runtime.clock import Clock

from ....fhir_validity import require_valid
from ....servers import in_background, trusted
from ...in_thread import in_thread

ISSUER = "https://id.hospital.example"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(slots=True)
class Issuer:
    """The hospital's OpenID provider, as far as readers see it: keys, and tokens signed with them."""

    folder: Path
    keys: dict[str, tuple[PrivateKey, str]] = field(default_factory=dict)

    def add(self, kid: str, key: PrivateKey, algorithm: str) -> None:
        self.keys[kid] = (key, algorithm)
        self.publish()

    def publish(self) -> None:
        self.jwks_file.write_text(json.dumps(self.jwks()))

    def jwks(self) -> dict[str, Any]:
        return {"keys": [self._public(kid, key, algorithm) for kid, (key, algorithm) in self.keys.items()]}

    @property
    def jwks_file(self) -> Path:
        return self.folder / "jwks.json"

    def token(self, audience: str, *, kid: str = "es384", **changes: Any) -> str:
        """A good token with everything granted; a claim that is changed to None is left out."""
        now = datetime.now(UTC)
        claims = {
            "iss": ISSUER,
            "aud": audience,
            "sub": "nurse-1",
            "client_id": "dashboard",
            "iat": now,
            "nbf": now,
            "exp": now + timedelta(minutes=5),
            "scope": "system/*.rs",
            **changes,
        }
        key, algorithm = self.keys[kid]
        told = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(told, key, algorithm=algorithm, headers={"kid": kid})

    @staticmethod
    def _public(kid: str, key: PrivateKey, algorithm: str) -> dict[str, Any]:
        algorithms = jwt.algorithms.get_default_algorithms()
        told = algorithms[algorithm].to_jwk(key.public_key(), as_dict=True)
        return {**told, "kid": kid, "alg": algorithm, "use": "sig"}


@dataclass(slots=True)
class Api:
    """The API as a client sees it."""

    url: str
    issuer: Issuer
    http: httpx.Client
    stop: Callable[[], None]

    def token(self, **changes: Any) -> str:
        return self.issuer.token(self.url, **changes)

    def ask(self, path: str, *, token: str | None = None, method: str = "GET", **options: Any) -> httpx.Response:
        """The answer to a client with a good token, or with the one given; none at all for an empty one.

        Whatever resource it holds has to be valid.
        """
        token = self.token() if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= options.pop("headers", {})
        url = path if path.startswith("http") else f"{self.url}/{path}"
        answer = self.http.request(method, url, headers=headers, **options)
        if answer.headers.get("Content-Type", "").startswith("application/fhir+json") and answer.content:
            require_valid(answer.json())
        return answer

    def bundle(self, path: str, *, token: str | None = None, **options: Any) -> dict[str, Any]:
        """The bundle of a search that has to succeed."""
        answer = self.ask(path, token=token, **options)
        assert answer.status_code == 200, answer.text
        bundle: dict[str, Any] = answer.json()
        return bundle

    def found(self, path: str, *, token: str | None = None, **options: Any) -> list[dict[str, Any]]:
        """The matches of a search."""
        entries = self.bundle(path, token=token, **options).get("entry", [])
        return [entry["resource"] for entry in entries if entry["search"]["mode"] == "match"]

    def read(self, path: str, *, token: str | None = None) -> dict[str, Any]:
        """One resource that has to be there."""
        answer = self.ask(path, token=token)
        assert answer.status_code == 200, answer.text
        resource: dict[str, Any] = answer.json()
        return resource


DEFAULTS = {"api_issuer": ISSUER, "api_jwks_refetch_seconds": 0.001, "api_subscription_look_seconds": 3600}
"""No look for subscriptions in between: a test that is about them looks when it wants to."""


@cache
def _read_settings() -> ApiSettings:
    return ApiSettings(**DEFAULTS, database_url="postgresql+psycopg2://nobody@127.0.0.1/none")


def default_settings(**own: Any) -> ApiSettings:
    """The defaults with what only this API has: settings are read once, since the environment takes 5 ms."""
    return _read_settings().model_copy(update=own)


def outcome(answer: httpx.Response) -> tuple[int, str]:
    """Status and issue code of a refusal, which has to be a valid OperationOutcome."""
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome"
    require_valid(body)
    return answer.status_code, body["issue"][0]["code"]


@pytest.fixture(scope="session")
def signing_keys() -> dict[str, tuple[PrivateKey, str]]:
    """One key of each algorithm, made once."""
    return {
        "es384": (ec.generate_private_key(ec.SECP384R1()), "ES384"),
        "es256": (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        "rs384": (rsa.generate_private_key(65537, 2048), "RS384"),
        "rs256": (rsa.generate_private_key(65537, 2048), "RS256"),
    }


@pytest.fixture
def issuer(tmp_path: Path, signing_keys: dict[str, tuple[PrivateKey, str]]) -> Issuer:
    issuer = Issuer(tmp_path, dict(signing_keys))
    issuer.publish()
    return issuer


@pytest.fixture
def api_with(database: str, engine: Engine, clock: Clock, issuer: Issuer) -> Iterator[Callable[..., Api]]:
    """Starts an API with settings of the test's own."""
    with ExitStack() as started:

        def start(**changes: Any) -> Api:
            own = {"database_url": database, "api_port": free_port(), "api_jwks_file": issuer.jwks_file}
            settings = ApiSettings(**{**DEFAULTS, **own, **changes}) if changes else default_settings(**own)
            settings.require_consistent()
            running = started.enter_context(ExitStack())
            running.enter_context(in_thread(serving(settings, engine, clock)))
            http = running.enter_context(httpx.Client(timeout=30, verify=trusted()))
            return Api(settings.base_url, issuer, http, running.close)

        yield start


@pytest.fixture
def api(api_with: Callable[..., Api]) -> Api:
    """An API as it is by default."""
    return api_with()


class FaultyIssuer:
    """An address for keys that answers what the test says."""

    def __init__(self) -> None:
        self.status, self.body, self.asked = 200, b"", 0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                self.send_response(issuer.status)
                self.send_header("Content-Length", str(len(issuer.body)))
                self.end_headers()
                self.wfile.write(issuer.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                return

        return Handler


@pytest.fixture
def faulty_issuer() -> Iterator[FaultyIssuer]:
    faulty = FaultyIssuer()
    with in_background(faulty.server):
        yield faulty
