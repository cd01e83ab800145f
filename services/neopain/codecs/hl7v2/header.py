"""MSH (v2.6 chapter 2.15.9): who sends what to whom, and how the sender wants to be answered."""

from __future__ import annotations

import re
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from neopain.codecs.hl7v2 import message as hl7
from neopain.codecs.hl7v2.message import LONGEST_KEPT, Delimiters, Message, part, repeated, text_of
from neopain.domain.vitals import Processing
from neopain.errors import MalformedMessage

PCD_01_OID = "1.3.6.1.4.1.19376.1.6.1.1.1"
"""Names IHE PCD-01 in MSH-21; the name beside it varies from sender to sender, the OID does not."""

_REPEATED = itemgetter(3, 4, 9, 11, 12, 15, 16, 21)
"""The fields of MSH that count here and that a sender repeats."""
_LENGTH = 22
_CACHED = 1024
"""Senders whose MSH is kept in its read form."""
_VERSION = re.compile(r"2(?:\.[0-9]){0,2}")


class Header(NamedTuple):
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
    def kind(self) -> str:
        """Message type and trigger in one word."""
        return f"{self.message_type}^{self.trigger}"

    @property
    def is_pcd_01(self) -> bool:
        """Whether the sender claims IHE PCD-01."""
        return PCD_01_OID in self.profile_oids


def read_header(message: Message) -> Header:
    """MSH, checked. Raises ``MalformedMessage``: 101 for a missing MSH-9 or MSH-10, 202 and 203 for a processing id or
    a version that is not HL7 v2's, 102 for bytes that its character set leaves open."""
    if message.fault:
        raise MalformedMessage("MSH-18", message.fault, code=hl7.DATA_TYPE_ERROR)
    msh = message.header
    same = _REPEATED(msh.padded(_LENGTH))
    find = _of_its_sender if sum(map(len, same)) <= LONGEST_KEPT else _of_its_sender.__wrapped__
    header = find(same, message.delimiters)._replace(control_id=msh.text(10), time_text=msh.text(7))
    if not header.message_type:
        raise MalformedMessage("MSH-9", "the message type is required", code=hl7.FIELD_MISSING)
    if not header.control_id:
        raise MalformedMessage("MSH-10", "the control id is required", code=hl7.FIELD_MISSING)
    if header.version and not _VERSION.fullmatch(header.version):
        raise MalformedMessage("MSH-12", "the version must be 2.x", code=hl7.UNSUPPORTED_VERSION)
    return header if header.trigger else header._replace(trigger=_trigger_of_old(message, header.message_type))


def _trigger_of_old(message: Message, message_type: str) -> str:
    """The trigger event where MSH-9 has none, as before v2.3: of ADT that of EVN-1, of ORU the only one there was."""
    if message_type == "ORU":
        return "R01"
    evn = message.first("EVN") if message_type == "ADT" else None
    trigger = evn.text(1).upper() if evn is not None else ""
    if message_type == "ADT" and not trigger:
        raise MalformedMessage("MSH-9.2", "the trigger event is required here or in EVN-1", code=hl7.FIELD_MISSING)
    return trigger


@lru_cache(maxsize=_CACHED)
def _of_its_sender(fields: tuple[str, ...], delimiters: Delimiters) -> Header:
    # What a sender repeats in every message; the control id and the time are left empty.
    application, facility, message_type, processing, version, accept, apply, profiles = fields

    def text(raw: str, component: int = 1) -> str:
        return text_of(raw, component, 1, delimiters)

    return Header(
        message_type=text(message_type).upper(),
        trigger=text(message_type, 2).upper(),
        control_id="",
        version=text(version),
        processing=_processing(text(processing)),
        sending_application=text(application),
        sending_facility=text(facility),
        time_text="",
        accept_acknowledgement=text(accept).upper(),
        application_acknowledgement=text(apply).upper(),
        profile_oids=tuple(part(one, 3, 1, delimiters) for one in repeated(profiles, delimiters)),
    )


def _processing(code: str) -> Processing:
    # Required by the standard, left out by some monitors: those are no test systems.
    try:
        return Processing(code.upper() or "P")
    except ValueError as error:
        raise MalformedMessage(
            "MSH-11", "the processing id must be P, D or T", code=hl7.UNSUPPORTED_PROCESSING
        ) from error
