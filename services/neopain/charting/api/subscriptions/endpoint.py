"""Where notifications go: which addresses may be theirs, and one POST to one of them.

The name is looked up for each connection, and the connection goes to the very address that was looked at: a name that
means another machine a moment later opens nothing. Redirections are not followed. Nothing of an answer is kept but its
status and Retry-After, so that nobody reads by us what only we can reach.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from neopain import __version__
from neopain.charting.ehr.client_tls import ClientTls
from neopain.charting.ehr.http_answer import seconds_of
from neopain.codecs.fhir.refusal import Refused, bad_request
from neopain.codecs.fhir.subscription import PAYLOAD
from neopain.errors import PermanentError, TransientError

PORTS = {"https": 443, "http": 80}
LONGEST_RETRY_AFTER = 3600.0
NAT64 = ip_network("64:ff9b::/96")

Address = IPv4Address | IPv6Address


class NotTaken(TransientError):
    """The endpoint did not take a notification: send it again later. The message holds nothing of the answer's body."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class AddressRefused(PermanentError):
    """The endpoint's name means an address where notifications may not go; nothing was sent."""


@dataclass(frozen=True, slots=True)
class EndpointRules:
    """Where notifications may go: by https to public addresses, and to the hosts that the site lists (``allowed``)."""

    allowed: frozenset[str] = frozenset()

    def require(self, url: str) -> None:
        """``Refused`` for an address that cannot be an endpoint, whatever its name means."""
        parts = _split(url)
        host = parts.hostname or ""
        if parts.scheme == "http" and host not in self.allowed:
            raise bad_request("https://; http:// only to this machine, where the site allows it")
        address = _literal(host)
        if address is not None:
            self.require_address(url, address)

    def require_address(self, url: str, address: Address) -> None:
        """``Refused`` for an address that the name means, or is."""
        parts = _split(url)
        host = parts.hostname or ""
        own = _inner(address)
        if own.is_link_local or own.is_multicast or own.is_unspecified:
            raise bad_request("it means an address that is nobody's to be told at")
        if parts.scheme == "http" and not own.is_loopback:
            raise bad_request("http:// goes to this machine only: https://")
        if not own.is_global and host not in self.allowed:
            raise bad_request(
                "it means an address within the hospital's network, and the site does not allow that host"
            )


@dataclass(slots=True)
class Endpoints:
    """Sends. Safe to share between threads."""

    rules: EndpointRules
    tls: ClientTls | None = None
    """None: the public authorities, and no certificate of ours."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: set[_Connection] = field(default_factory=set)
    _is_closed: bool = False

    def close(self) -> None:
        """Breaks off what is being sent: it was not taken, and nothing more is."""
        with self._lock:
            self._is_closed = True
            sending = list(self._open)
        for one in sending:
            one.break_off("this process ends")

    def post(self, url: str, headers: Sequence[tuple[str, str]], body: bytes, *, timeout_seconds: float) -> None:
        """Sends one notification; returns when the endpoint has taken it (2xx).

        ``AddressRefused`` before anything is sent, ``NotTaken`` for everything else.
        """
        parts = _split(url)
        connection = _Connection(self, url, timeout_seconds)
        # Over all of it: an endpoint that answers a letter a second must not keep a thread.
        timer = threading.Timer(timeout_seconds, connection.break_off, ["it took too long"])
        timer.start()
        try:
            self._begin(connection)
            told = {
                "Content-Type": PAYLOAD,
                "Accept": PAYLOAD,
                "User-Agent": f"neopain/{__version__}",
                "Connection": "close",
                **dict(headers),
            }
            path = parts.path or "/"
            connection.request("POST", f"{path}?{parts.query}" if parts.query else path, body=body, headers=told)
            answer = connection.getresponse()
            if connection.broken_off:
                # What was read until then looks like an answer without headers.
                raise TimeoutError
            _require_taken(answer)
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise NotTaken(connection.broken_off or _described(error)) from error
        finally:
            timer.cancel()
            connection.close()
            with self._lock:
                self._open.discard(connection)

    def _begin(self, connection: _Connection) -> None:
        with self._lock:
            if self._is_closed:
                raise NotTaken("this process ends")
            self._open.add(connection)

    def connect(self, url: str, timeout_seconds: float) -> socket.socket:
        """A connection to one of the addresses that the name means now, all of which must be allowed; TLS not begun."""
        parts = _split(url)
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for *_, place in found:
            try:
                self.rules.require_address(url, ip_address(str(place[0]).partition("%")[0]))
            except Refused as error:
                raise AddressRefused(f"{host}: {error.issue.text}") from error
        failure: OSError | None = None
        for *_, place in found:
            try:
                opened = socket.create_connection((str(place[0]), port), timeout_seconds)
            except OSError as error:
                failure = error
                continue
            if parts.scheme == "http":
                return opened
            return self._context().wrap_socket(opened, server_hostname=host, do_handshake_on_connect=False)
        raise failure or OSError("the name means no address")

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            # The public ones not before they are needed: to read them takes longer than a start should.
            if self.tls is None:
                self.tls = ClientTls()
            self.tls.refresh()
            return self.tls.context


class _Connection(http.client.HTTPConnection):
    """HTTP over a connection that ``Endpoints`` opens; can be broken off by another thread."""

    def __init__(self, endpoints: Endpoints, url: str, timeout_seconds: float) -> None:
        parts = _split(url)
        # With the port of the scheme, Host has none (RFC 9110 section 7.2).
        port = parts.port if parts.port not in (None, PORTS[parts.scheme]) else http.client.HTTP_PORT
        super().__init__(parts.hostname or "", port, timeout=timeout_seconds)
        self._endpoints = endpoints
        self._url = url
        self._seconds = timeout_seconds
        self.broken_off = ""
        """Why it was broken off; empty while it was not."""

    def connect(self) -> None:
        self.sock = self._endpoints.connect(self._url, self._seconds)
        if self.broken_off:
            raise TimeoutError
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock.do_handshake()

    def break_off(self, why: str) -> None:
        self.broken_off = why
        opened = self.sock
        if opened is not None:
            try:
                opened.shutdown(socket.SHUT_RDWR)
            except OSError:
                return


def told_endpoint(url: str) -> str:
    """The address without its query, which may hold a password: for logs and the audit trail."""
    return url.partition("?")[0]


def _require_taken(answer: http.client.HTTPResponse) -> None:
    status = answer.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        raise NotTaken(f"HTTP {status}: redirections are not followed")
    asked_for = seconds_of(answer.getheader("Retry-After", ""))
    wait = None if asked_for is None else min(asked_for, LONGEST_RETRY_AFTER)
    raise NotTaken(f"HTTP {status}", retry_after_seconds=wait)


def _split(url: str) -> SplitResult:
    """The parts of an address; ``Refused`` when it is none that can be sent to."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise bad_request("an absolute https:// address") from error
    if not is_good or parts.username is not None or parts.password is not None or parts.fragment:
        raise bad_request("an absolute https:// address, without user, password and fragment; secrets are headers")
    return parts


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _inner(address: Address) -> Address:
    """The IPv4 address that an address of IPv6 stands for, where it stands for one: a way around would be open."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


def _described(error: Exception) -> str:
    """What went wrong, in words of ours and of TLS: an answer's own words may be anything."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not taken: {error.verify_message}"
    if isinstance(error, socket.gaierror | UnicodeError):
        return "its name means no address"
    return f"no answer ({type(error).__name__})"
