"""MSH (v2.6 chapter 2.15.9): who sends what to whom, and how the sender wants to be answered."""

from __future__ import annotations

import re
from dataclasses import dataclass

from neopain.codecs.hl7v2 import message as hl7
from neopain.codecs.hl7v2.message import Message
from neopain.domain.vitals import Processing
from neopain.errors import MalformedMessage

PCD_01_OID = "1.3.6.1.4.1.19376.1.6.1.1.1"
"""Names IHE PCD-01 in MSH-21; the name beside it varies from sender to sender, the OID does not."""

_VERSION = re.compile(r"2(?:\.[0-9]){0,2}")


@dataclass(frozen=True, slots=True)
class Header:
    """What MSH says. ``version`` is empty where the sender leaves it out; such a message is read like any 2.x."""

    message_type: str
    trigger: str
    control_id: str
    version: str
    processing: Processing
    sending_application: str
    sending_facility: str
    time_text: str
    accept_acknowledgement: str
    application_acknowledgement: str
    profile_oids: tuple[str, ...]

    @property
    def is_pcd_01(self) -> bool:
        """Whether the sender claims IHE PCD-01."""
        return PCD_01_OID in self.profile_oids


def read_header(message: Message) -> Header:
    """MSH, checked. Raises ``MalformedMessage``: 101 for a missing MSH-9 or MSH-10, 202 and 203 for a processing id or
    a version that is not HL7 v2's."""
    msh = message.header
    header = Header(
        message_type=msh.text(9, 1).upper(),
        trigger=msh.text(9, 2).upper(),
        control_id=msh.text(10),
        version=msh.text(12),
        processing=_processing(msh.text(11)),
        sending_application=msh.text(3),
        sending_facility=msh.text(4),
        time_text=msh.text(7),
        accept_acknowledgement=msh.text(15).upper(),
        application_acknowledgement=msh.text(16).upper(),
        profile_oids=tuple(hl7.part(one, 3, 1, message.delimiters) for one in msh.repetitions(21)),
    )
    if not header.message_type:
        raise MalformedMessage("MSH-9", "the message type is required", code=hl7.FIELD_MISSING)
    if not header.control_id:
        raise MalformedMessage("MSH-10", "the control id is required", code=hl7.FIELD_MISSING)
    if header.version and not _VERSION.fullmatch(header.version):
        raise MalformedMessage("MSH-12", "the version must be 2.x", code=hl7.UNSUPPORTED_VERSION)
    return header


def _processing(code: str) -> Processing:
    # Required by the standard, left out by some monitors: those are no test systems.
    try:
        return Processing(code.upper() or "P")
    except ValueError as error:
        raise MalformedMessage(
            "MSH-11", "the processing id must be P, D or T", code=hl7.UNSUPPORTED_PROCESSING
        ) from error
