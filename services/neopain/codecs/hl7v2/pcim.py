"""Device-patient associations: DEV-51 and DEV-52 of IHE Point-of-Care Identity Management (2.4, appendix A.1).

An ORU^R01 of one patient and one device. What is asserted and still awaits a person's validation changes nothing here.
"""

from __future__ import annotations

from datetime import datetime, tzinfo

from neopain.codecs.hl7v2.header import Header
from neopain.codecs.hl7v2.identity import names_a_bed, read_bed, read_own_identifiers, readable
from neopain.codecs.hl7v2.message import FIELD_MISSING, SEGMENT_SEQUENCE_ERROR, VALUE_NOT_FOUND, Message, Segment
from neopain.codecs.hl7v2.time import Precision, offset_zone, told_moment
from neopain.domain.census import CensusEvent, CensusEventKind, Infant
from neopain.domain.identity import BedId
from neopain.errors import MalformedMessage

PROFILES = frozenset(f"1.3.6.1.4.1.19376.1.6.{arc}.{number}.1" for arc in (1, 4) for number in (51, 52))
"""MSH-21; the supplement itself writes the arc as 1 and as 4."""
ASSOCIATION = "69136"
"""OBR-4, MDC_OBS_ASSOCIATION_PATIENT_DEVICE."""
EVENT = "68487"
"""OBX-3, MDC_ATTR_EVT_COND."""
BEGINS, ENDS = CensusEventKind.ASSOCIATED, CensusEventKind.DISSOCIATED
KINDS = {"198332": BEGINS, "198334": ENDS}
"""OBX-5."""
OPPOSITE = {BEGINS: ENDS, ENDS: BEGINS}
ASSERTED, WITHDRAWN = frozenset({"F", "C"}), frozenset({"W", "D"})
"""OBX-11: validated or corrected; posted as wrong or deleted. R awaits validation."""
AWAITS = "R"
DEVICE = "EQUIP"
"""PRT-4 (table 0912): the device that the association is of."""
_LONGEST_DEVICE = 128


def is_association(message: Message, header: Header) -> bool:
    """Whether an ORU^R01 is of an association, by its profile, or by OBR-4 where the sender names none."""
    if not PROFILES.isdisjoint(header.profile_oids):
        return True
    order = message.first("OBR") if ASSOCIATION in message.text else None
    return order is not None and order.raw(4).startswith(ASSOCIATION) and order.text(4) == ASSOCIATION


def read_association(
    message: Message, header: Header, *, site_zone: tzinfo, received: datetime, default_facility: str = ""
) -> CensusEvent | None:
    """The association or its end; None for one that awaits validation or that names no bed to compare it with.

    Raises ``MalformedMessage``: 100 and 101 for what is missing, 103 for what is no association, and where the place of
    the device and that of the patient are two beds.
    """
    pid, observed = _required(message, "PID"), _observed(message)
    kind = _kind(observed)
    infant = Infant(read_own_identifiers(pid))
    subject = _subject(message)
    device, bed = _device(subject, observed), _bed(message.first("PV1"), subject, default_facility)
    if kind is None or bed is None:
        return None
    return CensusEvent(
        kind=kind,
        infant=infant,
        occurred=min(_occurred(message, header, site_zone) or received, received),
        bed=bed,
        control_id=header.control_id,
        processing=header.processing,
        told=received,
        device=device,
    )


def _observed(message: Message) -> Segment:
    found = next((one for one in message.all("OBX") if one.text(3) == EVENT), None)
    if found is None:
        raise MalformedMessage("OBX", f"one with OBX-3 {EVENT} is required", code=SEGMENT_SEQUENCE_ERROR)
    return found


def _kind(observed: Segment) -> CensusEventKind | None:
    kind, status = KINDS.get(observed.text(5)), observed.text(11).upper()
    if kind is None:
        raise MalformedMessage(observed.place(5), f"must be one of {', '.join(KINDS)}", code=VALUE_NOT_FOUND)
    if status in ASSERTED:
        return kind
    if status in WITHDRAWN:
        return OPPOSITE[kind]
    if status != AWAITS:
        raise MalformedMessage(observed.place(11), "must be F, C, W, D or R", code=VALUE_NOT_FOUND)
    return None


def _subject(message: Message) -> Segment | None:
    return next((one for one in message.all("PRT") if one.text(4).upper() == DEVICE), None)


def _device(subject: Segment | None, observed: Segment) -> str:
    """PRT-10, else OBX-18 as before v2.7: the identifier, and who assigned it."""
    for segment, field in ((subject, 10), (observed, 18)):
        if segment is not None and (number := segment.text(field)):
            authority = segment.text(field, 3) or segment.text(field, 2)
            name = f"{number}|{authority}" if authority else number
            return f"device:{readable(name, segment.place(field))}"[:_LONGEST_DEVICE]
    raise MalformedMessage("PRT-10", "the device of the association is required", code=FIELD_MISSING)


def _bed(pv1: Segment | None, subject: Segment | None, default_facility: str) -> BedId | None:
    named = [
        read_bed(segment, field, default_facility=default_facility)
        for segment, field in ((subject, 9), (pv1, 3))
        if segment is not None and names_a_bed(segment, field)
    ]
    if len(set(named)) > 1:
        raise MalformedMessage("PRT-9", "must be the bed of PV1-3 where both name one", code=VALUE_NOT_FOUND)
    return named[0] if named else None


def _occurred(message: Message, header: Header, site_zone: tzinfo) -> datetime | None:
    order, zone = message.first("OBR"), offset_zone(header.time_text) or site_zone
    for text in (order.text(7) if order is not None else "", header.time_text):
        moment = told_moment(text, zone=zone)
        if moment is not None and moment.precision >= Precision.MINUTE:
            return moment.utc
    return None


def _required(message: Message, name: str) -> Segment:
    segment = message.first(name)
    if segment is None:
        raise MalformedMessage(name, "the segment is required", code=SEGMENT_SEQUENCE_ERROR)
    return segment
