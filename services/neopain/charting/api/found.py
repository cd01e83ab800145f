"""What a search finds, and how its criteria become conditions of SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, false, func, literal, or_, true

from neopain.charting.api.access import Limits
from neopain.codecs.fhir.authority import authorities_of
from neopain.codecs.fhir.charted import ServedEntry
from neopain.codecs.fhir.cursor import Place
from neopain.codecs.fhir.dates import DateValue, Prefix
from neopain.codecs.fhir.search import Token, Tokens
from neopain.codecs.fhir.terminology import Json
from neopain.domain.identity import PatientId, Unit
from neopain.domain.policy import SitePolicies

Condition = ColumnElement[bool]
Moment = ColumnElement[datetime]


@dataclass(frozen=True, slots=True)
class Found:
    """One resource. ``infant`` is the key of whom it tells, empty for nobody; ``patient`` whom it refers to."""

    resource: Json
    infant: str = ""
    patient: PatientId | None = None
    visit: str = ""
    served: ServedEntry | None = None

    @property
    def infants(self) -> frozenset[str]:
        """The key of whom it tells, none for nobody."""
        return frozenset(filter(None, (self.infant,)))

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.resource["id"])


@dataclass(frozen=True, slots=True)
class Page:
    """A page of matches; ``next_place`` is where the next one begins, None at the end."""

    matches: tuple[Found, ...] = ()
    next_place: Place | None = None
    total: int | None = None


def any_of(conditions: Iterable[Condition]) -> Condition:
    """Whether one of them holds; without one, none does."""
    return or_(false(), *conditions)


def any_date(values: Iterable[DateValue], start: Moment, stop: Moment, *, now: datetime) -> Condition:
    """Whether a period (or a moment, where both are the same) is what one of the values asks for."""
    return any_of(value.claim(start, stop, now=now) for value in values)


def earliest_of(values: Iterable[DateValue], *, now: datetime) -> datetime | None:
    """No period that ends before this is what the values ask for; None when there is no such moment."""
    bounds = [_earliest(value, now) for value in values]
    return None if None in bounds else min((bound for bound in bounds if bound is not None), default=None)


def _earliest(value: DateValue, now: datetime) -> datetime | None:
    match value.prefix:
        case Prefix.NOT_EQUAL | Prefix.LESS | Prefix.LESS_OR_EQUAL | Prefix.ENDS_BEFORE:
            return None
        case Prefix.APPROXIMATE:
            return value.around(now)[0]
        case _:
            return value.begin


def identifier_condition(
    tokens: Tokens, authority: ColumnElement[str], number: ColumnElement[str], systems: Mapping[str, str]
) -> Condition:
    """Whether an infant's identifier, as columns, is what one of the tokens asks for."""
    return any_of(_identifier(token, authority, number, systems) for token in tokens.values)


def _identifier(
    token: Token, authority: ColumnElement[str], number: ColumnElement[str], systems: Mapping[str, str]
) -> Condition:
    is_number = number == token.code if token.code else true()
    if token.system is None:
        return is_number
    return and_(authority.in_(authorities_of(token.system, systems)), is_number)


def bed_condition(bed: ColumnElement[str], limits: Limits) -> Condition:
    """``Limits.allow_bed`` in SQL."""
    return and_(true(), *(any_of(_is_in(bed, unit) for unit in units) for units in limits.units))


def is_in_study(bed: ColumnElement[str], policies: SitePolicies) -> Condition:
    """Whether the unit of a bed is in study mode now: ``SitePolicies.of`` in SQL."""
    site = literal(policies.site.study.enabled)
    # Of units with the same name the one at a facility goes first.
    units = sorted(policies.units.items(), key=lambda pair: not pair[0].facility)
    if not units:
        return site
    return case(*((_is_in(bed, unit), literal(policy.study.enabled)) for unit, policy in units), else_=site)


def _is_in(bed: ColumnElement[str], unit: Unit) -> Condition:
    name = func.split_part(func.split_part(bed, "@", 1), "/", 1) == unit.name
    return and_(name, func.split_part(bed, "@", 2) == unit.facility) if unit.facility else name
