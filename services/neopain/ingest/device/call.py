"""One call of a device: let in or not, where its series goes on, one message after the other, each with its receipt.

The next message is read only when the last one is on its server: a slow bus slows the device, through gRPC's flow
control, and fills no memory here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import grpc

from neopain.bus.series import HIGHEST_NUMBER, Number, OutOfOrder, SeriesPublisher
from neopain.bus.streams import Server
from neopain.domain.identity import BedId
from neopain.errors import BusUnavailable, MalformedMessage
from neopain.ingest.credentials import Shown
from neopain.ingest.device.clock import device_bed
from neopain.ingest.device.gate import Denied, Gate, Grant, certificate_names
from neopain.ingest.device.sender import AUTHORIZATION_KEY, Sender, host_of, metadata_of, sender_of, series_of
from neopain.ingest.settings import IngestSettings
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter, gauge
from neopain.wire.v1 import device_pb2 as pb

LOG = Log(__name__)

Message = TypeVar("Message", pb.DeviceFrame, pb.DeviceAudio, pb.DeviceVitals)
Context = grpc.aio.ServicerContext[Any, pb.Receipt]


@dataclass(slots=True)
class Call:
    """What is known of a call, and where it stands in its series; ``series`` is empty for one that names none."""

    stream: str
    sender: Sender
    grant: Grant
    series: str = ""
    kept: int = 0
    """The last number that its server had when the call began."""
    last: int = 0
    """The last number that came in this call."""
    floor: int = 0
    """The last number that must be on the bus: what is between it and the next was refused here, or given up."""

    def bed(self, message: Message) -> BedId:
        """The bed that the message is for; ``Denied`` where it is not the device's, ``MalformedMessage`` if none."""
        bed = device_bed(message.bed)
        self.grant.check_bed(bed)
        return bed

    def follow(self, message: Message) -> None:
        """Takes the message's number; ``MalformedMessage`` for one that does not rise."""
        sequence, before = message.sequence, self.last
        if not self.last < sequence <= HIGHEST_NUMBER:
            rule = f"{sequence} after {self.last}: the numbers of a call rise, from 1 up to {HIGHEST_NUMBER}"
            raise MalformedMessage("sequence", rule)
        given_up = message.given_up if isinstance(message, pb.DeviceVitals) else 0
        allowed = max(sequence - 1 - given_up, 0)
        self.floor = min(self.floor, allowed) if before and allowed <= before else allowed
        self.last = sequence

    @property
    def is_kept(self) -> bool:
        """Whether the last message was on its server before the call."""
        return bool(self.series) and self.last <= self.kept

    def number(self) -> Number | None:
        """The last message's place, None in a call without a series."""
        return Number(self.series, self.last, self.floor) if self.series else None

    def stored(self) -> None:
        """The last message is on the bus: whoever goes on after it finds it there."""
        self.floor = self.last


class Calls:
    """Lets calls in and answers their messages."""

    def __init__(self, gate: Gate, publisher: SeriesPublisher, settings: IngestSettings) -> None:
        self.gate = gate
        self.publisher = publisher
        self.settings = settings
        self._open = 0

    async def receipts(
        self,
        stream: str,
        messages: AsyncIterator[Message],
        context: Context,
        take: Callable[[Message, Call], Awaitable[None]],
    ) -> AsyncIterator[pb.Receipt]:
        """The receipts of one call. ``take`` returns when a message is on its server, or raises ``MalformedMessage``,
        ``BusUnavailable``, ``Denied`` or ``OutOfOrder``."""
        with self._counted():
            call = await self._admitted(stream, context)
            if call.series:
                yield pb.Receipt(sequence=call.kept)
            async for message in self._patiently(messages, context):
                yield await self._answer(call, message, context, take)

    async def _admitted(self, stream: str, context: Context) -> Call:
        if self._open > self.settings.device_most_streams:
            counter("ingest_device_denied_total").labels(stream, "many").inc()
            text = f"more than {self.settings.device_most_streams} streams at once: come back later"
            await _end(context, grpc.StatusCode.RESOURCE_EXHAUSTED, text)
        host = host_of(context.peer())
        try:
            call = self._recognised(stream, context, host)
            await self._find_position(call)
        except Denied as denied:
            await _deny(context, stream, denied, source=host)
        except MalformedMessage as error:
            await _end(context, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except BusUnavailable as error:
            await _end(context, _status(error), f"{error}; nothing was taken")
        return call

    def _recognised(self, stream: str, context: Context, host: str) -> Call:
        metadata, told = metadata_of(context), dict(context.auth_context())
        is_encrypted = bool(told.get("transport_security_type"))
        shown = Shown(metadata.get(AUTHORIZATION_KEY, ""), certificate_names(told), is_encrypted, host)
        grant = self.gate.admit(shown, stream)
        sender = sender_of(metadata, otherwise=grant.entry.name if grant.entry else host)
        grant.check_name(sender.source.name)
        series = series_of(metadata)
        return Call(stream, sender, grant, f"{stream}:{sender.source.name}:{series}" if series else "")

    async def _find_position(self, call: Call) -> None:
        if call.series:
            server = Server.BUS if call.stream == "vitals" else Server.MEDIA
            call.kept = await self.publisher.kept(server, call.series)

    async def _patiently(self, messages: AsyncIterator[Message], context: Context) -> AsyncIterator[Message]:
        while True:
            try:
                async with asyncio.timeout(self.settings.device_idle_seconds):
                    message = await anext(messages, None)
            except TimeoutError:
                silence = f"silent for {self.settings.device_idle_seconds:g} s: open the stream again when needed"
                await _end(context, grpc.StatusCode.DEADLINE_EXCEEDED, silence)
            if message is None:
                return
            yield message

    async def _answer(
        self, call: Call, message: Message, context: Context, take: Callable[[Message, Call], Awaitable[None]]
    ) -> pb.Receipt:
        answers = counter("ingest_device_messages_total")
        try:
            if call.series and await _is_kept(call, message, context):
                counter("ingest_duplicates_total").inc()
            else:
                await take(message, call)
        except MalformedMessage as error:
            LOG.warning("device_message_refused", source=call.sender.source, sequence=message.sequence, why=error)
            answers.labels(call.stream, "refused").inc()
            return pb.Receipt(sequence=message.sequence, refused=1, refusal=str(error), field=error.location)
        except Denied as denied:
            await _deny(context, call.stream, denied, source=call.sender.source)
        except OutOfOrder as error:
            LOG.warning("device_numbers_missing", source=call.sender.source, kept=error.kept, sequence=message.sequence)
            answers.labels(call.stream, "out-of-order").inc()
            text = f"sequence: {message.sequence}, but only up to {error.kept} is kept; send from {error.kept + 1} on, "
            await _end(context, grpc.StatusCode.FAILED_PRECONDITION, f"{text}or say in given_up what is lost")
        except BusUnavailable as error:
            LOG.warning("bus_unavailable", source=call.sender.source, sequence=message.sequence, why=error)
            answers.labels(call.stream, "unavailable").inc()
            await _end(context, _status(error), f"{error}; keep from sequence {message.sequence} on and send it again")
        answers.labels(call.stream, "accepted").inc()
        return pb.Receipt(sequence=message.sequence, accepted=1)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._open += 1
        gauge("ingest_device_streams").set(self._open)
        try:
            yield
        finally:
            self._open -= 1
            gauge("ingest_device_streams").set(self._open)


async def _is_kept(call: Call, message: Message, context: Context) -> bool:
    try:
        call.follow(message)
    except MalformedMessage as error:
        await _end(context, grpc.StatusCode.INVALID_ARGUMENT, str(error))
    return call.is_kept


async def _deny(context: Context, stream: str, denied: Denied, *, source: object) -> NoReturn:
    counter("ingest_device_denied_total").labels(stream, denied.why).inc()
    LOG.warning("device_denied", source=source, stream=stream, why=denied.why)
    await _end(context, denied.status, str(denied))


async def _end(context: Context, status: grpc.StatusCode, text: str) -> NoReturn:
    await context.abort(status, text)
    raise RuntimeError("abort came back")


def _status(error: BusUnavailable) -> grpc.StatusCode:
    is_full = "maxmemory" in str(error)
    return grpc.StatusCode.RESOURCE_EXHAUSTED if is_full else grpc.StatusCode.UNAVAILABLE
