"""Whose window was it? Decided from the history of the bed at the time of the window, never guessed.

The census says who lies where *since when*; facts arrive later than what they tell. A history therefore holds every
fact with the moment it became true, and is asked for the moment of a window, not for now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from neopain.domain.census import BedState, Infant
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
    """A state of a bed, when it became true and when it was told."""

    state: BedState
    effective: datetime
    arrived: datetime


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


def fact_of(state: BedState, *, previous: CensusFact | None, arrived: datetime) -> CensusFact:
    """The state with the moment it became true.

    That is its ``since``, except where only what is known or doubted of an infant already there changed: news hold as
    long as what they renew, a doubt from when it was told, since nobody doubted before. What settles a doubt and
    happened before it was told counts from there, and not before: a later fact never lies behind an earlier one.
    """
    if previous is None:
        return CensusFact(state, state.since, arrived)
    if previous.state.since != state.since:
        return CensusFact(state, max(state.since, previous.effective), arrived)
    if previous.state.held_reason == state.held_reason:
        return CensusFact(state, previous.effective, arrived)
    return CensusFact(state, max(arrived, previous.effective), arrived)


def assign(history: Sequence[CensusFact], window_end: datetime, named: Sequence[PatientId] = ()) -> Assignment:
    """Whose window it was, from the facts of its bed in the order they were told; ``named`` is who the sources named.

    Held: an empty bed, a held bed, a bed that another infant lay in within the window's 30 s, one that the infant had
    left by then as was told later, a source that names someone else (unless a person has decided against it), an infant
    without identifier.
    """
    current = _at(history, window_end)
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


def _at(history: Sequence[CensusFact], moment: datetime) -> BedState | None:
    """The fact that holds at the moment: of those true by then the latest, and of these the last told."""
    held = [(fact.effective, place) for place, fact in enumerate(history) if fact.effective <= moment]
    return history[max(held)[1]].state if held else None


def _within(history: Sequence[CensusFact], window_end: datetime) -> list[BedState]:
    begin = window_end - VITALS_SPAN
    before = _at(history, begin)
    later = [fact.state for fact in history if begin < fact.effective <= window_end]
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
