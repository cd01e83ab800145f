"""The web service's door: a listening socket, a thread for each connection, TLS, who may send, and how it ends."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from neopain.errors import ConfigurationError
from neopain.ingest.address import address_of
from neopain.ingest.certificate_names import names_in
from neopain.ingest.credentials import NotRecognised, Shown
from neopain.ingest.dicom.web.connection import HEAD_SECONDS, TEXT, BadRequest, Connection, Gone, Reply, Request
from neopain.ingest.dicom.web.gate import gate_of
from neopain.ingest.dicom.web.store import StoreTransaction, refusal
from neopain.ingest.dicom.web.upload import Refused
from neopain.ingest.settings import IngestSettings
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter, gauge
from neopain.runtime.tls import Tls, files_of

LOG = Log(__name__)

END_SECONDS = 2.0


class WebDoor:
    """Listens from ``start`` until ``stop``. Raises ``ConfigurationError`` for settings that cannot be."""

    def __init__(self, transaction: StoreTransaction, settings: IngestSettings) -> None:
        self.transaction = transaction
        self.settings = settings
        self.gate = gate_of(settings)
        self.tls = _tls_of(settings)
        self._server: _Server | None = None
        self._is_stopping = False
        self._lock = threading.Lock()
        self._open: dict[socket.socket, Connection | None] = {}
        """What was accepted and has not ended; None while it is greeted."""

    def start(self) -> None:
        """Opens the socket; ``ConfigurationError`` when the address cannot be had."""
        host, port = self.settings.dicom_web_host, self.settings.dicom_web_port
        try:
            self._server = _Server(host, port, self)
        except OSError as error:
            raise ConfigurationError(
                f"the DICOM web service cannot listen on {host}:{port} ({error.strerror}): "
                "set NEOPAIN_INGEST_DICOM_WEB_HOST and _PORT"
            ) from error
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="dicom-web", daemon=True).start()
        LOG.info("dicom_web_listening", host=host, port=port, tls=self.tls is not None)

    def watch(self) -> None:
        """To be called once a second: takes renewed certificates."""
        if self.tls is not None:
            self.tls.refresh()

    def stop(self) -> None:
        """Takes no more connections, lets requests in hand go on for a while, then hangs up."""
        if self._server is None:
            return
        server, self._server = self._server, None
        self._is_stopping = True
        server.shutdown()
        server.server_close()
        _wait_while(lambda: any(one.is_busy for one in self._connections()), self.settings.dicom_drain_seconds)
        for connection in self._connections():
            connection.hang_up()
        _wait_while(lambda: bool(self._open), END_SECONDS)

    def has_place_for(self, plain: socket.socket, address: str) -> bool:
        """Whether one more connection is taken; if so, it counts from now on."""
        with self._lock:
            has_place = len(self._open) < self.settings.dicom_web_most_connections
            if has_place:
                self._open[plain] = None
        if not has_place:
            _tell_ended("too many connections", address)
        gauge("ingest_dicom_web_connections").set(len(self._open))
        return has_place

    def talk(self, plain: socket.socket, address: str) -> None:
        """Serves a connection until it ends, on its own thread."""
        try:
            with self._greeted(plain) as peer:
                connection = Connection(peer, idle_seconds=self.settings.dicom_idle_seconds)
                self._open[plain] = connection
                self._converse(connection, self._names_of(peer), address)
        except OSError as error:
            LOG.debug("tls_handshake_failed", reason=str(error))
            _tell_ended("TLS handshake failed", address)
        finally:
            with self._lock:
                del self._open[plain]
            gauge("ingest_dicom_web_connections").set(len(self._open))

    def _converse(self, connection: Connection, names: tuple[str, ...], address: str) -> None:
        try:
            while not self._is_stopping and self._serve(connection, names, address):
                pass
        except Gone as error:
            if connection.is_busy:
                _tell_ended(str(error), address)

    def _greeted(self, plain: socket.socket) -> socket.socket:
        plain.settimeout(HEAD_SECONDS)
        return self.tls.context.wrap_socket(plain, server_side=True) if self.tls is not None else plain

    def _names_of(self, peer: socket.socket) -> tuple[str, ...]:
        return names_in(peer.getpeercert()) if isinstance(peer, ssl.SSLSocket) else ()

    def _serve(self, connection: Connection, names: tuple[str, ...], address: str) -> bool:
        """One request; whether another may follow."""
        try:
            request = connection.next_request()
            if request is None:
                return False
            reply = self._reply(connection, request, names, address)
        except BadRequest as error:
            reply = refusal(Refused(HTTPStatus(error.status), str(error)))
        counter("ingest_dicom_web_requests_total").labels(str(int(reply.status))).inc()
        tell = LOG.info if reply.status < HTTPStatus.BAD_REQUEST else LOG.warning
        why = reply.body.decode().strip() if reply.media_type == TEXT else "-"
        tell("web_request_answered", address=address, status=int(reply.status), why=why)
        return connection.reply(reply)

    def _reply(self, connection: Connection, request: Request, names: tuple[str, ...], address: str) -> Reply:
        shown = Shown(request.headers.get("authorization", ""), names, self.tls is not None, address)
        try:
            caller = self.gate.admit(shown)
            return self.transaction.reply_to(request, connection.body(), caller=caller)
        except NotRecognised as error:
            LOG.warning("web_sender_not_recognised", address=address, why=error.why)
            return refusal(Refused(HTTPStatus.UNAUTHORIZED, str(error), **{"WWW-Authenticate": "Bearer"}))
        except (Gone, BadRequest):
            raise
        except Exception:
            # A fault of ours: the sender keeps its objects, a person reads the log.
            LOG.error("web_request_failed", address=address)
            return refusal(Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "this request could not be processed"))

    def _connections(self) -> list[Connection]:
        with self._lock:
            return [connection for connection in self._open.values() if connection is not None]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, host: str, port: int, door: WebDoor) -> None:
        self.door = door
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host.strip("[]"), port), socketserver.BaseRequestHandler)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return self.door.has_place_for(request, address_of(client_address))

    def finish_request(self, request: Any, client_address: Any) -> None:
        self.door.talk(request, address_of(client_address))

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - as the base class has it
        LOG.error("web_connection_failed", address=address_of(client_address))


def _tls_of(settings: IngestSettings) -> Tls | None:
    files = files_of(
        "NEOPAIN_INGEST_DICOM_WEB_TLS",
        settings.dicom_web_tls_certificate,
        settings.dicom_web_tls_key,
        settings.dicom_web_tls_client_ca,
    )
    return Tls("dicom-web", files, service="ingest") if files is not None else None


def _wait_while(holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while holds() and time.monotonic() < deadline:
        time.sleep(0.02)


def _tell_ended(why: str, address: str) -> None:
    counter("ingest_dicom_web_ended_total").labels(why).inc()
    LOG.warning("web_connection_ended", address=address, why=why)
