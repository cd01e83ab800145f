"""Each service's small HTTP server: /live, /ready and /metrics, on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from neopain.errors import ConfigurationError


class Health:
    """What the probes are told. Live from the start; ready when the service says so, and not while it drains."""

    def __init__(self) -> None:
        self._reason = "starting"

    @property
    def is_ready(self) -> bool:
        """Whether the service takes work."""
        return not self._reason

    @property
    def reason(self) -> str:
        """Why it does not; empty when ready."""
        return self._reason

    def ready(self) -> None:
        """The service takes work."""
        self._reason = ""

    def not_ready(self, reason: str) -> None:
        """The service takes no work, and why."""
        self._reason = reason


class HealthServer:
    """Serves the probes until closed; ``port`` 0 starts nothing. ``ConfigurationError`` when the address cannot be
    had."""

    def __init__(self, health: Health, *, host: str, port: int) -> None:
        self._server: ThreadingHTTPServer | None = None
        if port:
            self._server = _bound(host, port, health)
            self._server.daemon_threads = True
            # A stop is noticed within a tenth of a second, not half of one.
            threading.Thread(target=self._server.serve_forever, args=(0.1,), name="health", daemon=True).start()

    def close(self) -> None:
        """Stops serving."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


@contextmanager
def serving_health(*, host: str, port: int) -> Iterator[Health]:
    """A service's probes while the block runs; ``port`` 0 serves none."""
    health = Health()
    server = HealthServer(health, host=host, port=port)
    try:
        yield health
    finally:
        server.close()


def _bound(host: str, port: int, health: Health) -> ThreadingHTTPServer:
    try:
        return ThreadingHTTPServer((host, port), _handler_for(health))
    except OSError as error:
        raise ConfigurationError(
            f"/live, /ready and /metrics cannot listen on {host}:{port} ({error.strerror}): set the service's "
            "HTTP_HOST and HTTP_PORT"
        ) from error


def _handler_for(health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            match self.path:
                case "/live":
                    self._answer(200, b"live\n", "text/plain")
                case "/ready" if health.is_ready:
                    self._answer(200, b"ready\n", "text/plain")
                case "/ready":
                    self._answer(503, f"{health.reason}\n".encode(), "text/plain")
                case "/metrics":
                    self._answer(200, generate_latest(), CONTENT_TYPE_LATEST)
                case _:
                    self._answer(404, b"there are /live, /ready and /metrics\n", "text/plain")

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Probes are not told in the log."""

    return Handler
