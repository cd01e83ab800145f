"""Whose window was it? Decided from the history of the bed at the time of the window, never guessed.

The census says who lies where *since when*; facts arrive later than what they tell. A history therefore holds every
fact with the moment it became true, and is asked for the moment of a window, not for now. What was in doubt then may
have been settled since: by a person who let the bed go, or by a message that says that there was no conflict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from neopain.domain.bedside import UNDOES
from neopain.domain.census import TWO_INFANTS, BedState, Infant
from neopain.domain.identity import PatientId
from neopain.domain.vitals import Processing
from neopain.domain.window import VITALS_SPAN

EMPTY_BED = "no infant in this bed at that time"
CHANGED = "another infant was in this bed within the window"
LEFT = "the infant had left this bed by then, as was told later"
CONTRADICTED = "a source of the window names another infant"
UNIDENTIFIED = "the infant has no identifier"


@dataclass(frozen=True, slots=True)
class CensusFact:
    """A state of a bed, when it became true and when it was told.

    ``settles`` is from when on it also says who lay there while the bed was held; None: it says nothing of that.
    """

    state: BedState
    effective: datetime
    arrived: datetime
    settles: datetime | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """The infant of a window; without one, why it is held."""

    patient: PatientId | None = None
    visit: str = ""
    held_reason: str = ""
    processing: Processing = Processing.PRODUCTION
    """MSH-11 of the message that put the infant there."""
    gestational_age_days: int | None = field(default=None, compare=False)
    """At birth; what becomes known of it does not make it another infant."""
    infant: Infant | None = field(default=None, compare=False)
    """All that the census knows of it; there exactly when ``patient`` is."""

    def is_about(self, patient: PatientId) -> bool:
        """Whether the identifier is or was one of the infant's: a merge of numbers makes nobody another infant."""
        return self.infant is not None and self.infant.is_same_as(patient)

    @property
    def key(self) -> str:
        """What is the same for windows of the same infant."""
        return f"{self.patient.assigning_authority}|{self.patient.value}" if self.patient else ""


def fact_of(state: BedState, told: Sequence[CensusFact], *, arrived: datetime) -> CensusFact:
    """The state, told after those facts of its bed, with the moment it became true.

    That is its ``since``, except where only what is known or doubted of an infant already there changed: news hold as
    long as what they renew, a doubt from when it was told, since nobody doubted before. What ends a doubt and
    happened before it was told counts from there, and not before: a later fact never lies behind an earlier one.

    What ends a doubt says of the time of the doubt only what it is about: a person's release says who lay there, and
    so does a message by which the others never were there, or are the same infant. That an infant went, that a device
    or ADT agrees by now, says nothing of the time before.
    """
    effective = _effective(state, told[-1] if told else None, arrived)
    return CensusFact(state, effective, arrived, _settles(state, told))


def _effective(state: BedState, previous: CensusFact | None, arrived: datetime) -> datetime:
    if previous is None:
        return state.since
    if previous.state.since != state.since:
        return max(state.since, previous.effective)
    if previous.state.held_reason == state.held_reason:
        return previous.effective
    return max(arrived, previous.effective)


def names_the_same(state: BedState, previous: BedState) -> bool:
    """Whether a state, told after the other, says nothing else of who lies there and since when: it is mere news."""
    return _names(state) == _names(previous)


def _names(state: BedState) -> tuple[object, ...]:
    known_by = (state.infant.identifiers, state.infant.formerly) if state.infant is not None else None
    return state.since, known_by, state.held_reason, state.overruled, state.release


def _settles(state: BedState, told: Sequence[CensusFact]) -> datetime | None:
    """Since when the doubt that the state ends has been one between its infant and others."""
    since = None
    for fact in reversed(told):
        if state.infant is None or state.is_held or not _is_settled_by(state, state.infant, fact.state):
            break
        since = fact.effective
    return since


def _is_settled_by(state: BedState, infant: Infant, doubted: BedState) -> bool:
    if not doubted.is_held or not any(one.shares_identifier_with(infant) for one in doubted.occupants):
        return False
    if state.release is not None:
        return True
    others = [one for one in doubted.occupants if not one.shares_identifier_with(infant)]
    return doubted.held_reason == TWO_INFANTS and all(_never_was_there(one, state) for one in others)


def _never_was_there(infant: Infant, state: BedState) -> bool:
    gone = [one.cause for one in state.departures if one.infant.shares_identifier_with(infant)]
    return bool(gone) and gone[0] in UNDOES


def assign(history: Sequence[CensusFact], window_end: datetime, named: Sequence[PatientId] = ()) -> Assignment:
    """Whose window it was, from the facts of its bed in the order they were told; ``named`` is who the sources named.

    Held: an empty bed, a held bed, a bed that another infant lay in within the window's 30 s, one that the infant had
    left by then as was told later, a source that names someone else (unless a person has decided against it), an infant
    without identifier.
    """
    current = state_at(history, window_end)
    if current is None or current.infant is None:
        return Assignment(held_reason=EMPTY_BED)
    infant = current.infant
    identifier = charting_identifier(infant)
    if identifier is None:
        return Assignment(held_reason=UNIDENTIFIED)
    if current.is_held:
        return Assignment(held_reason=current.held_reason)
    if any(not infant.is_same_as(one) and not current.is_overruled(one) for one in named):
        return Assignment(held_reason=CONTRADICTED)
    if reason := _change(history, infant, window_end):
        return Assignment(held_reason=reason)
    return Assignment(
        patient=identifier,
        visit=infant.visit,
        processing=current.processing,
        gestational_age_days=infant.gestational_age_days,
        infant=infant,
    )


def state_at(history: Sequence[CensusFact], moment: datetime) -> BedState | None:
    """What holds at the moment: of the facts true by then the latest, and of these the last told."""
    held = [(fact.effective, place) for place, fact in enumerate(history) if fact.effective <= moment]
    return _settled(history, max(held)[1], moment) if held else None


def _settled(history: Sequence[CensusFact], place: int, moment: datetime) -> BedState:
    """A fact's state, or if it was in doubt then, that of the fact that has settled it for that moment since."""
    state = history[place].state
    if not state.is_held:
        return state
    settling = (fact for fact in history[place + 1 :] if fact.settles is not None and fact.settles <= moment)
    return next((fact.state for fact in settling), state)


def _within(history: Sequence[CensusFact], window_end: datetime) -> list[BedState]:
    begin = window_end - VITALS_SPAN
    before = state_at(history, begin)
    later = [
        _settled(history, place, fact.effective)
        for place, fact in enumerate(history)
        if begin < fact.effective <= window_end
    ]
    return [before, *later] if before is not None else later


def _is_another(infant: Infant, other: Infant | None) -> bool:
    return other is not None and not any(infant.is_same_as(one) for one in other.identifiers)


def _change(history: Sequence[CensusFact], infant: Infant, window_end: datetime) -> str:
    """Why the infant may not have been the only one in the bed through the window; empty if it was."""
    if any(_is_another(infant, state.infant) for state in _within(history, window_end)):
        return CHANGED
    return LEFT if any(_had_left(infant, fact, window_end) for fact in history) else ""


def _had_left(infant: Infant, fact: CensusFact, window_end: datetime) -> bool:
    """Whether the fact says that the infant was gone, of a moment for which an earlier fact still holds."""
    is_told_of_then = fact.state.since <= window_end < fact.effective
    return is_told_of_then and (fact.state.infant is None or _is_another(infant, fact.state.infant))


def charting_identifier(infant: Infant) -> PatientId | None:
    """The medical record number where there is one (HL7 table 0203, MR), else the first identifier."""
    records = [one for one in infant.identifiers if one.type_code == "MR"]
    return next(iter(records or infant.identifiers), None)
