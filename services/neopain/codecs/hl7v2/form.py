"""The form of a monitor's messages: what stands around its numbers and is the same in each (docs/adr/0026).

A form is drawn from a message that was read, and holds for every one with the same texts at the same places: only the
numbers, the time, the infant and the bed may differ, and what nobody reads. Of such a message only those are looked at.
There is a form only where each OBX that counts is one number in a known unit or a code that no table knows, and all
have one time. Whatever else a message holds, it is read as if there were no forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from neopain.codecs.hl7v2.codes import SENTINELS, VitalCodes
from neopain.codecs.hl7v2.message import Delimiters, Message
from neopain.codecs.hl7v2.observation import NUMBER, Dialect, Meaning, UnknownCode, dialect_of, is_number
from neopain.domain.vitals import VitalKind

Take: TypeAlias = Callable[[Sequence[str]], tuple[str, ...]]

REPEATED = (2, 3, 6, 8, 11)
"""The fields of an OBX that count and that a monitor repeats: type, identifier, unit, flags, status."""
_VALUE, _TIME = 5, 14
_READ = {"PID": 3, "PV1": 3, "OBR": 7}
"""What is read of other segments, beside PID-21."""
_MOTHER = "PID-21"
_NOT_AFTER = {"PID": {"PID", "PV1"}, "PV1": {"PV1"}, "OBR": {"OBR", "OBX"}}
"""Where one of those came before, it is another infant or another time that begins."""
_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_NUMBERS = re.compile(rf"{NUMBER}(?:\r{NUMBER})*+")
"""Numbers and nothing else; no field holds a CR but before its segment's name."""
LONGEST = 8192
"""Signs of a message whose form is kept."""
_MOST_OF_A_LENGTH = 8
_MOST_LENGTHS = 32
_MOST_DIALECTS = 4


class Winner(NamedTuple):
    """A value that is kept, by its number among the values, and what it means."""

    number: int
    meaning: Meaning
    kind: VitalKind
    scale: float
    worth: int


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """Two are the same only if they are one object, which makes one cheap to look up by.

    ``same`` takes the texts that must be ``texts``; ``values`` are to be numbers, ``own_times``, their OBX-14, the
    same in all, ``named`` not empty.

    ``winners`` are the values that are kept, in their order: of several of one kind the most believable. ``patient``,
    ``mother``, ``bed`` and ``time`` are the places of PID-3, PID-21, PV1-3 and OBR-7, that of an empty text where there
    are none.
    """

    segments: int
    same: Take
    texts: tuple[str, ...]
    values: Take
    own_times: Take
    winners: tuple[Winner, ...]
    named: Take
    unmapped: tuple[UnknownCode, ...]
    patient: int
    mother: int
    bed: int
    time: int

    def numbers(self, fields: Sequence[str], segments: int) -> list[float] | None:
        """The values; None where the fields are of another form, or where something else than numbers stands."""
        if segments != self.segments or self.same(fields) != self.texts or not all(self.named(fields)):
            return None
        if len(set(self.own_times(fields))) != 1:
            return None
        values = self.values(fields)
        if not _NUMBERS.fullmatch("\r".join(values)):
            return None
        numbers = list(map(float, values))
        return numbers if SENTINELS.isdisjoint(numbers) else None


@dataclass(frozen=True, slots=True)
class Filled:
    """A form and what a message fills it with: PID-3, PID-21, PV1-3, OBR-7 and the one OBX-14 as sent, and values."""

    form: Form
    patient: str
    mother: str
    bed: str
    time: str
    own_time: str
    numbers: Sequence[float]


@dataclass(slots=True)
class Forms:
    """The forms of one dialect by their number of fields: a bounded number of them, the newest."""

    dialect: Dialect
    kept: dict[int, list[Form]] = field(default_factory=dict)

    def fill(self, message: Message) -> Filled | None:
        """The message by its form; None where none is kept that it has, or where its values need a closer look."""
        body = _body(message)
        return self.fill_body(body) if body else None

    def fill_body(self, body: str) -> Filled | None:
        """The same of what follows MSH, from the CR on, of a message in which nothing but a CR ends a line."""
        fields, segments = _fields(body, self.dialect), body.count("\r")
        for form in self.kept.get(len(fields), ()):
            numbers = form.numbers(fields, segments)
            if numbers is not None:
                own_time = form.own_times(fields)[0]
                who = fields[form.patient], fields[form.mother]
                return Filled(form, *who, fields[form.bed], fields[form.time], own_time, numbers)
        return None

    def learn(self, message: Message) -> None:
        """Keeps the form of a message, if it has one."""
        body = _body(message)
        fields = _fields(body, self.dialect)
        form = _Outline(fields, self.dialect).form() if body else None
        if form is not None:
            if len(fields) not in self.kept and len(self.kept) >= _MOST_LENGTHS:
                self.kept.clear()
            forms = self.kept.setdefault(len(fields), [])
            forms.insert(0, form)
            del forms[_MOST_OF_A_LENGTH:]


@lru_cache(maxsize=_MOST_DIALECTS)
def forms_of(delimiters: Delimiters, known: VitalCodes) -> Forms:
    """The forms of these delimiters and this registry, the same ones as long as few others come between."""
    return Forms(dialect_of(delimiters, known))


def _body(message: Message) -> str:
    """What follows MSH, where nothing but a CR ends a line; empty for a message that is longer than a form's."""
    text = message.text
    end = text.find("\r")
    return text[end:] if message.is_plain and end > 0 and len(text) <= LONGEST else ""


def _fields(body: str, dialect: Dialect) -> list[str]:
    """An empty text, then the fields of all segments; the name of each segment begins with the CR before it."""
    separator = dialect.delimiters.field
    return body.replace("\r", f"{separator}\r").split(separator)


@dataclass(slots=True)
class _Outline:
    """A form while it is drawn."""

    fields: list[str]
    dialect: Dialect
    same: list[int] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    own_times: list[int] = field(default_factory=list)
    named: list[int] = field(default_factory=list)
    unmapped: list[UnknownCode] = field(default_factory=list)
    winners: dict[VitalKind, Winner] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)

    def form(self) -> Form | None:
        """The form of the message, None where it has none."""
        starts = [place for place, text in enumerate(self.fields) if text.startswith("\r")]
        are_taken = all(self._takes(start, end) for start, end in pairwise([*starts, len(self.fields)]))
        if not are_taken or not self.values:
            return None
        same = _take(self.same)
        return Form(
            segments=len(starts),
            same=same,
            texts=same(self.fields),
            values=_take(self.values),
            own_times=_take(self.own_times),
            winners=tuple(self.winners.values()),
            named=_take(self.named),
            unmapped=tuple(dict.fromkeys(self.unmapped)),
            patient=self.places.get("PID", 0),
            mother=self.places.get(_MOTHER, 0),
            bed=self.places.get("PV1", 0),
            time=self.places.get("OBR", 0),
        )

    def _takes(self, start: int, end: int) -> bool:
        """Whether the segment between these places can be of a form."""
        name = self.fields[start][1:]
        if not _NAME.fullmatch(name) or end == start + 1 or self.places.keys() & _NOT_AFTER.get(name, set()):
            return False
        self.same.append(start)
        if name in _READ:
            self.places[name] = self._place(start, end, _READ[name])
        if name == "PID":
            self.places[_MOTHER] = self._place(start, end, 21)
        return name != "OBX" or self._takes_observation(start, end)

    def _takes_observation(self, start: int, end: int) -> bool:
        compared = [self._place(start, end, one) for one in REPEATED]
        self.same += compared
        data_type, *others = (self.fields[one] for one in compared)
        if data_type.strip().upper() == "NA":
            return False
        meaning = self.dialect.meaning_of((data_type, *others))
        value, own_time = self._place(start, end, _VALUE), self._place(start, end, _TIME)
        if meaning.unknown is not None:
            self._note_unknown(meaning.unknown, value)
        elif not meaning.is_idle:
            return self._takes_number(meaning, value, own_time)
        return True

    def _note_unknown(self, code: UnknownCode, place: int) -> None:
        if self.fields[place]:
            self.named.append(place)
            self.unmapped.append(code)
        else:
            self.same.append(place)

    def _takes_number(self, meaning: Meaning, place: int, own_time: int) -> bool:
        self.places["OBX"] = place
        value = self.fields[place]
        if meaning.plain is None or not is_number(value) or float(value) in SENTINELS:
            return False
        kind, _, worth = meaning.plain
        known = self.winners.get(kind)
        if known is None or worth < known.worth:
            self.winners[kind] = Winner(len(self.values), meaning, *meaning.plain)
        self.values.append(place)
        self.own_times.append(own_time)
        return self.fields[own_time] == self.fields[self.own_times[0]]

    def _place(self, start: int, end: int, number: int) -> int:
        """Where a field of the segment stands; that of an empty text where the segment is shorter."""
        return start + number if start + number < end else 0


def _take(places: Sequence[int]) -> Take:
    # With one place ``itemgetter`` gives a text, with none nothing at all.
    return itemgetter(*places) if len(places) > 1 else lambda fields: tuple(fields[one] for one in places)
