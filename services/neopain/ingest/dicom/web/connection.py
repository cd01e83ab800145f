"""One connection of HTTP/1.1 (RFC 9112): requests in, replies out, one after the other. h11 speaks, sockets block.

A body is given out as it comes and never gathered.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus

import h11

HEAD_SECONDS = 10.0
"""How long a request's line and headers may take; and a new connection, until it says something."""
LONGEST_HEAD_BYTES = 32_768
PIECE_BYTES = 262_144
LINGER_SECONDS = 2.0
"""How long a sender that was refused may go on sending: its system drops the reply when we hang up at once."""


TEXT = "text/plain"


class Gone(Exception):
    """The peer has gone, or is silent for too long: there is nobody to reply to. The message is a metric's label."""


class BadRequest(Exception):
    """What came is no HTTP; ``status`` is the reply's."""

    def __init__(self, status: int) -> None:
        super().__init__("this is no request of HTTP/1.1 that can be read")
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """A request up to its body; names of headers in lower case. Of a header that came twice the values are joined."""

    method: str
    target: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply. The body is JSON of DICOM, or a line of text where ``media_type`` says so."""

    status: int
    body: bytes = b""
    media_type: str = TEXT
    headers: Mapping[str, str] = field(default_factory=dict)


class Connection:
    """One peer. ``is_busy`` while a request is read or answered. To be used on one thread; ``hang_up`` on any."""

    def __init__(self, peer: socket.socket, *, idle_seconds: float) -> None:
        self.is_busy = False
        self._socket = peer
        self._idle_seconds = idle_seconds
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST_HEAD_BYTES)
        self._has_ended = self._is_head = False

    def next_request(self) -> Request | None:
        """The next request, None when the peer sends no more. Raises ``Gone`` and ``BadRequest``."""
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
            wait = self._idle_seconds
        else:
            wait = HEAD_SECONDS
        deadline = time.monotonic() + wait
        while (event := self._event()) is h11.NEED_DATA:
            self._receive(deadline - time.monotonic())
            if not self.is_busy:
                self.is_busy = True
                deadline = time.monotonic() + HEAD_SECONDS
        if not isinstance(event, h11.Request):
            return None
        self.is_busy, self._is_head = True, event.method == b"HEAD"
        return _request(event)

    def body(self) -> Iterator[bytes]:
        """The body of the request, piece by piece. A peer that waits for a word before it sends gets it now."""
        while True:
            event = self._event()
            match event:
                case h11.Data():
                    yield bytes(event.data)
                case h11.EndOfMessage():
                    return
                case _:
                    if self._http.they_are_waiting_for_100_continue:
                        self._send(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
                    self._receive(self._idle_seconds)

    def reply(self, reply: Reply) -> bool:
        """Sends the reply; returns whether another request may follow. Raises ``Gone``."""
        is_read = self._is_read()
        headers = {
            "Date": formatdate(usegmt=True),
            "Content-Length": str(len(reply.body)),
            "Content-Type": reply.media_type,
            **reply.headers,
        }
        if not is_read:
            headers["Connection"] = "close"
        response = h11.Response(
            status_code=reply.status, reason=HTTPStatus(reply.status).phrase, headers=list(headers.items())
        )
        body = h11.Data(data=b"" if self._is_head else reply.body)
        for event in (response, body, h11.EndOfMessage()):
            self._send(self._http.send(event))
        if not is_read:
            self._linger()
        self.is_busy = False
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    def hang_up(self) -> None:
        """Ends the connection, whatever it is doing."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def _is_read(self) -> bool:
        """Whether nothing of the request is left: what is would be taken for the next one."""
        if self._http.their_state is h11.SEND_BODY and not self._http.they_are_waiting_for_100_continue:
            self._http.next_event()
        return self._http.their_state in {h11.DONE, h11.MUST_CLOSE}

    def _event(self) -> object:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            if self._has_ended:
                raise Gone("cut off") from error
            raise BadRequest(error.error_status_hint) from error

    def _receive(self, seconds: float) -> None:
        try:
            self._socket.settimeout(max(seconds, 0.001))
            data = self._socket.recv(PIECE_BYTES)
        except TimeoutError as error:
            raise Gone("silent") from error
        except OSError as error:
            raise Gone("cut off") from error
        self._has_ended = not data
        self._http.receive_data(data)

    def _send(self, data: bytes | None) -> None:
        try:
            self._socket.settimeout(self._idle_seconds)
            self._socket.sendall(data or b"")
        except OSError as error:
            raise Gone("cut off") from error

    def _linger(self) -> None:
        deadline = time.monotonic() + LINGER_SECONDS
        try:
            self._socket.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0:
                self._socket.settimeout(left)
                if not self._socket.recv(PIECE_BYTES):
                    return
        except OSError:
            return


def _request(event: h11.Request) -> Request:
    headers: dict[str, str] = {}
    for raw_name, raw_value in event.headers:
        name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Request(event.method.decode("ascii"), event.target.decode("ascii"), headers)
