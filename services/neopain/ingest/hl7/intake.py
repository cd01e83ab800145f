"""One message in, one answer out: parse, store, acknowledge, in that order. What cannot be processed is kept raw first.

Sockets are the ``listener``'s.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from functools import partial

from neopain.bus.bus import Bus
from neopain.bus.deadletters import put_aside
from neopain.codecs.hl7v2 import ack
from neopain.codecs.hl7v2.ack import Addressing, Outcome, Stamp
from neopain.codecs.hl7v2.adt import Effect, read_adt
from neopain.codecs.hl7v2.drugs import TRIGGERS as DRUG_MESSAGES
from neopain.codecs.hl7v2.header import Header, read_header
from neopain.codecs.hl7v2.message import APPLICATION_ERROR, UNSUPPORTED_EVENT, UNSUPPORTED_TYPE, parse
from neopain.codecs.mllp import Frame
from neopain.domain.deadletter import DeadLetter
from neopain.errors import BusUnavailable, ContractBroken, MalformedMessage
from neopain.ingest.census.keeper import keep
from neopain.ingest.hl7.drugs import DrugIntake, read_codes
from neopain.ingest.hl7.received import Received, mark_of
from neopain.ingest.hl7.sender import Sender
from neopain.ingest.hl7.sources import SourceFacts, Sources
from neopain.ingest.hl7.vitals import VitalsIntake
from neopain.ingest.hl7.vitals import read_codes as read_vital_codes
from neopain.ingest.settings import IngestSettings
from neopain.runtime.backoff import Backoff
from neopain.runtime.clock import Clock
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter

LOG = Log(__name__)

Store = Callable[[], Awaitable[object]]


class Intake:
    """Takes messages of any sender. One for all connections."""

    def __init__(self, bus: Bus, settings: IngestSettings, clock: Clock, sources: Sources) -> None:
        self.bus = bus
        self.clock = clock
        self.sources = sources
        self.patience_seconds = settings.hl7_bus_patience_seconds
        self.vitals = VitalsIntake(
            bus=bus, bed_by_sender=settings.hl7_bed_by_sender, known=read_vital_codes(settings.vital_codes)
        )
        self.drugs = DrugIntake(bus=bus, codes=read_codes(settings.drug_codes))

    async def take(self, frame: Frame, sender: Sender) -> bytes:
        """The answer to a message, empty if its sender wants none. What it acknowledges is on disk.

        Raises ``BusUnavailable`` when the bus did not take the message for as long as the settings allow, and
        ``ContractBroken``: there is no answer then, the connection is to be closed, and the sender keeps the message.
        """
        received = self.clock.now()
        opened = _Opened(self.sources.of(sender, "", ""))
        try:
            await self._process(frame, sender, received, opened)
        except MalformedMessage as error:
            await self._put_aside(frame, sender, received, opened, error)
            return self._answer(opened, ack.outcome_of(error), error)
        except (BusUnavailable, ContractBroken):
            raise
        except Exception:
            # A fault of ours must not block the sender's queue: the message is kept, a person reads the log.
            LOG.error("message_failed", source=sender.source(opened.header), control_id=opened.addressing.control_id)
            fault = MalformedMessage("MSH", "this message could not be processed; it is kept", code=APPLICATION_ERROR)
            await self._put_aside(frame, sender, received, opened, fault)
            return self._answer(opened, Outcome.IN_ERROR, fault)
        return self._answer(opened, Outcome.ACCEPTED, None)

    async def _process(self, frame: Frame, sender: Sender, received: datetime, opened: _Opened) -> None:
        message = parse(frame.payload)
        opened.facts = facts = self.sources.of(sender, message.header.text(3), message.header.text(4))
        opened.addressing = ack.address(message)
        if frame.fault:
            raise MalformedMessage("MSH", frame.fault, code=APPLICATION_ERROR)
        opened.header = header = read_header(message)
        one = Received(frame.payload, message, header, sender, received, facts)
        match header.message_type, header.trigger:
            case "ORU", "R01":
                placed = self.vitals.read(one)
                await self._until_stored(partial(self.vitals.store, placed, one))
            case "ORU", _:
                raise MalformedMessage("MSH-9.2", "of ORU only R01 is taken", code=UNSUPPORTED_EVENT)
            case "ADT", _:
                await self._administer(one)
            case message_type, trigger if (message_type, trigger) in DRUG_MESSAGES:
                drugs = self.drugs.read(one)
                await self._until_stored(partial(self.drugs.store, drugs, one))
            case "RDE" | "RAS", _:
                rule = "of RDE only O11, O25 and O01 are taken, of RAS only O17 and O01"
                raise MalformedMessage("MSH-9.2", rule, code=UNSUPPORTED_EVENT)
            case _:
                raise MalformedMessage("MSH-9.1", "only ORU, ADT, RDE and RAS are taken", code=UNSUPPORTED_TYPE)

    async def _administer(self, one: Received) -> None:
        report = read_adt(
            one.message,
            one.header,
            site_zone=one.facts.zone,
            received=one.received,
            default_facility=one.facts.default_facility,
        )
        if report.effect is Effect.NOT_YET:
            LOG.warning("trigger_not_applied", trigger=one.header.trigger, control_id=one.header.control_id)
        for place, event in enumerate(report.events):
            mark = one.mark(*([str(place)] if place else []))
            await self._until_stored(partial(self.drugs.refile, event, one, place))
            await self._until_stored(partial(keep, self.bus, event, mark=mark))
        trigger = one.header.trigger if report.effect is not Effect.NONE else "other"
        counter("ingest_census_events_total").labels(trigger, report.effect.value).inc()

    async def _put_aside(
        self, frame: Frame, sender: Sender, received: datetime, opened: _Opened, error: MalformedMessage
    ) -> None:
        source = sender.source(opened.header)
        letter = DeadLetter(
            origin="hl7",
            source=source,
            raw=frame.payload,
            location=error.location,
            reason=error.rule,
            received=received,
            control_id=opened.addressing.control_id,
        )
        mark = mark_of(source, letter.control_id, frame.payload)
        await self._until_stored(partial(put_aside, self.bus, letter, mark=mark))
        counter("ingest_dead_letters_total").labels("hl7").inc()
        LOG.warning("message_put_aside", source=source, control_id=letter.control_id, why=error)

    async def _until_stored(self, store: Store) -> None:
        """Tries until the bus has taken it, or patience ends; ``store`` must be harmless to repeat."""
        backoff = Backoff(first=0.05, longest=1.0)
        try:
            async with asyncio.timeout(self.patience_seconds):
                while True:
                    try:
                        await store()
                    except BusUnavailable as error:
                        LOG.warning("bus_unavailable", why=error)
                        await self.clock.sleep(backoff.next_seconds())
                    else:
                        return
        except TimeoutError as error:
            raise BusUnavailable(f"the bus took nothing for {self.patience_seconds:g} s") from error

    def _answer(self, opened: _Opened, outcome: Outcome, error: MalformedMessage | None) -> bytes:
        to, wants = opened.addressing, opened.facts.wants
        if wants is not None:
            to = replace(to, wants=wants)
        code = ack.acknowledgement_code(to.wants, outcome)
        counter("ingest_messages_total").labels(code or "none").inc()
        stamp = Stamp(control_id=uuid.uuid4().hex[:20], sent=self.clock.now())
        return ack.write_ack(to, outcome, stamp, error)


class _Opened:
    """How far a message could be opened, and what the site says of its source as far as that is known."""

    def __init__(self, facts: SourceFacts) -> None:
        self.facts = facts
        self.addressing = Addressing()
        self.header: Header | None = None
