"""One message in, one answer out: parse, store, acknowledge, in that order. What cannot be processed is kept raw first.

Sockets are the ``listener``'s.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import TypeVar

from neopain.bus.bus import Bus
from neopain.bus.deadletters import put_aside
from neopain.codecs.hl7v2 import ack
from neopain.codecs.hl7v2.ack import Addressing, Outcome, Stamp
from neopain.codecs.hl7v2.adt import Effect, read_adt
from neopain.codecs.hl7v2.drugs import TRIGGERS as DRUG_MESSAGES
from neopain.codecs.hl7v2.header import Header, read_header
from neopain.codecs.hl7v2.message import APPLICATION_ERROR, UNSUPPORTED_EVENT, UNSUPPORTED_TYPE, parse
from neopain.codecs.hl7v2.pcim import is_association, read_association
from neopain.codecs.hl7v2.query import FORMS as QUERIES
from neopain.codecs.hl7v2.query_answer import Asked, asked_by, write_query_error
from neopain.codecs.mllp import Frame
from neopain.domain.census import CensusEvent
from neopain.domain.deadletter import DeadLetter
from neopain.domain.receipt import REPLAYED, UNANSWERED, Receipt, Stored
from neopain.errors import BusUnavailable, ContractBroken, MalformedMessage, OutOfDate
from neopain.ingest.census.keeper import keep
from neopain.ingest.hl7.deadline import Deadline
from neopain.ingest.hl7.drugs import DrugIntake, read_codes
from neopain.ingest.hl7.familiar import FamiliarMessages, FamiliarReceived
from neopain.ingest.hl7.late import Unchanged, require_followed, require_young
from neopain.ingest.hl7.queries import QueryIntake, require_allowed
from neopain.ingest.hl7.receipts import Receipts
from neopain.ingest.hl7.received import Received, mark_of
from neopain.ingest.hl7.sender import Sender
from neopain.ingest.hl7.short_way import ShortWay
from neopain.ingest.hl7.sources import ACKNOWLEDGEMENTS, SourceFacts, Sources
from neopain.ingest.hl7.vitals import VitalsIntake
from neopain.ingest.hl7.vitals import read_codes as read_vital_codes
from neopain.ingest.settings import IngestSettings
from neopain.runtime.backoff import Backoff
from neopain.runtime.clock import Clock
from neopain.runtime.log import Log
from neopain.runtime.metrics import counted, counter

LOG = Log(__name__)

T = TypeVar("T")

NO_ANSWER = ACKNOWLEDGEMENTS["never"]


class Intake:
    """Takes messages of any sender. One for all connections."""

    def __init__(self, bus: Bus, settings: IngestSettings, clock: Clock, sources: Sources) -> None:
        self.bus = bus
        self.clock = clock
        self.sources = sources
        self.deadline = Deadline(settings.hl7_bus_patience_seconds)
        self.control_ids = _control_ids()
        self.vitals = VitalsIntake(
            bus=bus, bed_by_sender=settings.hl7_bed_by_sender, known=read_vital_codes(settings.vital_codes)
        )
        self.familiar = FamiliarMessages(self.vitals.known)
        self.receipts = Receipts(bus)
        self.drugs = DrugIntake(bus=bus, codes=read_codes(settings.drug_codes))
        self.queries = QueryIntake(bus)
        self.short_way = ShortWay(self.familiar, self.vitals, self.receipts, self.deadline, clock, self._stamp)

    async def take(self, frame: Frame, sender: Sender, familiar: FamiliarReceived | None = None) -> bytes:
        """The answer to a message, empty if its sender wants none. What it acknowledges is on disk. ``familiar`` is
        what ``short_way`` recognised it as.

        Raises ``BusUnavailable`` when the bus did not take the message for as long as the settings allow, and
        ``ContractBroken``: there is no answer then, the connection is to be closed, and the sender keeps the message.
        """
        if familiar is not None:
            opened = _Opened(familiar.received, familiar.found.familiar.facts, begun=familiar.begun, familiar=familiar)
        else:
            opened = _Opened(self.clock.now(), self.sources.of(sender, "", ""))
        try:
            outcome, error = await self._attempt(frame, sender, opened)
            if error is not None and not opened.is_query:
                await self._put_aside(frame, sender, opened, error)
        except (BusUnavailable, ContractBroken) as unstored:
            self._note(frame, sender, opened, UNANSWERED, reason=f"{APPLICATION_ERROR} not stored: {unstored}")
            raise
        code, answer = self._answer(opened, outcome, error)
        self._note(frame, sender, opened, code, reason=f"{error.code} {error}" if error is not None else "")
        return answer

    async def take_again(self, letter_id: str, letter: DeadLetter) -> MalformedMessage | None:
        """Processes a message that was put aside as if it came now, and returns what is still wrong with it, if so.

        It counts as received when it was. Nothing is answered, and nothing put aside: it lies there. Raises
        ``OutOfDate`` when it must not be applied any more, and what ``take`` raises: nothing is known to be stored
        then, call again.
        """
        sender = Sender(letter.address or letter.source.name, letter.names)
        opened = _Opened(letter.received, self.sources.of(sender, "", ""), letter_id)
        frame = Frame(letter.raw, letter.fault)
        _, error = await self._attempt(frame, sender, opened)
        if error is None:
            self._note(frame, sender, opened, REPLAYED, reason="")
        return error

    async def _attempt(self, frame: Frame, sender: Sender, opened: _Opened) -> tuple[Outcome, MalformedMessage | None]:
        try:
            await self._process(frame, sender, opened)
        except MalformedMessage as error:
            return ack.outcome_of(error), error
        except (BusUnavailable, ContractBroken, OutOfDate):
            raise
        except Exception:
            # A fault of ours must not block the sender's queue: the message is kept, a person reads the log.
            LOG.error("message_failed", source=sender.source(opened.header), control_id=opened.addressing.control_id)
            fault = MalformedMessage("MSH", "this message could not be processed; it is kept", code=APPLICATION_ERROR)
            return Outcome.IN_ERROR, fault
        return Outcome.ACCEPTED, None

    async def _process(self, frame: Frame, sender: Sender, opened: _Opened) -> None:
        if opened.familiar is not None:
            await self._observe_familiar(opened.familiar, opened)
        else:
            await self._process_strange(frame, sender, opened)

    async def _process_strange(self, frame: Frame, sender: Sender, opened: _Opened) -> None:
        message = parse(frame.payload)
        opened.facts = facts = self.sources.of(sender, message.header.text(3), message.header.text(4))
        opened.addressing = ack.address(message)
        if frame.fault:
            raise MalformedMessage("MSH", frame.fault, code=APPLICATION_ERROR)
        opened.header = header = read_header(message)
        one = Received(frame.payload, message, header, sender, opened.received, facts, opened.letter)
        match header.message_type, header.trigger:
            case "ORU", "R01" if is_association(message, header):
                await self._associate(one)
            case "ORU", "R01":
                await self._observe(one, opened)
            case "ORU", _:
                raise MalformedMessage("MSH-9.2", "of ORU only R01 is taken", code=UNSUPPORTED_EVENT)
            case "ADT", _:
                await self._administer(one)
            case message_type, trigger if (message_type, trigger) in DRUG_MESSAGES:
                drugs = self.drugs.read(one)
                await self._until_stored(partial(self.drugs.store, drugs, one))
            case message_type, trigger if (message_type, trigger) in QUERIES:
                require_allowed(one)
                opened.asked = asked_by(message, opened.addressing, (message_type, trigger))
                opened.reply = await self.queries.answer(opened.asked, one, self._stamp(), self._until_stored)
            case "QRY" | "QBP", _:
                raise MalformedMessage(
                    "MSH-9.2", "of QRY only A19 is answered, of QBP Q22 and ZV1", code=UNSUPPORTED_EVENT
                )
            case "RDE" | "RAS", _:
                rule = "of RDE only O11, O25 and O01 are taken, of RAS only O17 and O01"
                raise MalformedMessage("MSH-9.2", rule, code=UNSUPPORTED_EVENT)
            case _:
                raise MalformedMessage(
                    "MSH-9.1", "only ORU, ADT, RDE, RAS, QRY and QBP are taken", code=UNSUPPORTED_TYPE
                )

    async def _observe_familiar(self, one: FamiliarReceived, opened: _Opened) -> None:
        opened.addressing, opened.header, opened.delay = one.addressing, one.header, one.delay
        opened.stored = await self._until_stored(partial(self.vitals.store_familiar, one), begun=one.begun)

    async def _observe(self, one: Received, opened: _Opened) -> None:
        placed = self.vitals.read(one)
        if one.letter:
            require_young(one.received, self.clock.now())
        times = [each.report.newest for each in placed if each.report.newest is not None]
        opened.delay = one.received - max(times) if times else None
        opened.stored = await self._until_stored(partial(self.vitals.store, placed, one))
        if len(placed) == 1 and placed[0].bed is not None:
            self.familiar.learn(one, placed[0].report, placed[0].bed, opened.addressing)

    async def _administer(self, one: Received) -> None:
        report = read_adt(
            one.message,
            one.header,
            site_zone=one.zone,
            received=one.received,
            default_facility=one.facts.default_facility,
        )
        if report.effect is Effect.NOT_YET:
            LOG.warning("trigger_not_applied", trigger=one.header.trigger, control_id=one.header.control_id)
        await self._apply(report.events, one)
        trigger = one.header.trigger if report.effect is not Effect.NONE else "other"
        counter("ingest_census_events_total").labels(trigger, report.effect.value).inc()

    async def _associate(self, one: Received) -> None:
        event = read_association(
            one.message,
            one.header,
            site_zone=one.zone,
            received=one.received,
            default_facility=one.facts.default_facility,
        )
        await self._apply((event,) if event is not None else (), one)
        effect = Effect.APPLIED if event is not None else Effect.NONE
        counter("ingest_census_events_total").labels("association", effect.value).inc()

    async def _apply(self, events: Sequence[CensusEvent], one: Received) -> None:
        if one.letter:
            require_followed(one.received, self.clock.now())
        unchanged = await self._until_stored(partial(Unchanged.since, self.bus, one)) if one.letter else None
        for place, told in enumerate(events):
            event = replace(told, source=str(one.source))
            mark = one.mark(*([str(place)] if place else []))
            check = partial(unchanged.require, event, mark) if unchanged is not None else None
            if check is not None:
                await self._until_stored(check)
            await self._until_stored(partial(self.drugs.refile, event, one, place))
            await self._until_stored(partial(keep, self.bus, event, mark=mark, check=check))

    async def _put_aside(self, frame: Frame, sender: Sender, opened: _Opened, error: MalformedMessage) -> None:
        source = sender.source(opened.header)
        letter = DeadLetter(
            origin="hl7",
            source=source,
            raw=frame.payload,
            location=error.location,
            reason=error.rule,
            received=opened.received,
            control_id=opened.addressing.control_id,
            address=sender.address,
            fault=frame.fault,
            names=sender.names,
        )
        mark = mark_of(source, letter.control_id, frame.payload)
        await self._until_stored(partial(put_aside, self.bus, letter, mark=mark))
        counter("ingest_dead_letters_total").labels("hl7").inc()
        LOG.warning("message_put_aside", source=source, control_id=letter.control_id, why=error)

    async def _until_stored(self, store: Callable[[], Awaitable[T]], *, begun: float | None = None) -> T:
        """Tries until the bus has taken it, or patience ends; ``store`` must be harmless to repeat. ``begun`` is when
        patience began, where that was not now."""
        try:
            if begun is None:
                return await self.deadline.keep(self._again_and_again(store))
            left = self.deadline.seconds - (time.perf_counter() - begun)
            async with asyncio.timeout(left):
                return await self._again_and_again(store)
        except TimeoutError as error:
            raise BusUnavailable(self.deadline.rule) from error

    async def _again_and_again(self, store: Callable[[], Awaitable[T]]) -> T:
        backoff = Backoff(first=0.05, longest=1.0)
        while True:
            try:
                return await store()
            except BusUnavailable as error:
                LOG.warning("bus_unavailable", why=error)
                await self.clock.sleep(backoff.next_seconds())

    def _answer(self, opened: _Opened, outcome: Outcome, error: MalformedMessage | None) -> tuple[str, bytes]:
        if opened.familiar is not None and error is None:
            ready = opened.familiar.found.familiar.acceptance
            code = ready.code or "none"
            counted("ingest_messages_total", code).inc()
            return code, ready.write(opened.familiar.found.control_id, self._stamp())
        to, wants = opened.addressing, opened.facts.wants
        if wants is not None:
            to = to._replace(wants=wants)
        code = ack.acknowledgement_code(to.wants, outcome) or "none"
        if opened.asked is not None and wants != NO_ANSWER:
            # The answer is what was asked for, whatever MSH-15 and MSH-16 say of acknowledgements.
            code = f"A{outcome.value}"
            answer = opened.reply if error is None else write_query_error(opened.asked, outcome, self._stamp(), error)
        else:
            answer = ack.write_ack(to, outcome, self._stamp(), error)
        counted("ingest_messages_total", code).inc()
        return code, answer

    def _stamp(self) -> Stamp:
        return Stamp(control_id=next(self.control_ids), sent=self.clock.now())

    def _note(self, frame: Frame, sender: Sender, opened: _Opened, answer: str, *, reason: str) -> None:
        header = opened.header
        self.receipts.add(
            Receipt(
                source=sender.source(header),
                control_id=opened.addressing.control_id,
                received=opened.received,
                size_bytes=len(frame.payload),
                message_type=header.kind if header is not None else "",
                answer=answer,
                took=timedelta(seconds=time.perf_counter() - opened.begun),
                reason=reason,
                delay=opened.delay,
                stored=opened.stored,
            )
        )


def _control_ids() -> Iterator[str]:
    """Control ids of our answers, 20 signs each (MSH-10 holds no more): no process gives those of another."""
    begin = secrets.token_hex(6)
    return (f"{begin}{number % 2**32:08x}" for number in count())


@dataclass(slots=True)
class _Opened:
    """How far a message could be opened, what the site says of its source as far as known, and what it became."""

    received: datetime
    facts: SourceFacts
    letter: str = ""
    begun: float = field(default_factory=time.perf_counter)
    addressing: Addressing = field(default_factory=Addressing)
    header: Header | None = None
    delay: timedelta | None = None
    stored: tuple[Stored, ...] = ()
    asked: Asked | None = None
    reply: bytes = b""
    familiar: FamiliarReceived | None = None

    @property
    def is_query(self) -> bool:
        """Whether it only asks: there is nothing in it that could be lost."""
        return self.header is not None and self.header.message_type in {message_type for message_type, _ in QUERIES}
