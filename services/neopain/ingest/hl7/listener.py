"""The MLLP listener: sockets, TLS, limits, the drain. What a message means, and when it is answered, is ``intake``'s.

Messages of one connection are stored and answered one after the other, so that their order is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import TypeVar

from neopain.codecs.mllp import Decoder, Frame, encode
from neopain.errors import BusUnavailable, ConfigurationError, ContractBroken
from neopain.ingest.address import address_of
from neopain.ingest.hl7.gate import Gate
from neopain.ingest.hl7.handshake import HandshakeFailed, greet
from neopain.ingest.hl7.intake import Intake
from neopain.ingest.hl7.sender import Sender
from neopain.ingest.settings import IngestSettings
from neopain.ingest.tls import Tls
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter, gauge, histogram

LOG = Log(__name__)

T = TypeVar("T")

CHUNK_BYTES = 65_536


class _Patience:
    """Ends what a task waits for when that takes too long.

    A message costs it next to nothing: its timer is set anew when it rings, not for each wait.
    """

    def __init__(self, task: asyncio.Task[None]) -> None:
        self.is_over = False
        self._task = task
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def wait(self, seconds: float) -> None:
        """From now on the task waits, for so long at most."""
        self._due = asyncio.get_running_loop().time() + seconds
        if self._timer is None or self._timer.when() > self._due:
            self._set()

    def rest(self) -> None:
        """The task has what it waited for."""
        self._due = None

    def end(self) -> None:
        """The task ends: nothing rings any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _set(self) -> None:
        self.end()
        due = self._due
        self._timer = asyncio.get_running_loop().call_at(due, self._ring) if due is not None else None

    def _ring(self) -> None:
        if self._due is not None and self._due <= asyncio.get_running_loop().time():
            self.is_over = True
            self._task.cancel()
        else:
            self._set()


@dataclass(slots=True)
class _Connection:
    """One sender's connection while it is open; ``is_busy`` while a message of it is in hand."""

    sender: Sender
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    decoder: Decoder
    patience: _Patience
    is_busy: bool = False


class _Closed(Exception):
    """We end the connection; the reason is a constant phrase."""


class Listener:
    """Listens from ``start`` until ``drain``; with ``tls`` it speaks nothing else."""

    def __init__(self, intake: Intake, settings: IngestSettings, gate: Gate, tls: Tls | None = None) -> None:
        self.intake = intake
        self.settings = settings
        self.gate = gate
        self.tls = tls
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], _Connection] = {}
        self._is_draining = False

    @property
    def port(self) -> int:
        """The port it listens on; 0 before the start."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else 0

    async def start(self) -> None:
        """Opens the socket; ``ConfigurationError`` when the address cannot be had."""
        host, port = self.settings.hl7_host, self.settings.hl7_port
        try:
            self._server = await asyncio.start_server(self._accepted, host, port, backlog=512)
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {host}:{port} ({error.strerror}): set NEOPAIN_INGEST_HL7_HOST and _PORT"
            ) from error
        LOG.info("hl7_listening", host=host, port=self.port, tls=self.tls is not None)

    async def drain(self) -> None:
        """Takes no more connections, lets messages in hand be answered, closes everything."""
        self._is_draining = True
        if self._server is not None:
            self._server.close()
        for task, connection in list(self._open.items()):
            if not connection.is_busy:
                task.cancel()
        if self._open:
            _, late = await asyncio.wait(self._open, timeout=self.settings.hl7_drain_seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Until TLS has begun nothing is awaited: what is read before then would be lost to it.
        sender = Sender(address_of(writer.get_extra_info("peername")))
        task, refusal = asyncio.current_task(), self._refusal(sender)
        if task is None or refusal:
            self._tell_closed(sender, refusal)
            writer.close()
            return
        _keep_alive(writer)
        decoder = Decoder(longest=self.settings.hl7_longest_message_bytes)
        connection = _Connection(sender, reader, writer, decoder, _Patience(task))
        self._open[task] = connection
        gauge("ingest_connections").inc()
        try:
            await self._greet(connection)
            await self._converse(connection)
        except (_Closed, HandshakeFailed) as reason:
            self._tell_closed(connection.sender, str(reason))
        except (BusUnavailable, ContractBroken) as error:
            LOG.error("message_unanswered", address=sender.address, why=error)
            self._tell_closed(sender, "not stored")
        except (ConnectionError, ssl.SSLError):
            LOG.debug("connection_lost", address=sender.address)
        except asyncio.CancelledError:
            # The end of the task either way; asyncio's streams would log it as an error if it went further.
            LOG.debug("connection_cancelled", address=sender.address)
        finally:
            connection.patience.end()
            del self._open[task]
            gauge("ingest_connections").dec()
            self._tell_leftovers(connection)
            writer.close()

    def _refusal(self, sender: Sender) -> str:
        """Why this connection is not taken; empty if it is."""
        if not self.gate.admits_address(sender.address):
            return "address not allowed"
        if self._is_draining or len(self._open) >= self.settings.hl7_most_connections:
            return "too many connections"
        return ""

    async def _greet(self, connection: _Connection) -> None:
        if self.tls is None:
            return
        names = await greet(connection.writer, self.tls.context, seconds=self.settings.hl7_frame_seconds)
        connection.sender = replace(connection.sender, names=names)
        if not self.gate.admits_names(names):
            raise _Closed("certificate not allowed")

    async def _converse(self, connection: _Connection) -> None:
        while data := await self._read(connection):
            arrived = time.perf_counter()
            for frame in connection.decoder.feed(data):
                await self._answer(connection, frame, arrived)
                if self._is_draining:
                    return
            if connection.decoder.is_broken:
                raise _Closed("message too long")

    async def _read(self, connection: _Connection) -> bytes:
        within = connection.decoder.is_within_frame
        seconds = self.settings.hl7_frame_seconds if within else self.settings.hl7_idle_seconds
        why = "message incomplete" if within else "idle"
        return await self._within(seconds, connection, connection.reader.read(CHUNK_BYTES), why)

    async def _within(self, seconds: float, connection: _Connection, waited: Awaitable[T], why: str) -> T:
        patience = connection.patience
        patience.wait(seconds)
        try:
            return await waited
        except asyncio.CancelledError:
            if patience.is_over:
                raise _Closed(why) from None
            raise
        finally:
            patience.rest()

    async def _answer(self, connection: _Connection, frame: Frame, arrived: float) -> None:
        connection.is_busy = True
        answer = await self.intake.take(frame, connection.sender)
        if answer:
            connection.writer.write(encode(answer))
            if connection.writer.transport.get_write_buffer_size():
                drained = connection.writer.drain()
                await self._within(self.settings.hl7_frame_seconds, connection, drained, "answer not taken")
        connection.is_busy = False
        histogram("ingest_acknowledgement_seconds").observe(time.perf_counter() - arrived)

    def _tell_closed(self, sender: Sender, why: str) -> None:
        counter("ingest_closed_total").labels(why).inc()
        shown = {"certificate": ",".join(sender.names)} if sender.names else {}
        LOG.warning("connection_closed", address=sender.address, why=why, **shown)

    def _tell_leftovers(self, connection: _Connection) -> None:
        decoder = connection.decoder
        if decoder.is_within_frame or decoder.skipped:
            LOG.warning(
                "bytes_unused",
                address=connection.sender.address,
                outside_frames=decoder.skipped,
                is_cut_off=decoder.is_within_frame,
            )


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    # A monitor that is unplugged says nothing: without this its connection would count for ever.
    found = writer.get_extra_info("socket")
    if found is not None:
        with contextlib.suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
