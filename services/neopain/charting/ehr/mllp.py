"""One MLLP connection to an interface, plain or by TLS: a message out, its answers in. What they say is the caller's.

One message at a time: its answers come before the next one is sent. After anything unclear the connection is closed, so
that a late answer is never taken for that to another message.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from neopain.charting.ehr.client_tls import ClientTls
from neopain.codecs import mllp
from neopain.errors import ConfigurationError, EhrUnavailable
from neopain.runtime.log import Log

LOG = Log(__name__)

SCHEMES = {"mllp": False, "mllps": True}
"""Of the URL, and whether it means TLS."""
LONGEST_ANSWER = 1 << 20
_READ_BYTES = 1 << 16

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MllpAddress:
    """Where an interface listens."""

    host: str
    port: int
    is_tls: bool

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def read_address(url: str, *, setting: str) -> MllpAddress:
    """The address in ``mllp://host:port`` or, by TLS, ``mllps://host:port``; ``ConfigurationError`` for another one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"{setting}: {error}") from error
    is_plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password)
    if parts.scheme not in SCHEMES or not parts.hostname or not port or not is_plain:
        raise ConfigurationError(
            f"{setting} is {url}, and the address of an HL7 interface is mllp://host:port, mllps://host:port by TLS"
        )
    return MllpAddress(parts.hostname, port, SCHEMES[parts.scheme])


class MllpConnection:
    """A connection that is made when it is first needed and kept. Threads that share it take turns."""

    def __init__(self, address: MllpAddress, *, tls: ClientTls | None, timeout_seconds: float) -> None:
        self.address = address
        self.timeout_seconds = timeout_seconds
        self._tls = tls
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Connects if it is not connected; ``EhrUnavailable`` when that fails."""
        with self._lock:
            self._connected()

    def close(self) -> None:
        """Closes it; the next message makes a new one."""
        with self._lock:
            self._drop()

    def ask(self, message: bytes, settle: Callable[[bytes], T | None]) -> T:
        """Sends a message and gives each answer to ``settle`` until it makes something of one, within the time.

        ``EhrUnavailable``: nothing was sent (``was_sent`` is False), or it was and there was no answer that settles it.
        What ``settle`` raises is passed on.
        """
        with self._lock:
            connection = self._connected()
            is_settled = False
            try:
                settled = self._exchange(connection, mllp.encode(message), settle)
                is_settled = settled is not None
            except OSError as error:
                raise EhrUnavailable(f"{self.address}: {_named(error)} before there was an answer") from error
            finally:
                if not is_settled:
                    self._drop()
        if settled is None:
            raise EhrUnavailable(f"{self.address}: no answer within {self.timeout_seconds:g} s")
        return settled

    def _exchange(self, connection: socket.socket, frame: bytes, settle: Callable[[bytes], T | None]) -> T | None:
        deadline = time.monotonic() + self.timeout_seconds
        decoder = mllp.Decoder(longest=LONGEST_ANSWER)
        connection.settimeout(self.timeout_seconds)
        connection.sendall(frame)
        while (left := deadline - time.monotonic()) > 0:
            connection.settimeout(left)
            try:
                data = connection.recv(_READ_BYTES)
            except TimeoutError:
                return None
            if not data:
                raise ConnectionResetError("the connection was closed")
            for answer in decoder.feed(data):
                if answer.fault:
                    raise EhrUnavailable(f"{self.address}: an answer is no whole message")
                if (settled := settle(answer.payload)) is not None:
                    return settled
        return None

    def _connected(self) -> socket.socket:
        if self._socket is not None and not _is_quiet(self._socket):
            # Closed by the interface meanwhile, or it said something that nobody asked for.
            self._drop()
        if self._socket is None:
            self._socket = self._connect()
        return self._socket

    def _connect(self) -> socket.socket:
        try:
            plain = socket.create_connection((self.address.host, self.address.port), self.timeout_seconds)
        except OSError as error:
            raise EhrUnavailable(f"{self.address}: {_named(error)} when connecting", was_sent=False) from error
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._tls is None:
            return plain
        self._tls.refresh()
        try:
            return self._tls.context.wrap_socket(plain, server_hostname=self.address.host)
        except OSError as error:
            plain.close()
            raise EhrUnavailable(f"{self.address}: {_named(error)} in the TLS handshake", was_sent=False) from error

    def _drop(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None


def _is_quiet(connection: socket.socket) -> bool:
    """Whether the connection is open and nothing waits to be read."""
    connection.settimeout(0)
    try:
        connection.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    return False


def _named(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not taken ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "timed out"
    return error.strerror or (error.reason if isinstance(error, ssl.SSLError) and error.reason else str(error))
