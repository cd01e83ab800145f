"""A fact of the census: into the history, and with it, in the same transaction, what it corrects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from neopain.charting.alerts import disown_alert
from neopain.charting.audit.of_infant import note_numbers
from neopain.charting.census import add_fact
from neopain.charting.corrections import ACTOR, correct_entries
from neopain.charting.intake import Intake
from neopain.charting.live_corrections import correct_live
from neopain.charting.unit_of_work import UnitOfWork, unit_of_work
from neopain.codecs.fhir.ids import key_of
from neopain.domain.assignment import charting_identifier
from neopain.domain.census import BedState, Infant


@dataclass(frozen=True, slots=True)
class TakenFact:
    """Whether the fact was new, and how many entries were charted because of it."""

    is_new: bool
    charted: int = 0


def take_fact(intake: Intake, *, fact_id: str, state: BedState, arrived: datetime) -> TakenFact:
    """Adds a fact of the stream to the history and corrects what rests on the history without it.

    A fact taken before changes nothing. ``DatabaseUnavailable``: nothing was written, try again.
    """
    with unit_of_work(intake.engine, intake.clock) as unit:
        added = add_fact(unit, fact_id=fact_id, state=state, arrived=arrived)
        if added is None:
            return TakenFact(is_new=False)
        charted = correct_entries(intake, unit, added)
        correct_live(intake, unit, added)
        disown_alert(unit, state.bed)
        for infant in filter(None, (state.infant, *(one.infant for one in state.departures))):
            _note_merge(unit, infant)
        return TakenFact(is_new=True, charted=charted)


def _note_merge(unit: UnitOfWork, infant: Infant) -> None:
    # Who looked at the infant under a number that is retired is asked for by the number of now.
    if infant.formerly and (number := charting_identifier(infant)) is not None:
        note_numbers(unit, key_of(number), map(key_of, infant.formerly), actor=ACTOR)
