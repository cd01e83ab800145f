"""HTTP and TCP of the tests' own, without the waits and the work that the libraries do by default."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """Whom a client trusts by default, read once: the certificates of all authorities take 50 ms of a core."""
    return httpx.create_ssl_context()


@contextmanager
def in_background(server: socketserver.BaseServer) -> Iterator[None]:
    """Serves on a thread while the block runs, then closes the server. Its end takes 10 ms, not half a second."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
