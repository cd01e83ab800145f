from __future__ import annotations

import socket

from neopain.embedded import loopback


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
