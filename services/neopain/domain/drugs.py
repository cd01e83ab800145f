"""Drugs that hide pain: what was given to an infant or ordered for it, and how long that may change what is seen.

Facts are kept as told; when something was in effect is worked out from all of them (``periods``), so that any order of
arrival gives the same. An order is not an administration: only what was administered withholds or marks as given, an
order in force is told as an order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from itertools import groupby

from neopain.domain.census import Infant
from neopain.domain.identity import PatientId
from neopain.domain.vitals import Processing


class DrugClass(Enum):
    """What a drug does to the signs of pain."""

    ANALGESIC = "analgesic"
    SEDATIVE = "sedative"
    NEUROMUSCULAR_BLOCKER = "neuromuscular-blocker"
    """A paralysed infant shows no pain: a low score would be a wrong number."""


class Basis(Enum):
    """What is known: that it was given, or that somebody ordered it."""

    ADMINISTERED = "administered"
    ORDERED = "ordered"


OUTLASTS = {
    DrugClass.ANALGESIC: timedelta(hours=6),
    DrugClass.SEDATIVE: timedelta(hours=6),
    DrugClass.NEUROMUSCULAR_BLOCKER: timedelta(hours=4),
}
"""How long an effect may outlast the giving where nothing better is known: long on purpose, and our choice, not
pharmacology; a site's pharmacist sets other times by drug in the site's table."""


@dataclass(frozen=True, slots=True)
class DrugFact:
    """One administration or order, as one message told it.

    ``classes`` is empty for a code that no table knows, and where the end of an order names no drug. ``order``
    is the number of its order, empty if none is named. ``ended`` is the end of the giving, None if none is told: an
    infusion (``is_infusion``) goes on then, anything else was given at once. ``is_stop`` says that what was given or
    ordered under the order ended at ``begun``; ``is_retracted`` that it did not take place.
    """

    id: str
    patients: tuple[PatientId, ...]
    classes: tuple[DrugClass, ...]
    ingredient: str
    code: str
    system: str
    text: str
    basis: Basis
    begun: datetime
    told: datetime
    ended: datetime | None = None
    outlasts: timedelta = timedelta(0)
    order: str = ""
    route: str = ""
    is_infusion: bool = False
    is_stop: bool = False
    is_retracted: bool = False
    source: str = ""
    control_id: str = ""
    processing: Processing = Processing.PRODUCTION

    @property
    def is_test(self) -> bool:
        """Whether it was told in training or for debugging."""
        return self.processing is not Processing.PRODUCTION

    @property
    def is_unknown(self) -> bool:
        """Whether it names a drug that no table knows. The end of an order may name none."""
        return bool(self.code or self.text) and not (self.classes or self.ingredient)

    def is_of(self, infant: Infant) -> bool:
        """Whether it is about this infant."""
        return any(infant.is_same_as(one) for one in self.patients)


@dataclass(frozen=True, slots=True)
class Period:
    """When a fact may have an effect; ``until`` is None while nobody has told of its end."""

    fact: DrugFact
    begin: datetime
    until: datetime | None

    def reaches(self, begin: datetime, end: datetime) -> bool:
        """Whether it has an effect somewhere between the two moments."""
        has_effect = not (self.fact.is_stop or self.fact.is_retracted)
        return has_effect and self.begin <= end and (self.until is None or begin < self.until)


@dataclass(frozen=True, slots=True, order=True)
class DrugMark:
    """What a score and an entry carry of a drug: one class and ingredient, since when, given or ordered."""

    drug_class: str
    ingredient: str
    basis: str
    begun: datetime


def counting_for(processing: Processing, facts: Iterable[DrugFact]) -> tuple[DrugFact, ...]:
    """The facts that count for what was told so: production and tests are apart, as in the census (``separation``)."""
    is_test = processing is not Processing.PRODUCTION
    return tuple(fact for fact in facts if fact.is_test is is_test)


def periods(facts: Iterable[DrugFact]) -> list[Period]:
    """The periods of facts of one infant, told in any order.

    What goes on under an order ends with what is told next of that order: another rate, or a stop.
    """
    told = sorted(facts, key=lambda fact: (fact.order, fact.begun, fact.is_stop, fact.id))
    found: list[Period] = []
    for order, group in groupby(told, key=lambda fact: fact.order):
        listed = list(group)
        found += [Period(fact, fact.begun, _until(fact, listed if order else [])) for fact in listed]
    return found


def marks(facts: Iterable[DrugFact], begin: datetime, end: datetime) -> tuple[DrugMark, ...]:
    """What is in effect somewhere between two moments, each class and ingredient once, since its first begin."""
    first: dict[tuple[str, str, str], datetime] = {}
    for period in periods(facts):
        if not period.reaches(begin, end):
            continue
        for drug_class in period.fact.classes:
            key = (drug_class.value, period.fact.ingredient, period.fact.basis.value)
            first[key] = min(period.begin, first.get(key, period.begin))
    return tuple(sorted(DrugMark(*key, begun) for key, begun in first.items()))


def is_blocked(found: Iterable[DrugMark], *, by_order: bool = False) -> bool:
    """Whether a neuromuscular blocker is in effect; an order in force counts only where the site says so."""
    bases = {Basis.ADMINISTERED.value, *([Basis.ORDERED.value] if by_order else [])}
    blocker = DrugClass.NEUROMUSCULAR_BLOCKER.value
    return any(mark.drug_class == blocker and mark.basis in bases for mark in found)


def _until(fact: DrugFact, same_order: list[DrugFact]) -> datetime | None:
    ends = [fact.begun] if fact.is_stop or fact.is_retracted else []
    ends += [fact.ended] if fact.ended is not None else []
    goes_on = fact.is_infusion or fact.basis is Basis.ORDERED
    if not goes_on and not ends:
        ends = [fact.begun]
    if goes_on:
        ends += [other.begun for other in same_order if _ends(other, fact)]
    if not ends:
        return None
    return max(min(ends), fact.begun) + fact.outlasts


def _ends(other: DrugFact, fact: DrugFact) -> bool:
    """Whether another fact of the order ends this one. An order's stop ends the infusion too, not the reverse."""
    if other is fact or other.is_retracted or other.begun < fact.begun:
        return False
    if other.is_stop:
        return other.basis is fact.basis or other.basis is Basis.ORDERED
    return other.basis is fact.basis and other.begun > fact.begun and (other.is_infusion or fact.basis is Basis.ORDERED)
