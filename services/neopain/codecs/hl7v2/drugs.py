"""RDE and RAS (HL7 v2.6 chapter 4A.3): pharmacy orders and administrations -> facts about drugs that hide pain.

RXA of a RAS says what was given; RXE of an RDE says what was ordered. An order in a RAS is only the frame of its RXA.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from neopain.codecs.drug_codes import DrugCodes
from neopain.codecs.hl7v2.header import Header
from neopain.codecs.hl7v2.identity import read_own_identifiers
from neopain.codecs.hl7v2.message import SEGMENT_SEQUENCE_ERROR, Message, Segment, part
from neopain.codecs.hl7v2.time import Precision, offset_zone, read_moment
from neopain.domain.drugs import Basis, DrugClass, DrugFact
from neopain.domain.identity import PatientId
from neopain.errors import MalformedMessage

TRIGGERS = frozenset({("RDE", "O11"), ("RDE", "O25"), ("RDE", "O01"), ("RAS", "O17"), ("RAS", "O01")})
"""O01 is what both were called before v2.4."""
NOT_GIVEN = frozenset({"RE", "NA"})
"""Table 0322, RXA-20: refused, not administered."""
DELETED = "D"
"""Table 0323, RXA-21."""
ENDED_CONTROLS = frozenset({"CA", "CR", "DC", "DR", "OC", "OD"})
"""Table 0119, ORC-1: cancelled or discontinued, by whomever."""
ENDED_STATUS = frozenset({"CA", "CM", "DC"})
"""Table 0038, ORC-5."""
LONGEST_LABEL = 64


@dataclass(frozen=True, slots=True)
class DrugReport:
    """What a message says of drugs; those whose code no table knows are facts without a class."""

    facts: tuple[DrugFact, ...] = ()


@dataclass(slots=True)
class _Order:
    """The segments of one order, from its ORC on."""

    orc: Segment
    encoded: Segment | None = None
    timing: Segment | None = None
    administrations: list[Segment] = field(default_factory=list)
    routes: list[Segment] = field(default_factory=list)

    @property
    def number(self) -> str:
        """The filler's order number, else the placer's."""
        return self.orc.text(3) or self.orc.text(2)

    @property
    def has_ended(self) -> bool:
        return self.orc.text(1).upper() in ENDED_CONTROLS or self.orc.text(5).upper() in ENDED_STATUS


@dataclass(frozen=True, slots=True)
class _Given:
    """The drug of a coded field: what its code and its text say together."""

    code: str
    system: str
    text: str
    ingredient: str
    classes: tuple[DrugClass, ...]
    outlasts: timedelta


def read_drugs(
    message: Message, header: Header, *, codes: DrugCodes, site_zone: tzinfo, received: datetime, source: str
) -> DrugReport:
    """The facts of an RDE or RAS. Raises ``MalformedMessage`` where PID is missing or names nobody, where there is no
    ORC, and where an RXE or RXA names no drug."""
    pid = message.first("PID")
    if pid is None:
        raise MalformedMessage("PID", "the segment is required", code=SEGMENT_SEQUENCE_ERROR)
    told = _Told(
        header=header,
        patients=read_own_identifiers(pid),
        codes=codes,
        zone=offset_zone(header.time_text) or site_zone,
        received=received,
        source=source,
    )
    read = told.administered if header.message_type == "RAS" else told.ordered
    return DrugReport(tuple(fact for order in _orders(message) for fact in read(order)))


def _orders(message: Message) -> list[_Order]:
    orders: list[_Order] = []
    for segment in message.segments:
        if segment.name == "ORC":
            orders.append(_Order(segment))
        elif segment.name in ("RXE", "RXA", "RXR", "TQ1"):
            if not orders:
                raise MalformedMessage("ORC", "an ORC is required before an RXE or RXA", code=SEGMENT_SEQUENCE_ERROR)
            _take(orders[-1], segment)
    if not orders:
        raise MalformedMessage("ORC", "the segment is required", code=SEGMENT_SEQUENCE_ERROR)
    return orders


def _take(order: _Order, segment: Segment) -> None:
    match segment.name:
        case "RXE":
            order.encoded = segment
        case "RXA":
            order.administrations.append(segment)
        case "RXR":
            order.routes.append(segment)
        case _:
            order.timing = order.timing or segment


@dataclass(frozen=True, slots=True)
class _Told:
    """What every fact of a message shares."""

    header: Header
    patients: tuple[PatientId, ...]
    codes: DrugCodes
    zone: tzinfo
    received: datetime
    source: str

    def administered(self, order: _Order) -> Iterator[DrugFact]:
        """A fact for each RXA."""
        for rxa in order.administrations:
            given = _given(rxa, 5, self.codes)
            begun = min(self._moment(rxa, 3) or self._moment(order.orc, 9) or self.received, self.received)
            is_infusion = bool(rxa.text(12)) or "/" in rxa.text(7)
            ended = self._moment(rxa, 4)
            if ended is None and order.has_ended:
                ended = (self._moment(order.orc, 9) or self.received) if is_infusion else begun
            is_retracted = rxa.text(20).upper() in NOT_GIVEN or rxa.text(21).upper() == DELETED
            yield self._fact(
                given,
                Basis.ADMINISTERED,
                order,
                begun,
                key=(rxa.text(2), rxa.text(3), given.code or given.text),
                ended=ended,
                is_infusion=is_infusion,
                is_stop=is_infusion and _is_zero(rxa.text(6)),
                is_retracted=is_retracted,
            )

    def ordered(self, order: _Order) -> Iterator[DrugFact]:
        """A fact for the RXE; an order that ends is told at the time of its ORC."""
        rxe = order.encoded
        if rxe is None:
            return
        given = _given(rxe, 2, self.codes)
        spoken = self._moment(order.orc, 9) or self._moment(order.orc, 15) or self.received
        begins = [(order.timing, 7, 1), (rxe, 1, 4), (order.orc, 7, 4), (order.orc, 15, 1)]
        ends = [(order.timing, 8, 1), (rxe, 1, 5), (order.orc, 7, 5)]
        begun = spoken if order.has_ended else self._first(begins) or spoken
        yield self._fact(
            given,
            Basis.ORDERED,
            order,
            begun,
            key=("stop" if order.has_ended else "order", given.code or given.text),
            ended=None if order.has_ended else self._first(ends),
            is_stop=order.has_ended,
        )

    def _fact(
        self,
        given: _Given,
        basis: Basis,
        order: _Order,
        begun: datetime,
        *,
        key: tuple[str, ...],
        ended: datetime | None,
        is_infusion: bool = False,
        is_stop: bool = False,
        is_retracted: bool = False,
    ) -> DrugFact:
        identity = "\x00".join((basis.value, self.source if not order.number else "", order.number, *key))
        return DrugFact(
            id=hashlib.sha256(identity.encode(errors="replace")).hexdigest()[:32],
            patients=self.patients,
            classes=given.classes,
            ingredient=given.ingredient,
            code=given.code,
            system=given.system,
            text=given.text,
            basis=basis,
            begun=begun,
            told=self.received,
            ended=max(ended, begun) if ended is not None else None,
            outlasts=given.outlasts if basis is Basis.ADMINISTERED or is_stop else timedelta(0),
            order=order.number,
            route=order.routes[-1].text(1) if order.routes else "",
            is_infusion=is_infusion,
            is_stop=is_stop,
            is_retracted=is_retracted,
            source=self.source,
            control_id=self.header.control_id,
            processing=self.header.processing,
        )

    def _first(self, places: list[tuple[Segment | None, int, int]]) -> datetime | None:
        found = (self._moment(segment, number, component) for segment, number, component in places if segment)
        return next((moment for moment in found if moment is not None), None)

    def _moment(self, segment: Segment, number: int, component: int = 1) -> datetime | None:
        try:
            moment = read_moment(segment.text(number, component), zone=self.zone, location=segment.place(number))
        except MalformedMessage:
            return None
        return moment.utc if moment.precision >= Precision.HOUR else None


def _given(segment: Segment, number: int, codes: DrugCodes) -> _Given:
    """The drug of a CWE. Code and text are both looked up, and what either of them means counts."""
    raw = segment.repetitions(number)[:1]
    triplets = [tuple(part(one, at + each, 1, segment.delimiters) for each in range(3)) for one in raw for at in (1, 4)]
    named = [triplet for triplet in triplets if triplet[0] or triplet[1]]
    if not named:
        raise MalformedMessage(segment.place(number), "the drug must be named", code="101")
    by_code = [(code, codes.by_code(code, system)) for code, _, system in named]
    by_name = [row for code, text, _ in named for row in codes.by_name(text) or codes.by_name(code)]
    rows = [*(row for _, row in by_code if row is not None), *by_name]
    # A row of a whole class names the drug only where its text does not.
    exact = [row for code, row in by_code if row is not None and (row.code == code.upper() or not by_name)]
    code, text, system = named[0]
    return _Given(
        code=code[:LONGEST_LABEL],
        system=system[:LONGEST_LABEL],
        text=(text or code)[:LONGEST_LABEL],
        ingredient=" and ".join(dict.fromkeys(row.ingredient for row in (*exact, *by_name))),
        classes=tuple(one for one in DrugClass if any(one in row.classes for row in rows)),
        outlasts=max((row.outlasts for row in rows), default=timedelta(0)),
    )


def _is_zero(text: str) -> bool:
    try:
        return float(text) == 0
    except ValueError:
        return False
