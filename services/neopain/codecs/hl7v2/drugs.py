"""RDE and RAS (HL7 v2.6 chapter 4A.3): pharmacy orders and administrations -> facts about drugs that hide pain.

RXA of a RAS says what was given; RXE of an RDE says what was ordered. An order in a RAS is only the frame of its RXA.
What RXC adds to either counts as well: a mixture often has a name that says nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

from neopain.codecs.drug_codes import LONGEST_EFFECT_MINUTES, DrugCode, DrugCodes
from neopain.codecs.hl7v2.header import Header
from neopain.codecs.hl7v2.identity import read_own_identifiers
from neopain.codecs.hl7v2.message import FIELD_MISSING, SEGMENT_SEQUENCE_ERROR, Message, Segment, part
from neopain.codecs.hl7v2.time import Precision, offset_zone, told_moment
from neopain.domain.drugs import Basis, DrugClass, DrugFact
from neopain.domain.identity import PatientId
from neopain.domain.vitals import Processing
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
LONGEST_EFFECT = timedelta(minutes=LONGEST_EFFECT_MINUTES)


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
    components: list[Segment] = field(default_factory=list)
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
    """The drug of a coded field and of what is added to it: what codes and texts say together; nothing at first."""

    code: str = ""
    system: str = ""
    text: str = ""
    ingredient: str = ""
    classes: tuple[DrugClass, ...] = ()
    outlasts: timedelta = timedelta(0)


def read_drugs(
    message: Message, header: Header, *, codes: DrugCodes, site_zone: tzinfo, received: datetime, source: str
) -> DrugReport:
    """The facts of an RDE or RAS. Raises ``MalformedMessage`` where PID is missing or names nobody, where there is no
    ORC, where an RXE or RXA names no drug, and where no order of the message has either or has ended."""
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
    read, name = (told.administered, "RXA") if header.message_type == "RAS" else (told.ordered, "RXE")
    facts = tuple(fact for order in _orders(message) for fact in read(order))
    if not facts:
        raise MalformedMessage(name, "is required in an order that has not ended", code=SEGMENT_SEQUENCE_ERROR)
    return DrugReport(facts)


def _orders(message: Message) -> list[_Order]:
    orders: list[_Order] = []
    for segment in message.segments:
        if segment.name == "ORC":
            orders.append(_Order(segment))
        elif segment.name in ("RXE", "RXA", "RXC", "RXR", "TQ1"):
            if not orders:
                raise MalformedMessage("ORC", "an ORC is required before an RXE or RXA", code=SEGMENT_SEQUENCE_ERROR)
            if segment.name == "RXE" and orders[-1].encoded is not None:
                orders.append(_Order(orders[-1].orc))  # some senders say ORC once for several drugs
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
        case "RXC":
            order.components.append(segment)
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
        """A fact for each RXA; of an order that has ended without one, its stop."""
        if order.has_ended and not order.administrations:
            yield self._stopped(Basis.ADMINISTERED, order)
        for rxa in order.administrations:
            given = _given(rxa, 5, order.components, self.codes)
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
            if order.has_ended:
                yield self._stopped(Basis.ORDERED, order)
            return
        given = _given(rxe, 2, order.components, self.codes)
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

    def _stopped(self, basis: Basis, order: _Order) -> DrugFact:
        """The end of an order that names its number and no drug."""
        if not order.number:
            raise MalformedMessage("ORC-3", "an order that has ended must be named", code=FIELD_MISSING)
        spoken = min(self._moment(order.orc, 9) or self._moment(order.orc, 15) or self.received, self.received)
        return self._fact(_Given(), basis, order, spoken, key=("stop",), ended=None, is_stop=True)

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
        # What is told in training takes the place of nothing that production has told.
        apart = ("test",) if self.header.processing is not Processing.PRODUCTION else ()
        identity = "\x00".join((basis.value, self.source if not order.number else "", order.number, *key, *apart))
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
            outlasts=self._outlasts(given, basis, is_stop=is_stop),
            order=order.number,
            route=order.routes[-1].text(1) if order.routes else "",
            is_infusion=is_infusion,
            is_stop=is_stop,
            is_retracted=is_retracted,
            source=self.source,
            control_id=self.header.control_id,
            processing=self.header.processing,
        )

    @staticmethod
    def _outlasts(given: _Given, basis: Basis, *, is_stop: bool) -> timedelta:
        if is_stop and not given.classes:
            return LONGEST_EFFECT  # it is kept as long as anything that it may have ended
        return given.outlasts if basis is Basis.ADMINISTERED or is_stop else timedelta(0)

    def _first(self, places: list[tuple[Segment | None, int, int]]) -> datetime | None:
        found = (self._moment(segment, number, component) for segment, number, component in places if segment)
        return next((moment for moment in found if moment is not None), None)

    def _moment(self, segment: Segment, number: int, component: int = 1) -> datetime | None:
        moment = told_moment(segment.text(number, component), zone=self.zone)
        return moment.utc if moment is not None and moment.precision >= Precision.HOUR else None


def _given(segment: Segment, number: int, components: Sequence[Segment], codes: DrugCodes) -> _Given:
    """The drug of a CWE, and those of the RXC beside it: code and text are both looked up, what any means counts."""
    named = _triplets(segment, number)
    if not named:
        raise MalformedMessage(segment.place(number), "the drug must be named", code=FIELD_MISSING)
    drugs = [_meant(one, codes) for one in (*named, *(each for rxc in components for each in _triplets(rxc, 2)))]
    rows = [row for meant in drugs for row in meant.rows]
    code, text, system = named[0][0]
    return _Given(
        code=code[:LONGEST_LABEL],
        system=system[:LONGEST_LABEL],
        text=(text or code)[:LONGEST_LABEL],
        ingredient=" and ".join(dict.fromkeys(name for meant in drugs for name in meant.ingredients)),
        classes=tuple(one for one in DrugClass if any(one in row.classes for row in rows)),
        outlasts=max((row.outlasts for row in rows), default=timedelta(0)),
    )


def _triplets(segment: Segment, number: int) -> list[list[tuple[str, ...]]]:
    """Code, text and system of each repetition that names anything: the first triplet, then the alternate one."""
    signs = segment.delimiters
    found = [
        [tuple(part(one, at + each, 1, signs) for each in range(3)) for at in (1, 4)]
        for one in segment.repetitions(number)
    ]
    named = [[triplet for triplet in triplets if triplet[0] or triplet[1]] for triplets in found]
    return [triplets for triplets in named if triplets]


class _Meant(NamedTuple):
    rows: list[DrugCode]
    ingredients: list[str]


def _meant(triplets: list[tuple[str, ...]], codes: DrugCodes) -> _Meant:
    by_code = [(code, codes.by_code(code, system)) for code, _, system in triplets]
    by_name = [row for code, text, _ in triplets for row in codes.by_name(text) or codes.by_name(code)]
    rows = [*(row for _, row in by_code if row is not None), *by_name]
    # A row of a whole class names the drug only where its text does not.
    exact = [row for code, row in by_code if row is not None and (row.code == code.upper() or not by_name)]
    return _Meant(rows, [row.ingredient for row in (*exact, *by_name)])


def _is_zero(text: str) -> bool:
    try:
        return float(text) == 0
    except ValueError:
        return False
