"""Ports on the loopback interface and the questions that tell whether a server behind one is ready."""

from __future__ import annotations

import os
import random
import socket
import urllib.error
import urllib.request

from neopain.errors import ConfigurationError

HOST = "127.0.0.1"
PORTS_VARIABLE = "NEOPAIN_LOOPBACK_PORTS"
"""Whoever runs several lines on one machine gives each its own range: a port is free while its server is dead."""
PORTS = "20000-32000"
"""Below the range from which the kernel takes the ports of outgoing connections (32768 and up)."""

_GIVEN: set[int] = set()
"""What this process has given out: nobody may listen there yet, and still it is taken."""


def free_port() -> int:
    """Return a port of the loopback interface on which nobody listens now.

    Random rather than the next one, so that runs side by side seldom meet, and never the same one twice in this
    process. ``OSError`` when none is free; ``ConfigurationError`` when the variable holds no range.
    """
    first, last = _range()
    for _ in range(200):
        port = random.randint(first, last)  # noqa: S311 -- not a secret
        if port in _GIVEN:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        _GIVEN.add(port)
        return port
    raise OSError(f"no free port between {first} and {last} on {HOST}")


def _range() -> tuple[int, int]:
    told = os.environ.get(PORTS_VARIABLE, PORTS)
    first, _, last = told.partition("-")
    if not (first.isdecimal() and last.isdecimal() and 1024 <= int(first) <= int(last) <= 65535):
        raise ConfigurationError(f"{PORTS_VARIABLE} is {told!r}: give the first and the last port, as in {PORTS}")
    return int(first), int(last)


def answers_ok(url: str) -> bool:
    """Ask whether an HTTP GET of ``url`` gives 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 -- always our own loopback URL
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def exchange(port: int, request: bytes, *, lines: int) -> bytes:
    """Send bytes, return the answer of so many lines, or less when the other side ended or was silent for 2 s.

    Empty when nobody listens.
    """
    answer = b""
    try:
        with socket.create_connection((HOST, port), timeout=2) as connection:
            connection.sendall(request)
            while answer.count(b"\n") < lines and (chunk := connection.recv(4096)):
                answer += chunk
    except OSError:
        pass
    return answer
