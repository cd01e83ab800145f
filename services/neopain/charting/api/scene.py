"""What one request is answered by: the time, the site's names, and the census as it is, read once when it is needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from neopain.charting.census import beds_now
from neopain.codecs.fhir.census import Lying, Naming
from neopain.codecs.fhir.ids import patient_id
from neopain.codecs.fhir.search import Tokens
from neopain.domain.assignment import charting_identifier
from neopain.domain.census import BedState


@dataclass(frozen=True, slots=True)
class CensusView:
    """Who lies where now. Whoever is no newborn, or has no identifier, is not in it."""

    naming: Naming
    states: tuple[BedState, ...]
    lying: tuple[Lying, ...]

    def of_patient(self, own_id: str) -> Lying | None:
        """Where the infant with this Patient lies; the first bed, where there are several."""
        return next((one for one in self.lying if patient_id(one.patient) == own_id), None)

    def encounters(self) -> dict[str, list[Lying]]:
        """Every visit by the id of its Encounter, with all its beds."""
        found: dict[str, list[Lying]] = {}
        for one in self.lying:
            found.setdefault(one.encounter_id, []).append(one)
        return found

    def patients_with(self, tokens: Tokens) -> set[str]:
        """The ids of the Patients who bear an identifier that the tokens ask for."""
        return {patient_id(one.patient) for one in self.lying if bears(one, tokens, self.naming)}


def bears(one: Lying, tokens: Tokens, naming: Naming) -> bool:
    """Whether one of the infant's identifiers is what the tokens ask for."""
    identifiers = (naming.identifier(own) for own in one.infant.identifiers)
    return any(tokens.mean(own["system"], own["value"]) for own in identifiers)


@dataclass(slots=True)
class Scene:
    """The circumstances of one request."""

    now: datetime
    naming: Naming
    _census: CensusView | None = field(default=None)

    def census(self, connection: Connection) -> CensusView:
        """The census, read at the first call."""
        if self._census is None:
            states = tuple(beds_now(connection))
            lying = tuple(one for state in states for one in _lying(state, self.now))
            self._census = CensusView(self.naming, states, lying)
        return self._census


def _lying(state: BedState, now: datetime) -> list[Lying]:
    newborns = [infant for infant in state.occupants if not infant.is_no_newborn(now)]
    named = [(charting_identifier(infant), infant) for infant in newborns]
    return [Lying(identifier, infant, state) for identifier, infant in named if identifier is not None]
