"""ADT (HL7 v2.6 chapter 3): patient administration -> what happened to who lies where, and to who is who.

Read with the same lean parser as vitals, not with hl7apy: on the messages it was tried with, hl7apy refused five
encoding characters (legal since v2.7) and line feeds, took 7 to 100 ms of the event loop for one message, and would
have been a second reading of delimiters and character sets. The tests compare this reading with hl7apy's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from enum import Enum

from neopain.codecs.hl7v2.gestation import read_gestational_age
from neopain.codecs.hl7v2.header import Header
from neopain.codecs.hl7v2.identity import NULL, names_a_bed, read_bed, read_own_identifiers, read_patients
from neopain.codecs.hl7v2.message import FIELD_MISSING, SEGMENT_SEQUENCE_ERROR, Message, Segment
from neopain.codecs.hl7v2.time import Precision, offset_zone, told_moment
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
    "A04": CensusEventKind.REGISTERED,
    "A08": CensusEventKind.UPDATED,
    "A11": CensusEventKind.ADMISSION_CANCELLED,
    "A12": CensusEventKind.TRANSFER_CANCELLED,
    "A13": CensusEventKind.DISCHARGE_CANCELLED,
    "A28": CensusEventKind.PERSON_UPDATED,
    "A31": CensusEventKind.PERSON_UPDATED,
}
"""Events of one infant in one place."""

REIDENTIFIES = {
    # A18, A34, A36 and A39 are what A40 was called until v2.3.1, and are kept for backward compatibility (v2.6 3.3.18).
    **dict.fromkeys(("A18", "A34", "A36", "A39", "A40"), CensusEventKind.MERGED),
    "A45": CensusEventKind.VISIT_MOVED,
    "A47": CensusEventKind.RENUMBERED,
}
"""Events that change who is who, by pairs of PID and MRG."""

NOT_YET = {
    **dict.fromkeys(("A06", "A07"), "change of class"),
    **dict.fromkeys(("A09", "A10", "A32", "A33"), "patient tracking"),
    **dict.fromkeys(("A52", "A53"), "cancellation"),
    **dict.fromkeys(("A17",), "swap of two beds"),
    **dict.fromkeys(("A30", "A35", "A41", "A42"), "merge"),
    **dict.fromkeys(("A37", "A43", "A44"), "unlink, move"),
    **dict.fromkeys(("A46", "A48", "A49", "A50", "A51"), "change of an identifier"),
    **dict.fromkeys(("A21", "A22"), "leave of absence"),
    **dict.fromkeys(("A23", "A29"), "deletion"),
}
"""Triggers that do say who lies where, or who is who; every other one (A05, A38, A60...) does not."""

MOVES = frozenset({"A06", "A07", "A10", "A17", "A32", "A33"})
"""Those of them whose PV1-3 says where the infant is from now on, whether or not the census follows."""
CONFUSES = frozenset({"A23", "A29", "A30", "A37", "A43", "A44"})
"""Those of them after which an infant may be another than it was, or none at all."""
PERSON_ONLY = frozenset({CensusEventKind.PERSON_UPDATED, CensusEventKind.MERGED, CensusEventKind.RENUMBERED})
"""PV1 of these is of no visit (a pseudo visit, v2.6 3.3.28), or of any."""
NEEDS_PLACE = frozenset({"A01", "A02"})


@dataclass(frozen=True, slots=True)
class AdtReport:
    """An ADT message, read: several events where it is of several infants. Those of a trigger that is not applied say
    what it means for each infant, so that a bed can be held that it contradicts."""

    effect: Effect
    events: tuple[CensusEvent, ...] = ()


def effect_of(trigger: str) -> Effect:
    """What a trigger event does; one that no table knows does nothing and is acknowledged."""
    if trigger in APPLIED or trigger in REIDENTIFIES:
        return Effect.APPLIED
    return Effect.NOT_YET if trigger in NOT_YET else Effect.NONE


def read_adt(
    message: Message, header: Header, *, site_zone: tzinfo, received: datetime, default_facility: str = ""
) -> AdtReport:
    """The census events of an ADT message; the trigger is MSH-9.2, which EVN-1 often contradicts.

    An event from the future is taken as having happened when it was received. Raises ``MalformedMessage`` where PID-3
    names nobody or only the mother of PID-21, MRG-1 names nobody, an A01 or A02 has no PV1-3, or what identifies cannot
    be read.
    """
    zone = offset_zone(header.time_text) or site_zone
    told = _Told(
        header=header,
        zone=zone,
        received=received,
        occurred=min(_occurred(message, zone) or received, received),
        facility=default_facility,
    )
    if header.trigger in APPLIED:
        return AdtReport(Effect.APPLIED, (_placing(message, told),))
    if header.trigger in REIDENTIFIES:
        return AdtReport(Effect.APPLIED, _reidentifying(message, told))
    return AdtReport(effect_of(header.trigger), _doubts(message, told))


@dataclass(frozen=True, slots=True)
class _Told:
    """What every event of a message shares."""

    header: Header
    zone: tzinfo
    received: datetime
    occurred: datetime
    facility: str

    def event(self, kind: CensusEventKind, infant: Infant) -> CensusEvent:
        return CensusEvent(
            kind=kind,
            infant=infant,
            occurred=self.occurred,
            control_id=self.header.control_id,
            processing=self.header.processing,
            told=self.received,
        )


def _placing(message: Message, told: _Told) -> CensusEvent:
    pid, pv1 = _required(message, "PID"), message.first("PV1")
    trigger = told.header.trigger
    kind = APPLIED[trigger]
    infant = _infant(message, pid, pv1, told)
    if trigger in NEEDS_PLACE and not _has_location(pv1):
        raise MalformedMessage("PV1-3", f"the location is required in {trigger}", code=FIELD_MISSING)
    if kind is CensusEventKind.TRANSFER_CANCELLED and not _has_location(pv1):
        kind = CensusEventKind.ELSEWHERE  # it is not in this bed, and nothing says in which
    event = told.event(kind, infant)
    if kind in PERSON_ONLY:
        return event
    return replace(
        event,
        bed=_bed(pv1, 3, told.facility),
        prior_bed=_bed(pv1, 6, told.facility),
        has_left=pv1 is not None and _moment(pv1, 45, told.zone) is not None,
    )


def _reidentifying(message: Message, told: _Told) -> tuple[CensusEvent, ...]:
    """One event for each MRG: of the PID before it, and the PV1 that follows it."""
    kind = REIDENTIFIES[told.header.trigger]
    events: list[CensusEvent] = []
    pid = _required(message, "PID")
    _required(message, "MRG")
    for place, segment in enumerate(message.segments):
        if segment.name == "PID":
            pid = segment
        if segment.name == "MRG":
            prior = read_patients(segment, 1)
            if not prior:
                raise MalformedMessage(segment.place(1), "the prior identifier is required", code=FIELD_MISSING)
            infant = _infant(message, pid, _visit_of(message, place), told)
            events.append(replace(told.event(kind, infant), prior=prior, prior_visit=_said(segment, 5)))
    return tuple(events)


def _visit_of(message: Message, place: int) -> Segment | None:
    """The PV1 of the pair whose MRG lies at that place."""
    for segment in message.segments[place + 1 :]:
        if segment.name in ("PID", "MRG"):
            return None
        if segment.name == "PV1":
            return segment
    return None


def _doubts(message: Message, told: _Told) -> tuple[CensusEvent, ...]:
    """What a trigger that is not applied means for each of its infants."""
    trigger = told.header.trigger
    if trigger in CONFUSES:
        named = [read_patients(pid, 3) for pid in message.all("PID")]
        named += [read_patients(mrg, 1) for mrg in message.all("MRG")]
        pv1 = message.first("PV1") if trigger == "A23" else None
        visit = _said(pv1, 19)
        return tuple(told.event(CensusEventKind.IN_DOUBT, Infant(one, visit)) for one in named if one)
    if trigger not in MOVES:
        return ()
    # An A17 holds two of both.
    places = [
        (read_patients(pid, 3), _bed(pv1, 3, told.facility))
        for pid, pv1 in zip(message.all("PID"), message.all("PV1"), strict=False)
    ]
    return tuple(
        replace(told.event(CensusEventKind.ELSEWHERE, Infant(identifiers)), bed=bed)
        for identifiers, bed in places
        if identifiers and bed is not None
    )


def _infant(message: Message, pid: Segment, pv1: Segment | None, told: _Told) -> Infant:
    born = _moment(pid, 7, told.zone)
    kind = (APPLIED | REIDENTIFIES)[told.header.trigger]
    return Infant(
        identifiers=read_own_identifiers(pid),
        visit=_said(pv1, 19) if kind not in PERSON_ONLY else "",
        gestational_age_days=read_gestational_age(message.all("OBX"), born=born, occurred=told.occurred),
        born=born,
        sex=_said(pid, 8)[:1].upper(),
    )


def _said(segment: Segment | None, field: int) -> str:
    """The field's text; an explicit null says that there is none (v2.6 chapter 2.5.3)."""
    text = segment.text(field) if segment is not None else ""
    return "" if text == NULL else text


def _bed(pv1: Segment | None, field: int, default_facility: str) -> BedId | None:
    # A unit alone is where an infant waits for a bed, or a theatre: no bed that vitals could come from.
    if pv1 is None or not names_a_bed(pv1, field):
        return None
    return read_bed(pv1, field, default_facility=default_facility)


def _has_location(pv1: Segment | None) -> bool:
    return pv1 is not None and read_bed(pv1, 3) is not None


def _occurred(message: Message, zone: tzinfo) -> datetime | None:
    # A day alone would be its midnight: what was charted since then would be taken for another infant's.
    evn, exact = message.first("EVN"), Precision.MINUTE
    written = [(evn, 6), (evn, 2), (message.header, 7)] if evn else [(message.header, 7)]
    return next((moment for one, field in written if (moment := _moment(one, field, zone, exact)) is not None), None)


def _moment(segment: Segment, field: int, zone: tzinfo, least: Precision = Precision.DAY) -> datetime | None:
    moment = told_moment(segment.text(field), zone=zone)
    return moment.utc if moment is not None and moment.precision >= least else None


def _required(message: Message, name: str) -> Segment:
    segment = message.first(name)
    if segment is None:
        raise MalformedMessage(name, "the segment is required", code=SEGMENT_SEQUENCE_ERROR)
    return segment
