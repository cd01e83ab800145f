"""A person puts dead letters through the HL7 door's own way in again: told before and after, harmless to repeat."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from neopain.bus.deadletters import tell_replay
from neopain.codecs.mllp import NO_END_BLOCK, TOO_LONG
from neopain.domain.deadletter import DeadLetter, Replay, ReplayOutcome
from neopain.errors import OutOfDate
from neopain.ingest.hl7.intake import Intake
from neopain.runtime.log import Log

LOG = Log(__name__)

WHY_NOT = {
    "ticks": "its window is over: a score made now would be of a window whose data are no longer kept",
    "scores": "charting takes scores within seconds: the stretch it belongs to is charted; see the entries of its bed",
    "census": "charting never puts a fact of the census aside; this one is for the developers to look at",
    "replays": "it is the record of a replay, for the audit trail; it is for the developers to look at",
    "disclosures": "it is the record of an answered query, for the audit trail; it is for the developers to look at",
    "dicom": "the object lies in the spool: move its file from aside/ into the spool to have it scored again",
    "device": "camera and device input is of its moment: nothing reads it later",
}
"""Why letters of other origins are not put in again."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who decided it, and why."""

    name: str
    reason: str


def why_not(letter: DeadLetter) -> str:
    """Why a letter cannot be put in again, whatever else is put right; empty when it can."""
    if letter.origin != "hl7":
        return WHY_NOT.get(letter.origin, f"{letter.origin} has no way in that takes it a second time")
    fault = letter.fault or (letter.reason if letter.reason in (NO_END_BLOCK, TOO_LONG) else "")
    return f"{fault}: these are not all of its bytes; have it sent again" if fault else ""


async def replay(intake: Intake, letter_id: str, letter: DeadLetter, person: Person) -> Replay:
    """Puts an HL7 message in again and returns what came of it; the letter stays where it lies.

    Raises ``BusUnavailable`` or ``ContractBroken`` when that is not known: call again.
    """
    begun = Replay(
        letter=letter_id,
        outcome=ReplayOutcome.BEGUN,
        by=person.name,
        reason=person.reason,
        moment=intake.clock.now(),
        source=letter.source,
        control_id=letter.control_id,
    )
    await tell_replay(intake.bus, begun)
    outcome, why = await _try_again(intake, letter_id, letter)
    await intake.receipts.write()
    ended = dataclasses.replace(begun, outcome=outcome, why=why, moment=intake.clock.now())
    await tell_replay(intake.bus, ended)
    LOG.info("letter_replayed", letter=letter_id, outcome=outcome.value, why=why or "-")
    return ended


async def _try_again(intake: Intake, letter_id: str, letter: DeadLetter) -> tuple[ReplayOutcome, str]:
    try:
        error = await intake.take_again(letter_id, letter)
    except OutOfDate as late:
        return ReplayOutcome.NOT_APPLIED, str(late)
    if error is not None:
        return ReplayOutcome.REJECTED, str(error)
    return ReplayOutcome.ACCEPTED, ""
