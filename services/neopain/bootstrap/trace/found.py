"""Every message of a control id that anything still tells of: receipts, streams, dead letters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from neopain.bootstrap.dead_letters import Kept, read_kept
from neopain.bus.bus import Bus, Entry
from neopain.bus.receipts import read_receipts
from neopain.bus.streams import CENSUS, DRUGS, VITALS
from neopain.domain.census import BedState
from neopain.domain.drugs import DrugFact
from neopain.domain.identity import SourceId
from neopain.domain.receipt import REPLAYED, Receipt, Stored
from neopain.ingest.hl7.waveforms import monitor_of
from neopain.wire.census import decode_bed_state
from neopain.wire.drugs import decode_drug
from neopain.wire.vitals import decode_batch

BEDS_WITHIN = timedelta(days=1)
PATIENCE = timedelta(seconds=30)
"""A message's facts lie on the bus within so much after its receipt: the listener gives up much sooner."""
BEFORE = timedelta(seconds=5)
"""How far the clocks of the listener and of the bus may differ."""


@dataclass(slots=True)
class Message:
    """One message, as far as it is still known. ``source`` is None where what is kept does not tell it.

    ``receipt`` is None when its receipt is no longer kept, or was never written. ``vitals`` are the entries that it
    became, ``census`` and ``drugs`` the facts with the ids of their entries.
    """

    source: SourceId | None
    received: datetime | None
    receipt: Receipt | None = None
    vitals: list[Stored] = field(default_factory=list)
    census: list[tuple[str, BedState]] = field(default_factory=list)
    drugs: list[tuple[str, DrugFact]] = field(default_factory=list)
    letters: list[Kept] = field(default_factory=list)

    def may_have_told(self, entry_id: str) -> bool:
        """Whether an entry came when this message's facts did."""
        return self.received is not None and self.received - BEFORE <= arrival_of(entry_id) <= self.received + PATIENCE


async def find_messages(bus: Bus, control_id: str) -> list[Message]:
    """The messages of the control id, of any source, oldest first; none if nothing kept tells of one.

    Raises ``BusUnavailable``, and ``ContractBroken`` for what is of a newer version.
    """
    messages: list[Message] = []
    async for receipt in read_receipts(bus, naming=control_id):
        if receipt.answer == REPLAYED and (first := _same(messages, receipt.source, receipt.received)) is not None:
            first.vitals.extend(receipt.stored)
        else:
            messages.append(Message(receipt.source, receipt.received, receipt, list(receipt.stored)))
    await _add_vitals(bus, control_id, messages)
    await _add_drugs(bus, control_id, messages)
    await _add_census(bus, control_id, messages)
    for kept in await read_kept(bus):
        letter = kept.letter
        if letter.control_id == control_id and letter.origin == "hl7":
            message = _same(messages, letter.source, letter.received) or _of(messages, letter.source, kept.id)
            message.letters.append(kept)
    return sorted(messages, key=lambda one: one.received or datetime.max.replace(tzinfo=UTC))


def arrival_of(entry_id: str) -> datetime:
    """When an entry came: its id says it."""
    return datetime.fromtimestamp(int(entry_id.partition("-")[0]) / 1000, UTC)


async def _add_vitals(bus: Bus, control_id: str, messages: list[Message]) -> None:
    """Those that no receipt tells of: the listener was killed before it wrote it."""
    known = {(fact.bed, fact.id) for message in messages for fact in message.vitals}
    for bed in await bus.beds_with_vitals(within=BEDS_WITHIN):
        for entry in _naming(await bus.read_range(VITALS, bed=bed), control_id):
            batch = decode_batch(entry.payload)
            source = monitor_of(batch.source)
            if batch.control_id != control_id or (bed, entry.id) in known or source.kind != "hl7":
                continue
            received = batch.samples[0].timing.received
            aligned = [sample.timing.aligned for sample in batch.samples]
            message = _same(messages, source, received)
            if message is None:
                message = Message(source, received)
                messages.append(message)
            is_waveform = source != batch.source
            message.vitals.append(Stored(bed, entry.id, True, min(aligned), max(aligned), is_waveform))


async def _add_drugs(bus: Bus, control_id: str, messages: list[Message]) -> None:
    for entry in _naming(await bus.read_range(DRUGS), control_id):
        fact = decode_drug(entry.payload)
        if fact.control_id == control_id:
            _of(messages, _source(fact.source), entry.id).drugs.append((entry.id, fact))


async def _add_census(bus: Bus, control_id: str, messages: list[Message]) -> None:
    """Facts of before, and a person's decision, do not tell their source: they are told apart from every message."""
    unknown: defaultdict[datetime, list[tuple[str, BedState]]] = defaultdict(list)
    for entry in _naming(await bus.read_range(CENSUS), control_id):
        state = decode_bed_state(entry.payload)
        if state.control_id != control_id:
            continue
        if state.source:
            _of(messages, _source(state.source), entry.id).census.append((entry.id, state))
        else:
            unknown[arrival_of(entry.id)].append((entry.id, state))
    messages += [Message(None, moment, census=facts) for moment, facts in unknown.items()]


def _source(text: str) -> SourceId:
    kind, _, name = text.partition(":")
    return SourceId(kind, name)


def _same(messages: list[Message], source: SourceId, received: datetime) -> Message | None:
    return next((one for one in messages if one.source == source and one.received == received), None)


def _of(messages: list[Message], source: SourceId, entry_id: str) -> Message:
    """The message of the source that came when the entry did; a new one if no receipt tells of it."""
    found = next((one for one in messages if one.source == source and one.may_have_told(entry_id)), None)
    if found is None:
        found = Message(source, arrival_of(entry_id))
        messages.append(found)
    return found


def _naming(entries: Iterable[Entry], control_id: str) -> list[Entry]:
    # Most can be left undecoded: the control id stands in a message's bytes as it is.
    wanted = control_id.encode(errors="replace")
    return [entry for entry in entries if wanted in entry.payload]
