from __future__ import annotations

import socket

import pytest

from neopain.embedded import loopback
from neopain.errors import ConfigurationError


def test_a_free_port_lies_below_the_range_of_outgoing_connections() -> None:
    assert all(20000 <= loopback.free_port() <= 32000 for _ in range(20))


def test_a_port_on_which_somebody_listens_is_not_given_out(monkeypatch) -> None:
    with socket.create_server((loopback.HOST, 0)) as taken:
        ports = iter([taken.getsockname()[1], 0])
        monkeypatch.setattr(loopback.random, "randint", lambda *_: next(ports))

        assert loopback.free_port() == 0


def test_nobody_listening_is_an_empty_answer() -> None:
    assert loopback.exchange(loopback.free_port(), b"PING\r\n", lines=1) == b""


def test_nobody_listening_is_not_ok() -> None:
    assert not loopback.answers_ok(f"http://{loopback.HOST}:{loopback.free_port()}/")


def test_ports_come_from_the_range_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEOPAIN_LOOPBACK_PORTS", "21000-21019")

    assert {loopback.free_port() for _ in range(5)} <= set(range(21000, 21020))


@pytest.mark.parametrize("told", ["", "21000", "21019-21000", "80-90", "60000-70000", "a-b", "-"])
def test_what_is_no_range_of_ports_is_named(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEOPAIN_LOOPBACK_PORTS", told)

    with pytest.raises(ConfigurationError, match=r"NEOPAIN_LOOPBACK_PORTS is .*as in 20000-32000"):
        loopback.free_port()
