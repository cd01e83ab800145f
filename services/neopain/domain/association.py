"""Devices that are associated with an infant at a bed (IHE PCIM), and the end of it, as facts of that bed.

An association places nobody: that is ADT's. It stays with its bed until it ends, and whoever ADT puts there meanwhile
must be the infant that the device was associated with; else the bed is held. A device is at one bed: what it says now
takes the place of what it said before.
"""

from __future__ import annotations

from dataclasses import replace

from neopain.domain.bedside import judged, with_dispute
from neopain.domain.census import (
    ASSOCIATED_ELSEWHERE,
    BedState,
    Census,
    CensusEvent,
    DeviceAssociation,
    Dispute,
)
from neopain.domain.identity import BedId, PatientId

MOST_ASSOCIATIONS = 32
"""How many devices a bed remembers, the latest."""


def associate(census: Census, event: CensusEvent) -> list[BedState]:
    """The device with the infant at the event's bed and nowhere else; where ADT has it in another bed, that is held."""
    if event.bed is None:
        return []
    patient = event.infant.identifiers[0]
    after = census | _without(census, event.device)
    after[event.bed] = _with(after.get(event.bed) or BedState(event.bed, event.occurred), event, patient)
    for state in [*after.values()]:
        if state.bed != event.bed and any(one.has_any(event.infant.identifiers) for one in state.occupants):
            after[state.bed] = with_dispute(state, Dispute(event.device, ASSOCIATED_ELSEWHERE, patient, event.bed))
    return [state for bed, state in after.items() if state != census.get(bed)]


def dissociate(census: Census, event: CensusEvent) -> list[BedState]:
    """The device no longer with the infant; one that is with another infant by now stays there."""
    found = [one for state in census.values() for one in state.associations if one.device == event.device]
    if found and not any(event.infant.is_same_as(one.patient) for one in found):
        return []
    return list(_without(census, event.device).values())


def _with(state: BedState, event: CensusEvent, patient: PatientId) -> BedState:
    known = DeviceAssociation(event.device, patient, event.occurred)
    return judged(replace(state, associations=(*state.associations, known)[-MOST_ASSOCIATIONS:]))


def _without(census: Census, device: str) -> dict[BedId, BedState]:
    """The beds that the device says anything of, without that."""
    cleared = {}
    for bed, state in census.items():
        associations = tuple(one for one in state.associations if one.device != device)
        disputes = tuple(one for one in state.disputes if one.source != device)
        if (associations, disputes) != (state.associations, state.disputes):
            cleared[bed] = judged(replace(state, associations=associations, disputes=disputes))
    return cleared
