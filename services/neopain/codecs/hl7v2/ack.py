"""The answer to a message: MSH, MSA and ERR (v2.6 chapters 2.9, 2.15.8, 2.15.5).

One answer for one message. MSH-15 and MSH-16 both empty ask in original mode (AA, AE, AR). Otherwise in enhanced
mode: an accept acknowledgement (CA, CE, CR) if MSH-15 wants one for this outcome, else an application acknowledgement
if MSH-16 does, else none. Who asks for both gets the accept acknowledgement: it says "committed to safe storage", which
is what a monitor may act upon, and a second answer on one connection would be taken for that to the next message.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from neopain.codecs.hl7v2.message import LONGEST_KEPT, Delimiters, Message, escape, text_of
from neopain.codecs.hl7v2.time import write_moment
from neopain.errors import MalformedMessage


class Outcome(Enum):
    """What became of a message; the value is the second letter of MSA-1."""

    ACCEPTED = "A"
    IN_ERROR = "E"
    REJECTED = "R"


# Table 0357. Errors in MSH and in the framing are rejections (table 0008), all others are errors of content.
ERROR_TEXTS = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "207": "Application internal error",
}
REJECTING = frozenset({"200", "201", "202", "203"})

# MSH-15 and MSH-16 (table 0155): the outcomes that are answered.
WANTED = {
    "AL": frozenset(Outcome),
    "NE": frozenset[Outcome](),
    "": frozenset[Outcome](),
    "ER": frozenset({Outcome.IN_ERROR, Outcome.REJECTED}),
    "SU": frozenset({Outcome.ACCEPTED}),
}

OUR_NAME = "NEOPAIN"
_WITHOUT_MSA_TEXT = re.compile(r"2\.(?:[7-9]|[1-9][0-9])(?![0-9])")
"""Versions that have no MSA-3 any more: from 2.7 on. The rule stands in ERR-8, in earlier ones too."""
_IN_A_TIME = frozenset("+-.")
"""Signs of a time that a sender may have taken as its delimiters."""
_REPEATED = itemgetter(3, 4, 5, 6, 9, 11, 12, 15, 16, 18, 20)
"""The fields of MSH that are echoed and that a sender repeats."""
_LENGTH = 21
_CACHED = 1024
"""Senders whose address is kept in its read form."""
_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[([0-9]+)\])?(?:-([0-9]+)(?:\.([0-9]+))?)?")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an answer needs and a pure codec cannot make: its own control id, and the time."""

    control_id: str
    sent: datetime


class Addressing(NamedTuple):
    """What is echoed of the message that is answered, in its own delimiters, as sent."""

    delimiters: Delimiters = Delimiters()
    sender: tuple[str, str] = ("", "")
    receiver: tuple[str, str] = ("", "")
    trigger: str = ""
    control_id: str = ""
    processing: str = "P"
    version: str = "2.6"
    charset: str = ""
    charset_handling: str = ""
    codec: str = "utf-8"
    wants: tuple[str, str] = ("", "")


def address(message: Message) -> Addressing:
    """How to answer that message; nothing is checked."""
    msh = message.header
    same = _REPEATED(msh.padded(_LENGTH))
    find = _of_its_sender if sum(map(len, same)) <= LONGEST_KEPT else _of_its_sender.__wrapped__
    return find(same, message.delimiters, message.codec)._replace(control_id=one_line(msh.raw(10)))


def outcome_of(error: MalformedMessage) -> Outcome:
    """Whether the error rejects the message or finds fault with its content."""
    is_header = error.location.startswith("MSH") or error.code in REJECTING
    return Outcome.REJECTED if is_header else Outcome.IN_ERROR


def acknowledgement_code(wants: tuple[str, str], outcome: Outcome) -> str:
    """MSA-1 (table 0008) for the MSH-15 and MSH-16 given; empty when no answer is wanted."""
    accept, application = wants
    if not accept and not application:
        return f"A{outcome.value}"
    if outcome in WANTED.get(accept, WANTED["AL"]):
        return f"C{outcome.value}"
    if outcome in WANTED.get(application, WANTED["AL"]):
        return f"A{outcome.value}"
    return ""


def write_ack(to: Addressing, outcome: Outcome, stamp: Stamp, error: MalformedMessage | None = None) -> bytes:
    """The answer, without its MLLP envelope; empty when the sender wants none."""
    code = acknowledgement_code(to.wants, outcome)
    if not code:
        return b""
    text = str(error) if error is not None and not _WITHOUT_MSA_TEXT.match(to.version) else ""
    lines = [msh_line(to, stamp), msa_line(to, code, text)]
    if error is not None:
        lines.append(err_line(to.delimiters, error))
    return "".join(f"{line}\r" for line in lines).encode(to.codec, errors="replace")


class Acceptance(NamedTuple):
    """The answer to each message that a sender's is like, if it is accepted: MSA-1, and what stands around the two
    control ids and the time. ``code`` is empty when the sender wants none."""

    code: str
    before_time: str = ""
    before_id: str = ""
    before_control_id: str = ""
    codec: str = "utf-8"

    def write(self, control_id: str, stamp: Stamp) -> bytes:
        """What ``write_ack`` says to a message of this control id, which needs no escape."""
        if not self.code:
            return b""
        parts = (
            *(self.before_time, write_moment(stamp.sent), self.before_id, stamp.control_id),
            *(self.before_control_id, control_id, "\r"),
        )
        return "".join(parts).encode(self.codec, errors="replace")


def acceptance(to: Addressing) -> Acceptance:
    """How to accept the messages of a sender that are to be answered so; their delimiters are HL7's own."""
    code = acknowledgement_code(to.wants, Outcome.ACCEPTED)
    if not code:
        return Acceptance("")
    before_time, before_id, rest = _msh_parts.__wrapped__(to._replace(control_id=""), ())
    field = to.delimiters.field
    return Acceptance(code, before_time, before_id, f"{rest}\rMSA{field}{code}{field}", to.codec)


@lru_cache(maxsize=_CACHED)
def _of_its_sender(fields: tuple[str, ...], delimiters: Delimiters, codec: str) -> Addressing:
    # What a sender repeats in every message; the control id is left empty.
    application, facility, to_application, to_facility, message_type, *more = fields
    processing, version, accept, apply, charset, handling = more

    def text(raw: str, component: int = 1) -> str:
        return text_of(raw, component, 1, delimiters)

    return Addressing(
        delimiters=delimiters,
        sender=(one_line(application), one_line(facility)),
        receiver=(one_line(to_application), one_line(to_facility)),
        trigger=one_line(text(message_type, 2)),
        processing=one_line(processing) or "P",
        version=one_line(text(version)) or "2.6",
        charset=one_line(charset),
        charset_handling=one_line(handling),
        codec=codec,
        wants=(text(accept).upper(), text(apply).upper()),
    )


def one_line(raw: str) -> str:
    """A field to be echoed, without line breaks and control signs, which would break the answer's own segments."""
    return raw if raw.isprintable() else "".join(one if one.isprintable() else " " for one in raw).strip()


def msh_line(to: Addressing, stamp: Stamp, *, answers_with: Sequence[str] = ()) -> str:
    """MSH of an answer; ``answers_with`` are the components of MSH-9, those of an acknowledgement if empty."""
    kind = to._replace(control_id="")
    echoed = (*to.sender, *to.receiver, to.trigger, to.processing, to.version, to.charset, to.charset_handling)
    find = _msh_parts if sum(map(len, echoed)) <= LONGEST_KEPT else _msh_parts.__wrapped__
    before_time, before_id, rest = find(kind, tuple(answers_with))
    sent = write_moment(stamp.sent)
    if not _IN_A_TIME.isdisjoint(to.delimiters):
        sent = escape(sent, to.delimiters)
    return f"{before_time}{sent}{before_id}{stamp.control_id}{rest}"


@lru_cache(maxsize=_CACHED)
def _msh_parts(to: Addressing, answers_with: tuple[str, ...]) -> tuple[str, str, str]:
    """What an answer's MSH holds before MSH-7, from there to MSH-10, and after it."""
    signs = to.delimiters
    written = signs.component + signs.repetition + signs.escape + signs.subcomponent
    our_application = to.receiver[0] or OUR_NAME
    message_type = signs.component.join(answers_with or (("ACK", to.trigger, "ACK") if to.trigger else ("ACK",)))
    before = ("MSH", written, our_application, to.receiver[1], *to.sender)
    after = (to.processing, to.version, "", "", *_unasked(to), "", to.charset, "", to.charset_handling)
    rest = signs.field.join(("", *after)).rstrip(signs.field)
    return signs.field.join((*before, "")), signs.field.join(("", "", message_type, "")), rest


def _unasked(to: Addressing) -> tuple[str, str]:
    # In enhanced mode our answer is a message too: it asks for no answer of its own.
    return ("NE", "NE") if any(to.wants) else ("", "")


def msa_line(to: Addressing, code: str, text: str = "") -> str:
    """MSA with a text for a person in its third field."""
    fields = ("MSA", code, to.control_id, escape(text, to.delimiters) if text else "")
    return to.delimiters.field.join(fields).rstrip(to.delimiters.field)


def err_line(signs: Delimiters, error: MalformedMessage) -> str:
    """ERR of v2.5 and later: place, code and rule."""
    found = _PLACE.fullmatch(error.location)
    segment, sequence, position, component = found.groups(default="") if found else (error.location, "", "", "")
    place = (segment, sequence or "1", position, "1" if component else "", component)
    where = signs.component.join(escape(one, signs) for one in place).rstrip(signs.component)
    what = signs.component.join((error.code, ERROR_TEXTS.get(error.code, ERROR_TEXTS["207"]), "HL70357"))
    return signs.field.join(("ERR", "", where, what, "E", "", "", "", escape(error.rule, signs)))
