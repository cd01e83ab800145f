"""A subscriber as the world has them: an HTTP server that takes notifications, and answers as the test says."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ....fhir_validity import require_valid

Before = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class Subscriber:
    """What it got, in order. ``answers`` are the next ones' status and headers, 200 when there are none."""

    url: str = ""
    got: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    before: Before | None = None
    """Called with what it got, before it answers."""

    def fail(self, times: int, status: int = 503, **headers: str) -> None:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers += [(status, told)] * times

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The notifications of a type."""
        return [one for one in self.got if one_of(one, "type") == kind]

    def numbers(self) -> list[int]:
        """Of the events that it was told of, in order."""
        return [number for one in self.of("event-notification") for number in numbers_of(one)]


def one_of(bundle: dict[str, Any], name: str) -> Any:
    """The value of a parameter of its status."""
    found = [one for one in bundle["entry"][0]["resource"]["parameter"] if one["name"] == name]
    return next((value for key, value in found[0].items() if key.startswith("value")), None) if found else None


def events_of(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    """Its events, each as its parts by name."""
    listed = [one for one in bundle["entry"][0]["resource"]["parameter"] if one["name"] == "notification-event"]
    return [
        {part["name"]: next(value for key, value in part.items() if key.startswith("value")) for part in one["part"]}
        for one in listed
    ]


def numbers_of(bundle: dict[str, Any]) -> list[int]:
    return [int(one["event-number"]) for one in events_of(bundle)]


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, subscriber: Subscriber, *arguments: Any) -> None:
        self.subscriber = subscriber
        super().__init__(*arguments)

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.subscriber.got.append(told)
        self.subscriber.headers.append(dict(self.headers.items()))
        if self.subscriber.before is not None:
            self.subscriber.before(told)
        status, headers = self.subscriber.answers.pop(0) if self.subscriber.answers else (200, {})
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        return


@contextmanager
def subscribing(context: ssl.SSLContext | None = None) -> Iterator[Subscriber]:
    """One that listens on loopback while the block runs; by TLS with a context. Whatever it got has to be valid."""
    subscriber = Subscriber()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, subscriber))
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "https" if context is not None else "http"
    subscriber.url = f"{scheme}://127.0.0.1:{server.server_port}/told?key=s3cret"
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    try:
        yield subscriber
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    for told in subscriber.got:
        require_valid(told)
