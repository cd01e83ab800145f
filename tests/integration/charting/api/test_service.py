"""The process: it starts and drains like every other, has its own issuer where asked for, and speaks TLS."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from prometheus_client import REGISTRY

from neopain import cli
from neopain.charting.api.local_issuer import KEY_FILE, make_key
from neopain.embedded.loopback import free_port
from neopain.errors import ConfigurationError

from ....certificates import NEEDS_OPENSSL, Authority, end_of
from ....servers import trusted

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def environment(database: str, tmp_path: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("NEOPAIN_")}
    return {
        **ours,
        "PYTHONPATH": str(ROOT / "services"),
        "NEOPAIN_CHARTING_DATABASE_URL": database,
        "NEOPAIN_CHARTING_HTTP_PORT": str(free_port()),
        "NEOPAIN_CHARTING_API_PORT": str(free_port()),
        "NEOPAIN_CHARTING_API_LOCAL_ISSUER": str(tmp_path / "issuer"),
    }


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture
def run(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Runs a command in the environment, with changes of the test's own: None leaves a variable out."""

    def do(*arguments: str, **changes: str | None) -> Done:
        told = {name: value for name, value in (environment | changes).items() if value is not None}
        with monkeypatch.context() as patched:
            patched.setattr(os, "environ", told)
            code = cli.run(arguments)
        return Done(code, *capsys.readouterr())

    return do


@pytest.fixture
def process(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """``neopain api``, ready."""
    command = [sys.executable, "-m", "neopain", "api"]
    child = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    ready = f"http://127.0.0.1:{environment['NEOPAIN_CHARTING_HTTP_PORT']}/ready"
    while True:
        assert child.poll() is None, child.stderr.read() if child.stderr else ""
        assert time.monotonic() < deadline
        try:
            if httpx.get(ready, verify=trusted()).status_code == 200:
                break
        except httpx.TransportError:
            time.sleep(0.1)
    yield child
    child.kill()
    child.communicate()


def test_a_token_of_the_local_issuer_reads_until_the_next_start(
    process: subprocess.Popen[str], environment: dict[str, str], ward: Any, run: Callable[..., Done], tmp_path: Path
) -> None:
    ward.chart()
    base = f"http://127.0.0.1:{environment['NEOPAIN_CHARTING_API_PORT']}/fhir/R4"
    token = run("api", "token", "--seconds", "60").stdout.strip()
    header = {"Authorization": f"Bearer {token}"}

    found = httpx.get(f"{base}/Observation", headers=header, verify=trusted())
    metrics = httpx.get(f"http://127.0.0.1:{environment['NEOPAIN_CHARTING_HTTP_PORT']}/metrics", verify=trusted()).text

    claims = jwt.decode(token, options={"verify_signature": False})
    assert [len(found.json()["entry"]), claims["exp"] - claims["iat"]] == [1, 60]
    assert stat.S_IMODE((tmp_path / "issuer" / KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "issuer").stat().st_mode) == 0o700
    assert 'neopain_charting_api_requests_total{status="200"} 1.0' in metrics
    make_key(tmp_path / "issuer")
    other = run("api", "token").stdout.strip()
    assert (
        httpx.get(f"{base}/Observation", headers={"Authorization": f"Bearer {other}"}, verify=trusted()).status_code
        == 401
    )


def test_it_stops_when_asked_to_and_tells_no_patient_data(
    process: subprocess.Popen[str], environment: dict[str, str], ward: Any, run: Callable[..., Done]
) -> None:
    ward.chart()
    base = f"http://127.0.0.1:{environment['NEOPAIN_CHARTING_API_PORT']}/fhir/R4"
    token = run("api", "token").stdout.strip()
    query = f"{base}/Observation?patient.identifier={ward.infant.value}&date=x"
    assert httpx.get(query, headers={"Authorization": f"Bearer {token}"}, verify=trusted()).status_code == 400

    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)

    assert process.returncode == 0
    assert "event=fhir_api_listening" in said
    assert "event=request_refused" in said
    assert ward.infant.value not in said
    assert token not in said


@pytest.mark.parametrize(
    ("changes", "arguments", "says"),
    [
        ({"NEOPAIN_CHARTING_API_LOCAL_ISSUER": None}, ("api",), "NEOPAIN_CHARTING_API_ISSUER"),
        ({"NEOPAIN_CHARTING_API_HOST": "0.0.0.0"}, ("charting", "api"), "not on loopback"),  # noqa: S104 - refused
        ({}, ("api", "token"), "start the API first"),
        ({}, ("api", "token", "--seconds", "7200"), "at most 3600 s"),
        ({}, ("api", "token", "--unit", "NICU"), "NEOPAIN_CHARTING_API_UNITS_CLAIM"),
    ],
)
def test_what_cannot_be_is_named_in_one_line(
    run: Callable[..., Done], changes: dict[str, str | None], arguments: tuple[str, ...], says: str
) -> None:
    done = run(*arguments, **changes)

    assert done.code == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_limited_token_says_so(run: Callable[..., Done], tmp_path: Path) -> None:
    make_key(tmp_path / "issuer")
    options = ("--scope", "patient/Observation.rs", "--patient", "abc", "--unit", "NICU", "--unit", "PICU@EAST")

    token = run("api", "token", *options, NEOPAIN_CHARTING_API_UNITS_CLAIM="units").stdout.strip()

    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["scope"], claims["patient"]) == ("patient/Observation.rs", "abc")
    assert claims["units"] == ["NICU", "PICU@EAST"]


@NEEDS_OPENSSL
def test_it_speaks_tls(api_with: Callable[..., Any], tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    shown = authority.issue("localhost")
    api = api_with(api_tls_certificate=shown.certificate, api_tls_key=shown.key, api_host="localhost")

    answer = httpx.get(f"{api.url}/metadata", verify=authority.context())

    assert api.url.startswith("https://localhost:")
    assert answer.json()["implementation"]["url"] == api.url
    assert REGISTRY.get_sample_value("neopain_charting_certificate_end_seconds", {"door": "api"}) == end_of(shown)


def test_a_port_in_use_is_named(api: Any, api_with: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match="NEOPAIN_CHARTING_API_PORT"):
        api_with(api_port=int(api.url.split(":")[2].partition("/")[0]))


@pytest.mark.parametrize("jwks", ["", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "kid": "x", "k": "AAAA"}]}'])
def test_a_file_without_a_key_is_refused_at_the_start(api_with: Callable[..., Any], issuer: Any, jwks: str) -> None:
    issuer.jwks_file.write_text(jwks)

    with pytest.raises(ConfigurationError, match="NEOPAIN_CHARTING_API_JWKS_FILE"):
        api_with()
