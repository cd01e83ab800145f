"""ADT (HL7 v2.6 chapter 3): patient administration -> what happened to who lies where.

Read with the same lean parser as vitals, not with hl7apy: on the messages it was tried with, hl7apy refused five
encoding characters (legal since v2.7) and line feeds, took 7 to 100 ms of the event loop for one message, and would
have been a second reading of delimiters and character sets. The tests compare this reading with hl7apy's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import Enum

from neopain.codecs.hl7v2.gestation import read_gestational_age
from neopain.codecs.hl7v2.header import Header
from neopain.codecs.hl7v2.identity import names_a_bed, read_bed, read_patients
from neopain.codecs.hl7v2.message import FIELD_MISSING, SEGMENT_SEQUENCE_ERROR, Message, Segment
from neopain.codecs.hl7v2.time import Precision, offset_zone, read_moment
from neopain.domain.census import CensusEvent, CensusEventKind, Infant
from neopain.domain.identity import BedId
from neopain.errors import MalformedMessage


class Effect(Enum):
    """What a trigger event does to the census here."""

    APPLIED = "applied"
    NONE = "none"
    """It does not say who lies where: acknowledged and counted."""
    NOT_YET = "not yet"
    """It does, and nothing here applies it yet: acknowledged, counted, told in the log as a warning; a bed that it
    contradicts is held."""


APPLIED = {
    "A01": CensusEventKind.ADMITTED,
    "A02": CensusEventKind.TRANSFERRED,
    "A03": CensusEventKind.DISCHARGED,
    "A08": CensusEventKind.UPDATED,
}

NOT_YET = {
    **dict.fromkeys(("A04", "A06", "A07"), "registration, change of class"),
    **dict.fromkeys(("A09", "A10", "A32", "A33"), "patient tracking"),
    **dict.fromkeys(("A11", "A12", "A13", "A52", "A53"), "cancellation"),
    **dict.fromkeys(("A17",), "swap of two beds"),
    **dict.fromkeys(("A18", "A30", "A34", "A35", "A36", "A39", "A40", "A41", "A42"), "merge"),
    **dict.fromkeys(("A37", "A43", "A45", "A44"), "unlink, move"),
    **dict.fromkeys(("A46", "A47", "A48", "A49", "A50", "A51"), "change of an identifier"),
    **dict.fromkeys(("A21", "A22"), "leave of absence"),
}
"""Triggers that do say who lies where, or who is who; every other one (A05, A28, A31, A60...) does not."""

MOVES = frozenset({"A06", "A07", "A10", "A11", "A12", "A13", "A17", "A32", "A33"})
"""Those of them whose PV1-3 says where the infant is from now on, whether or not the census follows."""
CANCELLED = frozenset({"A11"})
"""Its PV1-3 is the bed that the infant is not in after all."""
LEAVES_BED = frozenset({"A11", "A12"})
"""Without a bed in PV1-3 the infant is in none; the others say nothing then."""


@dataclass(frozen=True, slots=True)
class AdtReport:
    """An ADT message, read. ``event`` is None for a trigger that is not applied; ``doubts`` is then what it says of the
    place of each infant in it, so that a bed can be held that it contradicts."""

    effect: Effect
    event: CensusEvent | None = None
    doubts: tuple[CensusEvent, ...] = ()


def effect_of(trigger: str) -> Effect:
    """What a trigger event does; one that no table knows does nothing and is acknowledged."""
    if trigger in APPLIED:
        return Effect.APPLIED
    return Effect.NOT_YET if trigger in NOT_YET else Effect.NONE


def read_adt(
    message: Message, header: Header, *, site_zone: tzinfo, received: datetime, default_facility: str = ""
) -> AdtReport:
    """The census event of an ADT message; the trigger is MSH-9.2, which EVN-1 often contradicts.

    An event from the future is taken as having happened when it was received. Raises ``MalformedMessage`` where PID-3
    names nobody, an A01 or A02 has no PV1-3, or what identifies cannot be read.
    """
    effect = effect_of(header.trigger)
    if effect is not Effect.APPLIED:
        doubts = _doubts(message, header, received, default_facility) if header.trigger in MOVES else ()
        return AdtReport(effect, doubts=doubts)
    kind = APPLIED[header.trigger]
    pid, pv1 = _required(message, "PID"), message.first("PV1")
    zone = offset_zone(header.time_text) or site_zone
    occurred = min(_occurred(message, zone) or received, received)
    event = CensusEvent(
        kind=kind,
        infant=_infant(message, pid, pv1, zone, occurred),
        occurred=occurred,
        bed=_bed(pv1, 3, default_facility),
        prior_bed=_bed(pv1, 6, default_facility),
        has_left=pv1 is not None and _moment(pv1, 45, zone) is not None,
        control_id=header.control_id,
        processing=header.processing,
    )
    if kind in (CensusEventKind.ADMITTED, CensusEventKind.TRANSFERRED) and not _has_location(pv1):
        raise MalformedMessage("PV1-3", f"the location is required in {header.trigger}", code=FIELD_MISSING)
    return AdtReport(effect, event)


def _doubts(message: Message, header: Header, received: datetime, facility: str) -> tuple[CensusEvent, ...]:
    """Where each infant is, by PID and PV1 in turn: an A17 holds two of both."""
    doubts = []
    for pid, pv1 in zip(message.all("PID"), message.all("PV1"), strict=False):
        identifiers = read_patients(pid, 3)
        bed = None if header.trigger in CANCELLED else _bed(pv1, 3, facility)
        if identifiers and (bed is not None or header.trigger in LEAVES_BED):
            doubts.append(
                CensusEvent(
                    kind=CensusEventKind.ELSEWHERE,
                    infant=Infant(identifiers),
                    occurred=received,
                    bed=bed,
                    control_id=header.control_id,
                    processing=header.processing,
                )
            )
    return tuple(doubts)


def _infant(message: Message, pid: Segment, pv1: Segment | None, zone: tzinfo, occurred: datetime) -> Infant:
    identifiers = read_patients(pid, 3)
    if not identifiers:
        raise MalformedMessage("PID-3", "an identifier of the patient is required", code=FIELD_MISSING)
    born = _moment(pid, 7, zone)
    return Infant(
        identifiers=identifiers,
        visit=pv1.text(19) if pv1 else "",
        gestational_age_days=read_gestational_age(message.all("OBX"), born=born, occurred=occurred),
        born=born,
        sex=pid.text(8)[:1].upper(),
    )


def _bed(pv1: Segment | None, field: int, default_facility: str) -> BedId | None:
    # A unit alone is where an infant waits for a bed, or a theatre: no bed that vitals could come from.
    if pv1 is None or not names_a_bed(pv1, field):
        return None
    return read_bed(pv1, field, default_facility=default_facility)


def _has_location(pv1: Segment | None) -> bool:
    return pv1 is not None and read_bed(pv1, 3) is not None


def _occurred(message: Message, zone: tzinfo) -> datetime | None:
    evn = message.first("EVN")
    written = [(evn, 6), (evn, 2), (message.header, 7)] if evn else [(message.header, 7)]
    return next((moment for segment, field in written if (moment := _moment(segment, field, zone)) is not None), None)


def _moment(segment: Segment, field: int, zone: tzinfo) -> datetime | None:
    try:
        moment = read_moment(segment.text(field), zone=zone, location=segment.place(field))
    except MalformedMessage:
        return None
    return moment.utc if moment.precision >= Precision.DAY else None


def _required(message: Message, name: str) -> Segment:
    segment = message.first(name)
    if segment is None:
        raise MalformedMessage(name, "the segment is required", code=SEGMENT_SEQUENCE_ERROR)
    return segment
