"""One sender's connection: bytes in, messages to ``intake`` one after the other, answers out, and when it ends.

A familiar message (``familiar``) is taken and answered without a task of its own; every other has one.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import cast

from neopain.codecs.mllp import Decoder, Frame, encode
from neopain.errors import BusUnavailable, ContractBroken
from neopain.ingest.address import address_of
from neopain.ingest.hl7.familiar import FamiliarReceived
from neopain.ingest.hl7.gate import Gate
from neopain.ingest.hl7.handshake import HandshakeFailed, greet
from neopain.ingest.hl7.intake import Intake
from neopain.ingest.hl7.patience import Patience
from neopain.ingest.hl7.sender import Sender
from neopain.ingest.settings import IngestSettings
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter, gauge, histogram
from neopain.runtime.tls import Tls

LOG = Log(__name__)

MOST_WAITING = 16
"""Messages of one connection that wait for the one before; with more nothing is read from it."""


@dataclass(slots=True)
class House:
    """What all connections share."""

    intake: Intake
    settings: IngestSettings
    gate: Gate
    tls: Tls | None = None
    open: set[Conversation] = field(default_factory=set)
    is_draining: bool = False
    is_empty: asyncio.Event = field(default_factory=asyncio.Event)


class Conversation(asyncio.Protocol):
    """A connection from its opening on. It is in ``house.open`` until it is lost and no message of it is in hand."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.sender = Sender("")
        self.is_busy = False
        """Whether a message is in hand."""
        self._transport: asyncio.Transport | None = None
        self._decoder = Decoder(longest=house.settings.hl7_longest_message_bytes)
        self._patience = Patience(self._close)
        self._waiting: deque[tuple[Frame, float]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._is_greeting = self._is_ended = self._is_stuck = self._is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the connection, or closes it where the site does not want it."""
        self._transport = cast("asyncio.Transport", transport)
        self.sender = Sender(address_of(transport.get_extra_info("peername")))
        if refusal := self._refusal():
            self._close(refusal)
            return
        _keep_alive(transport)
        self.house.open.add(self)
        self.house.is_empty.clear()
        gauge("ingest_connections").inc()
        if self.house.tls is not None:
            self._is_greeting = True
            self._task = asyncio.create_task(self._greet(self.house.tls))
        else:
            self._await_bytes()

    def data_received(self, data: bytes) -> None:
        """Takes bytes."""
        if self._transport is None or self._transport.is_closing():
            return
        arrived = time.perf_counter()
        self._waiting.extend((frame, arrived) for frame in self._decoder.feed(data))
        if self._is_greeting:  # what comes with the end of the handshake waits until it is known who sends
            return
        if not self.is_busy:
            self._go_on()
        elif len(self._waiting) >= MOST_WAITING:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Nothing more comes. What is in hand is answered, where the connection can still carry that."""
        self._is_ended = True
        return self.is_busy and self.house.tls is None

    def pause_writing(self) -> None:
        """The peer does not take its answers."""
        self._is_stuck = True
        self._patience.wait(self.house.settings.hl7_frame_seconds, "answer not taken")

    def resume_writing(self) -> None:
        """The peer took them."""
        self._is_stuck = False
        if not self.is_busy:
            self._go_on()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is no more; messages that were read whole are stored all the same."""
        if isinstance(error, (OSError, ssl.SSLError)):
            LOG.debug("connection_lost", address=self.sender.address)
        self._patience.end()
        if self in self.house.open:
            self._is_lost, self._is_stuck = True, False
            self._tell_leftovers()
            if not self.is_busy and not self._is_greeting:
                self._go_on()

    def drain(self) -> None:
        """Closes as soon as the message in hand is answered."""
        if not self.is_busy:
            self.abort()

    def abort(self) -> None:
        """Ends at once, whatever is in hand."""
        if self._task is not None:
            self._task.cancel()
        self._hang_up()
        self._leave()

    def _refusal(self) -> str:
        """Why this connection is not taken; empty if it is."""
        house = self.house
        if not house.gate.admits_address(self.sender.address):
            return "address not allowed"
        if house.is_draining or len(house.open) >= house.settings.hl7_most_connections:
            return "too many connections"
        return ""

    async def _greet(self, tls: Tls) -> None:
        if self._transport is None:
            return
        try:
            self._transport, names = await greet(
                self._transport, self, tls.context, seconds=self.house.settings.hl7_frame_seconds
            )
        except HandshakeFailed as failure:
            self._close(str(failure))
        except ConnectionError:
            self._hang_up()
        else:
            self.sender = replace(self.sender, names=names)
            if not self.house.gate.admits_names(names):
                self._close("certificate not allowed")
                return
            self._is_greeting = False
            self._go_on()
        finally:
            if self._is_greeting:
                self._leave()

    def _go_on(self) -> None:
        """Takes what waits, until a message has to be waited for."""
        if self._is_stuck:
            return
        if self._waiting and not self.house.is_draining:
            frame, arrived = self._waiting.popleft()
            self.is_busy = True
            self._patience.rest()
            self._take(frame, arrived)
        elif self._is_lost:
            self._leave()
        elif self._is_ended or self.house.is_draining:
            self._hang_up()
        elif self._decoder.is_broken:
            self._close("message too long")
        else:
            self._await_bytes()

    def _take(self, frame: Frame, arrived: float) -> None:
        short_way = self.house.intake.short_way
        familiar = short_way.recognise(frame, self.sender)
        if familiar is not None and short_way.begin(
            familiar, lambda answer: self._begun(frame, familiar, answer, arrived)
        ):
            return
        self._take_alone(frame, familiar, arrived)

    def _begun(self, frame: Frame, familiar: FamiliarReceived, answer: bytes | Exception, arrived: float) -> None:
        if self not in self.house.open:
            return
        if isinstance(answer, bytes):
            self._answer(answer, arrived)
            self._go_on()
        elif isinstance(answer, TimeoutError):
            self._give_up(answer)
        else:
            self._take_alone(frame, familiar, arrived)

    def _take_alone(self, frame: Frame, familiar: FamiliarReceived | None, arrived: float) -> None:
        self._task = asyncio.create_task(self._taken(frame, familiar, arrived))
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            context = {"message": "a message was left unanswered by a fault of ours", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
            self.abort()

    async def _taken(self, frame: Frame, familiar: FamiliarReceived | None, arrived: float) -> None:
        try:
            answer = await self.house.intake.take(frame, self.sender, familiar)
        except (BusUnavailable, ContractBroken) as error:
            self._give_up(error)
        else:
            self._answer(answer, arrived)
            self._go_on()

    def _answer(self, answer: bytes, arrived: float) -> None:
        self.is_busy = False
        if answer and self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode(answer))
        histogram("ingest_acknowledgement_seconds").observe(time.perf_counter() - arrived)

    def _give_up(self, error: Exception) -> None:
        LOG.error("message_unanswered", address=self.sender.address, why=error)
        self._close("not stored")
        self._leave()

    def _await_bytes(self) -> None:
        settings = self.house.settings
        if self._transport is not None and not self._transport.is_reading():
            self._transport.resume_reading()
        if self._decoder.is_within_frame:
            self._patience.wait(settings.hl7_frame_seconds, "message incomplete")
        else:
            self._patience.wait(settings.hl7_idle_seconds, "idle")

    def _close(self, why: str) -> None:
        """We end the connection, for a reason that is a constant phrase."""
        counter("ingest_closed_total").labels(why).inc()
        shown = {"certificate": ",".join(self.sender.names)} if self.sender.names else {}
        LOG.warning("connection_closed", address=self.sender.address, why=why, **shown)
        self._hang_up()

    def _hang_up(self) -> None:
        self._patience.end()
        if self._transport is not None:
            self._transport.close()

    def _leave(self) -> None:
        if self in self.house.open:
            self.house.open.discard(self)
            gauge("ingest_connections").dec()
            if not self.house.open:
                self.house.is_empty.set()

    def _tell_leftovers(self) -> None:
        decoder = self._decoder
        if decoder.is_within_frame or decoder.skipped:
            LOG.warning(
                "bytes_unused",
                address=self.sender.address,
                outside_frames=decoder.skipped,
                is_cut_off=decoder.is_within_frame,
            )


def _keep_alive(transport: asyncio.BaseTransport) -> None:
    # A monitor that is unplugged says nothing: without this its connection would count for ever.
    found = transport.get_extra_info("socket")
    if found is not None:
        with contextlib.suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
