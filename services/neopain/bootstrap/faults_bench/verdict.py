"""The ledgers against each other: what was scored, what charting's tables say, and what the EHR itself has."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from neopain.bootstrap.faults_bench.ward import ProofInfant
from neopain.bootstrap.fhir import search
from neopain.charting.ledger import ChartingLedger, LedgerEntry
from neopain.codecs.fhir.terminology import ENTRY_IDENTIFIERS
from neopain.domain.entry_status import EntryStatus


@dataclass(frozen=True, slots=True)
class Verdict:
    """Counts; all but ``in_ehr`` and ``rejected_in_ehr`` are 0 when all is well.

    ``unwritten``: scores without an entry; ``undelivered``: entries that are held, rejected or not confirmed.
    ``out_of_order``: entries that the EHR got before an older one of the same infant. ``changed_otherwise``: with
    another status than ours, or not by one change. ``not_audited``: rows that the trail lacks or has too many.
    """

    in_ehr: int
    rejected_in_ehr: int
    unwritten: int
    undelivered: int
    missing: int
    doubled: int
    strangers: int
    out_of_order: int
    changed_otherwise: int
    windows_not_summed_up: int
    not_audited: int

    @property
    def is_good(self) -> bool:
        """Whether every entry is in the EHR exactly once, in order, as the tables and the trail say."""
        faults = (
            self.unwritten,
            self.undelivered,
            self.missing,
            self.doubled,
            self.strangers,
            self.out_of_order,
            self.changed_otherwise,
            self.windows_not_summed_up,
            self.not_audited,
        )
        return not any(faults)


@dataclass(frozen=True, slots=True)
class Held:
    """An Observation of the EHR: ``created`` is when it got its first of so many versions."""

    entry: str
    status: str
    created: str
    versions: int


def judge(ehr_url: str, infants: Iterable[ProofInfant], ledger: ChartingLedger, *, scores: int) -> Verdict:
    """Asks the EHR for everything that it has of the infants. ``EhrUnavailable``."""
    held = {one.number: [_held(ehr_url, found) for found in one.observations(ehr_url)] for one in infants}
    everything = [one for of_infant in held.values() for one in of_infant]
    counted, ours = Counter(one.entry for one in everything), {one.id: one for one in ledger.entries}
    return Verdict(
        in_ehr=len(everything),
        rejected_in_ehr=sum(one.status == EntryStatus.ENTERED_IN_ERROR.value for one in everything),
        unwritten=abs(scores - len(ledger.entries)),
        undelivered=sum(set(one.deliveries) != {"confirmed"} for one in ledger.entries),
        missing=len(ours.keys() - counted.keys()),
        doubled=sum(count - 1 for count in counted.values()),
        strangers=len(counted.keys() - ours.keys()),
        out_of_order=sum(_out_of_order(ledger.entries, number, held[number]) for number in held),
        changed_otherwise=sum(not _is_as(ours[one.entry], one) for one in everything if one.entry in ours),
        windows_not_summed_up=abs(scores - ledger.windows_summed_up),
        not_audited=_not_audited(ledger),
    )


def _held(ehr_url: str, observation: dict[str, Any]) -> Held:
    identifiers = {one["system"]: one["value"] for one in observation["identifier"]}
    versions = [observation]
    if observation["status"] != EntryStatus.PRELIMINARY.value:
        versions = search(ehr_url, f"Observation/{observation['id']}/_history")
    created = min(one["meta"]["lastUpdated"] for one in versions)
    return Held(identifiers[ENTRY_IDENTIFIERS], observation["status"], created, len(versions))


def _out_of_order(entries: Iterable[LedgerEntry], number: str, held: list[Held]) -> int:
    created = {one.entry: one.created for one in held}
    in_order = [created[one.id] for one in entries if one.patient == number and one.id in created]
    return sum(later < earlier for earlier, later in itertools.pairwise(in_order))


def _is_as(ours: LedgerEntry, theirs: Held) -> bool:
    return (theirs.status, theirs.versions) == (ours.status, len(ours.deliveries))


def _not_audited(ledger: ChartingLedger) -> int:
    told = sum(len(one.deliveries) - 1 for one in ledger.entries)
    expected = {
        "entry_charted": len(ledger.entries),
        "entry_confirmed": len(ledger.entries),
        "entry_reviewed": told,
        "entry_status_changed": told,
        "status_confirmed": told,
    }
    return sum(abs(ledger.audited.get(event, 0) - count) for event, count in expected.items())
