"""Whom an event means, by the numbers that it gives. A number that several infants may have names none of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from neopain.domain.census import Census, CensusEvent, CensusEventKind, Infant, fully_named
from neopain.domain.identity import PatientId

CHANGES_NUMBERS = frozenset({CensusEventKind.MERGED, CensusEventKind.VISIT_MOVED, CensusEventKind.RENUMBERED})
AT_ITS_BED = frozenset(
    {
        CensusEventKind.CONTRADICTED,
        CensusEventKind.CONFIRMED,
        CensusEventKind.ASSOCIATED,
        CensusEventKind.DISSOCIATED,
        CensusEventKind.RELEASED,
    }
)
"""What devices and persons say of one bed: their numbers are compared with those of its infant alone."""


@dataclass(frozen=True, slots=True)
class Meant:
    """``event`` is of its infant under all numbers that the census knows it by, None where nobody knows of whom it is;
    ``confused`` are infants that it may mean as well."""

    event: CensusEvent | None
    confused: tuple[Infant, ...] = ()


def recognised(census: Census, event: CensusEvent) -> Meant:
    """Whom the event means. What changes numbers stays as it is."""
    lying = [one for state in census.values() for one in state.occupants]
    known = [*lying, *(one.infant for state in census.values() for one in state.departures)]
    if event.kind is CensusEventKind.IN_DOUBT:
        return Meant(event)
    if event.kind in CHANGES_NUMBERS:
        unclear = [one for one in (*event.infant.identifiers, *event.prior) if _is_of_several(one, known)]
        return Meant(None, _having(unclear, lying)) if unclear else Meant(event)
    numbers = [one for one in event.infant.identifiers if not _is_of_several(one, known)]
    infant = replace(event.infant, identifiers=tuple(numbers))
    mine = _records_of(infant, known)
    is_clear = bool(numbers) and not any(one.is_apart_from(other) for one, other in combinations(mine, 2))
    if event.kind in AT_ITS_BED:
        return Meant(replace(event, infant=_with_numbers_of(infant, mine)) if is_clear else event)
    if not is_clear:
        return Meant(None, _having(event.infant.identifiers, lying))
    infant = _with_numbers_of(infant, mine)
    others = (one for one in _having(numbers, lying) if not one.shares_identifier_with(infant))
    return Meant(replace(event, infant=infant), tuple(others))


def _is_of_several(number: PatientId, known: Sequence[Infant]) -> bool:
    """Whether infants of different authorities have the number, which names none."""
    if number.assigning_authority:
        return False
    having = _having([number], known)
    return any(not one.shares_identifier_with(other) for one, other in combinations(having, 2))


def _having(numbers: Iterable[PatientId], known: Sequence[Infant]) -> tuple[Infant, ...]:
    wanted = tuple(numbers)
    return tuple(one for one in known if one.has_any(wanted))


def _records_of(infant: Infant, known: Sequence[Infant]) -> list[Infant]:
    """What is known of the infant, also under numbers that are told of it there only."""
    found: list[Infant] = []
    left, news = list(known), True
    while news:
        whole = _with_numbers_of(infant, found)
        mine = [one for one in left if one.shares_identifier_with(whole)]
        left = [one for one in left if one not in mine]
        found, news = [*found, *mine], bool(mine)
    return found


def _with_numbers_of(infant: Infant, others: Sequence[Infant]) -> Infant:
    identifiers = (*infant.identifiers, *(each for one in others for each in one.identifiers))
    formerly = (*infant.formerly, *(each for one in others for each in one.formerly))
    return replace(infant, identifiers=fully_named(identifiers), formerly=tuple(dict.fromkeys(formerly)))
