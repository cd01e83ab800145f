"""An EHR behind SMART Backend Services: a server that verifies strictly with jose, as others would, in Node."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from neopain.charting.ehr.smart_keys import key_set, read_keys
from neopain.embedded.npm import node, run_npm_ci

from ...certificates import Authority, Issued
from ...once_per_run import once_per_run
from ...servers import trusted

SOURCE = Path(__file__).with_name("authorization_server")
CLIENT = "neopain-1"


@dataclass(slots=True)
class AuthorizationServer:
    """One that runs, and the FHIR base URL behind it."""

    base: str
    trust: ssl.SSLContext = field(default_factory=trusted)

    @property
    def fhir(self) -> str:
        return f"{self.base}/fhir"

    @property
    def token_url(self) -> str:
        return f"{self.base}/token"

    def register(self, folder: Path, **options: Any) -> None:
        """Makes the keys in the folder those of the client, and everything else as usual but what is said."""
        self._test({"keys": key_set(read_keys(folder))["keys"], **options})

    @property
    def seen(self) -> list[dict[str, Any]]:
        """The requests for tokens since it was told something, and why they were refused."""
        return list(self._test(None)["seen"])

    @property
    def tokens(self) -> list[str]:
        """Every token that is good."""
        return list(self._test(None)["tokens"])

    def _test(self, told: dict[str, Any] | None) -> dict[str, Any]:
        method = "GET" if told is None else "PUT"
        answer = httpx.request(method, f"{self.base}/test", json=told, verify=self.trust, trust_env=False)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found


def installed(base: Path) -> Path:
    """The server's script beside what it needs, once for a whole run; ``base`` is the process's folder."""
    return once_per_run(base, "authorization-server", _install) / "server.mjs"


def _install(folder: Path) -> None:
    shutil.copytree(SOURCE, folder)
    run_npm_ci(folder)


@contextmanager
def running(script: Path, ehr_url: str, *, tls: tuple[Authority, Issued, Issued] | None = None) -> Iterator[Any]:
    """The server before an EHR; with ``tls`` by TLS: whose certificates it takes, its own, and that of the tests."""
    files = [str(file) for file in (tls[0].own.certificate, tls[1].certificate, tls[1].key)] if tls else []
    command = [str(node()), str(script), ehr_url, *files]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None
    assert server.stdout is not None
    with server:
        yield AuthorizationServer(server.stdout.readline().strip(), tls[0].context(tls[2]) if tls else True)
        server.stdin.close()


def told(value: object) -> str:
    """Everything that an answer, a log or a row says."""
    return json.dumps(value, default=str)
