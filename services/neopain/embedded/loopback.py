"""Ports on the loopback interface and the questions that tell whether a server behind one is ready."""

from __future__ import annotations

import random
import socket
import urllib.error
import urllib.request

HOST = "127.0.0.1"
FIRST_PORT = 20000
LAST_PORT = 32000
"""Below the range from which the kernel takes the ports of outgoing connections (32768 and up)."""

_GIVEN: set[int] = set()
"""What this process has given out: nobody may listen there yet, and still it is taken."""


def free_port() -> int:
    """Return a port of the loopback interface on which nobody listens now.

    Random rather than the next one, so that runs side by side seldom meet, and never the same one twice in this
    process. ``OSError`` when none is free.
    """
    for _ in range(200):
        port = random.randint(FIRST_PORT, LAST_PORT)  # noqa: S311 -- not a secret
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
    raise OSError(f"no free port between {FIRST_PORT} and {LAST_PORT} on {HOST}")


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
