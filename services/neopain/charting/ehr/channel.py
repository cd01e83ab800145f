"""The port: what delivery asks of any EHR. Each step says in its errors what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from neopain.domain.charting import ChartedEntry


@dataclass(frozen=True, slots=True)
class Located:
    """Where an entry belongs at the EHR: references such as ``Patient/1`` and ``Encounter/2``."""

    subject: str
    encounter: str | None = None


@dataclass(frozen=True, slots=True)
class NotLocated:
    """There is not exactly one place for the entry; nobody guesses."""

    reason: str


class EhrChannel(Protocol):
    """A way to chart. All but ``check`` raise ``EhrUnavailable`` (try later) and ``RejectedByEhr`` (a person)."""

    def check(self) -> None:
        """Asks the EHR what it is; ``ConfigurationError`` when it cannot be charted to."""

    def locate(self, entry: ChartedEntry) -> Located | NotLocated:
        """Finds the patient and the encounter."""

    def find(self, entry: ChartedEntry, located: Located) -> str | None:
        """The reference of the entry at the EHR, if it is there."""

    def create(self, entry: ChartedEntry, located: Located) -> None:
        """Sends the entry. After an ``EhrUnavailable`` it may be there or not: ``find`` before sending again."""
