"""The port: what delivery asks of any EHR. Each step says in its errors what to do next."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import ClassVar, Protocol

from neopain.domain.entry_status import StatusChange
from neopain.domain.review import ChartEntry
from neopain.errors import RejectedByEhr

Others = Callable[[], Set[str]]
"""The references at the EHR that other entries have; asked only by whoever needs them."""


@dataclass(frozen=True, slots=True)
class Located:
    """Where an entry belongs at the EHR: references such as ``Patient/1`` and ``Encounter/2``."""

    subject: str
    encounter: str | None = None
    performer: str | None = None
    """The nurse who verified it, where the EHR wants to know her: ``Practitioner/3``."""


@dataclass(frozen=True, slots=True)
class NotLocated:
    """There is not exactly one place for the entry; nobody guesses."""

    reason: str


class NotTaken(RejectedByEhr):
    """A write was answered by 200, and an OperationOutcome that says that it was not taken: to be looked for first."""


class EhrChannel(Protocol):
    """A way to chart. All but ``check`` raise ``EhrUnavailable`` (try later) and ``RejectedByEhr`` (a person)."""

    reads_back: ClassVar[bool]
    """Whether the EHR can be asked for an entry. Else its acknowledgement is all there is, and a message without one is
    sent again as it was."""

    takes_only_verified: ClassVar[bool]
    """Whether a preliminary entry is nothing for it: one waits until a nurse has verified it."""

    def check(self) -> None:
        """Asks the EHR what it is; ``ConfigurationError`` when it cannot be charted to."""

    def locate(self, entry: ChartEntry) -> Located | NotLocated:
        """Finds the patient and the encounter."""

    def find(self, entry: ChartEntry, located: Located, *, others: Others = frozenset) -> str | None:
        """The reference of the entry at the EHR, if it is there; it is none of ``others``, which other entries have."""

    def create(self, entry: ChartEntry, located: Located) -> str | None:
        """Sends the entry; returns what it was acknowledged with where the EHR cannot be asked for it, or its reference
        where it was read back already. ``NotTaken`` where a 200 says that it was not: ``find`` it first.

        After an ``EhrUnavailable`` it may be there or not, unless ``was_sent`` is False: ``find`` before sending again,
        or send the same again where nothing can be found.
        """

    def change(self, entry: ChartEntry, change: StatusChange, reference: str) -> str | None:
        """Has the EHR's copy, which ``reference`` names, say the status; returns what it was confirmed or acknowledged
        with.

        May be repeated after any ``EhrUnavailable``: what the EHR says already is not changed again, or the same is
        sent again where it cannot be asked.
        """
