"""A charted entry as an unsolicited observation for a flowsheet interface: ORU^R01^ORU_R01 (v2.5.1 chapter 7.3.1).

One order for each entry: its filler order number (OBR-3) is the entry's identifier, however often and in whatever state
it is sent. The message control id is made from what the message says: the same message has the same one, and another
message never has. Every segment is read again with hl7apy, strictly, before it is sent.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b32encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from neopain.codecs.fhir.assessment import NOTE as NURSE_NOTE
from neopain.codecs.fhir.observation import SUGGESTION, TO_BE_VERIFIED, note_of
from neopain.codecs.hl7v2.ack import one_line
from neopain.codecs.hl7v2.flowsheet import Acknowledgement, Authority, Coded, Flowsheet, ValueType
from neopain.codecs.hl7v2.flowsheet_values import Cell, assessment_cells, cell_of
from neopain.codecs.hl7v2.message import APPLICATION_ERROR, Delimiters, escape
from neopain.codecs.hl7v2.soundness import require_sound
from neopain.codecs.hl7v2.time import write_moment
from neopain.domain.entry_status import EntryStatus
from neopain.domain.identity import parts_of
from neopain.domain.review import ChartEntry, NurseAssessment
from neopain.errors import ContractBroken, MalformedMessage

VERSION = "2.5.1"
OUR_NAMESPACE = "NEOPAIN"
"""Who assigned OBR-3 and OBX-18."""

_OID = re.compile(r"[0-2](?:\.[0-9]+)+")
_SIGNS = Delimiters()
_CONTROL_ID_LETTERS = 19
"""After the first one: MSH-10 holds 20 characters (v2.5.1 chapter 2.15.9.10); 95 bits of the digest."""


OBX_STATUS = {EntryStatus.PRELIMINARY: "P", EntryStatus.FINAL: "F", EntryStatus.AMENDED: "C"}
"""OBX-11 (table 0085); for what was retracted the site's choice of D and W. X, "results cannot be obtained", says
nothing of a value that is filed already."""
OBR_STATUS = OBX_STATUS | {EntryStatus.ENTERED_IN_ERROR: "C", EntryStatus.CANCELLED: "C"}
"""OBR-25 (table 0123), which has no D and no W: a retraction is a correction of the results."""
WANTED = {
    Acknowledgement.APPLICATION: ("AL", "AL"),
    Acknowledgement.ACCEPT: ("AL", "NE"),
    Acknowledgement.ORIGINAL: ("", ""),
}
"""MSH-15 and MSH-16 (table 0155)."""


@dataclass(frozen=True, slots=True)
class OruMessage:
    """A message without its MLLP envelope, and its MSH-10."""

    control_id: str
    raw: bytes


def write_oru(entry: ChartEntry, flowsheet: Flowsheet, status: EntryStatus = EntryStatus.PRELIMINARY) -> OruMessage:
    """The message that tells the entry: the same bytes for the same entry, moment of sending, flowsheet and status.

    Raises ``ContractBroken`` where the flowsheet does not know the infant's assigning authority, and
    ``MalformedMessage`` (207) where the message would not be valid, or has characters that its set does not have: then
    nothing can be sent, and a person is needed.
    """
    authority = flowsheet.authorities.get(entry.patient.assigning_authority)
    if authority is None or not entry.patient.value:
        raise ContractBroken(f"entry {entry.id} is to be sent to a flowsheet that does not know whose it is")
    body = [
        _pid(entry, authority),
        _pv1(entry, flowsheet),
        _obr(entry, flowsheet, status),
        _nte(entry, status),
        *_observations(entry, flowsheet, status),
    ]
    control_id = _control_id([_msh(entry, flowsheet, ""), *body])
    lines = [_msh(entry, flowsheet, control_id), *body]
    require_sound(lines, version=VERSION, delimiters=_SIGNS)
    return OruMessage(control_id, _encoded(lines, flowsheet))


def _control_id(lines: Iterable[str]) -> str:
    digest = hashlib.sha256("\r".join(lines).encode()).digest()
    return f"N{b32encode(digest)[:_CONTROL_ID_LETTERS].decode()}"


def _msh(entry: ChartEntry, flowsheet: Flowsheet, control_id: str) -> str:
    signs = _SIGNS.component + _SIGNS.repetition + _SIGNS.escape + _SIGNS.subcomponent
    names = (_written(name) for name in (*flowsheet.sender, *flowsheet.receiver))
    sent = _moment(entry.sent or entry.issued, flowsheet)
    processing = entry.draft.processing.value
    wanted = WANTED[flowsheet.acknowledgement]
    return _joined(
        *("MSH", signs, *names, sent, "", "ORU^R01^ORU_R01", control_id, processing, VERSION),
        *("", "", *wanted, "", flowsheet.charset),
    )


def _pid(entry: ChartEntry, authority: Authority) -> str:
    named = _written(authority.sent)
    if _OID.fullmatch(authority.sent):
        named = f"&{named}&ISO"
    number = f"{_written(entry.patient.value)}^^^{named}^{_written(authority.type_code or entry.patient.type_code)}"
    # The census keeps no names: of unspecified type, as v2.5.1 chapter 3.4.2.5 has it.
    return _joined("PID", "1", "", number, "", "~^^^^^^U")


def _pv1(entry: ChartEntry, flowsheet: Flowsheet) -> str:
    place = "^".join(_written(part) for part in parts_of(entry.draft.bed)).rstrip("^")
    fields = ["PV1", "1", flowsheet.patient_class, place]
    if entry.visit:
        fields += [*[""] * 15, f"{_written(entry.visit)}^^^^VN"]
    return _joined(*fields)


def _obr(entry: ChartEntry, flowsheet: Flowsheet, status: EntryStatus) -> str:
    draft = entry.draft
    begun, ended = (_moment(one, flowsheet) for one in (draft.observed_from, draft.observed_to))
    issued = _moment(entry.issued, flowsheet)
    fields = ["OBR", "1", "", f"{entry.id}^{OUR_NAMESPACE}", _coded(flowsheet.service), "", "", begun, ended]
    return _joined(*fields, *[""] * 13, issued, "", "", OBR_STATUS[status])


def _nte(entry: ChartEntry, status: EntryStatus) -> str:
    if isinstance(entry, NurseAssessment):
        return _joined("NTE", "1", "L", _written(NURSE_NOTE))
    label = TO_BE_VERIFIED if status is EntryStatus.PRELIMINARY else SUGGESTION
    return _joined("NTE", "1", "L", _written(one_line(note_of(entry, label=label))))


def _observations(entry: ChartEntry, flowsheet: Flowsheet, status: EntryStatus) -> Iterator[str]:
    code = OBX_STATUS.get(status, flowsheet.retraction)
    observed = _moment(entry.draft.observed_to, flowsheet)
    if isinstance(entry, NurseAssessment):
        told: Iterable[Cell | None] = assessment_cells(flowsheet.rows, entry)
        observer, device = f"{_written(entry.draft.by.id)}^{_written(entry.draft.by.display)}", ""
    else:
        corrects = status is EntryStatus.AMENDED
        told = (cell_of(row, entry, leaves_nothing_out=corrects) for row in flowsheet.rows)
        observer, device = "", f"{_written(entry.draft.model)}^{OUR_NAMESPACE}"
    for number, cell in enumerate((one for one in told if one is not None), 1):
        yield _obx(number, cell, after=(code, "", "", observed, "", observer, "", device))


def _obx(number: int, cell: Cell, *, after: Sequence[str]) -> str:
    """``after`` are OBX-11 to OBX-18."""
    unit = _coded(cell.unit) if cell.kind is ValueType.NUMBER else ""
    fields = [
        "OBX",
        str(number),
        cell.kind.value,
        _coded(cell.row.observation),
        "",
        _written(one_line(cell.text)),
        unit,
    ]
    return _joined(*fields, "", "", "", "", *after)


def _coded(coded: Coded) -> str:
    return "^".join(_written(part) for part in (coded.code, coded.text, coded.system)).rstrip("^")


def _moment(moment: datetime, flowsheet: Flowsheet) -> str:
    return write_moment(moment.astimezone(flowsheet.zone))


def _written(text: str) -> str:
    return escape(text, _SIGNS)


def _joined(*fields: str) -> str:
    return _SIGNS.field.join(fields).rstrip(_SIGNS.field)


def _encoded(lines: Iterable[str], flowsheet: Flowsheet) -> bytes:
    try:
        return "".join(f"{line}\r" for line in lines).encode(flowsheet.codec)
    except UnicodeEncodeError as error:
        rule = (
            f"the message has characters that {flowsheet.charset} does not have: set another charset in the flowsheet"
        )
        raise MalformedMessage("MSH-18", rule, code=APPLICATION_ERROR) from error
