"""/live, /ready and /metrics."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from neopain.embedded.loopback import free_port
from neopain.errors import ConfigurationError
from neopain.runtime.http import Health, HealthServer
from neopain.runtime.metrics import counter


class Probe:
    """A health server and who asks it."""

    def __init__(self) -> None:
        self.health = Health()
        self.port = free_port()
        self.server = HealthServer(self.health, host="127.0.0.1", port=self.port)

    def get(self, path: str) -> tuple[int, str]:
        """The status and the text of an answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture
def probe() -> Iterator[Probe]:
    """A server of this test."""
    probe = Probe()
    yield probe
    probe.server.close()


def test_an_address_that_cannot_be_had_is_told_with_the_setting(probe: Probe) -> None:
    for host, port in (("127.0.0.1", probe.port), ("no.host.invalid", free_port())):
        with pytest.raises(
            ConfigurationError, match=rf"cannot listen on {host}:{port} .*: set the service's HTTP_HOST"
        ):
            HealthServer(Health(), host=host, port=port)


def test_a_service_is_live_from_the_start(probe: Probe) -> None:
    assert probe.get("/live") == (200, "live\n")


def test_a_service_is_not_ready_before_it_says_so(probe: Probe) -> None:
    assert probe.get("/ready") == (503, "starting\n")


def test_a_service_that_says_so_is_ready(probe: Probe) -> None:
    probe.health.ready()
    assert probe.get("/ready") == (200, "ready\n")


def test_why_a_service_is_not_ready_is_told(probe: Probe) -> None:
    probe.health.not_ready("waiting for Triton")
    assert probe.get("/ready") == (503, "waiting for Triton\n")


def test_metrics_are_told(probe: Probe) -> None:
    counter("scoring_ticks_total").inc()
    status, text = probe.get("/metrics")
    assert status == 200
    assert "\nneopain_scoring_ticks_total " in text


def test_other_paths_are_not_there(probe: Probe) -> None:
    assert probe.get("/")[0] == 404
