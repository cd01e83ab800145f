"""The channel to a flowsheet interface: HL7 v2.5.1 ORU^R01 by MLLP, each message acknowledged before the next.

HL7 v2 has no way to ask what is there. What the receiver acknowledged is accepted, not confirmed; what it left without
an answer is sent again, the same message under the same control id, so that the receiver can tell that it has it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from neopain.charting.ehr.channel import Located, NotLocated, Others
from neopain.charting.ehr.mllp import MllpConnection
from neopain.codecs.hl7v2.acknowledgement import Answer, read_answer
from neopain.codecs.hl7v2.flowsheet import Acknowledgement, Flowsheet
from neopain.codecs.hl7v2.oru import OruMessage, write_oru
from neopain.domain.entry_status import EntryStatus, StatusChange
from neopain.domain.review import ChartEntry, NurseAssessment
from neopain.domain.vitals import Processing
from neopain.errors import ContractBroken, EhrUnavailable, MalformedMessage, RejectedByEhr


@dataclass(frozen=True, slots=True)
class OruChannel:
    """Charts to one flowsheet interface."""

    connection: MllpConnection
    flowsheet: Flowsheet
    requires_encounter: bool = True
    reads_back: ClassVar[bool] = False
    takes_only_verified: ClassVar[bool] = False

    def check(self) -> None:
        """Connects. An interface does not say what it takes: the first entry shows it."""
        self.connection.open()

    def locate(self, entry: ChartEntry) -> Located | NotLocated:
        """The patient as the receiver names it, by the flowsheet's authorities; nothing is asked."""
        authority = self.flowsheet.authorities.get(entry.patient.assigning_authority)
        if authority is None:
            return NotLocated("the flowsheet has no [[authority]] for the one that assigned the infant's number")
        if not entry.patient.value:
            return NotLocated("the infant has no number")
        if self.requires_encounter and not entry.visit:
            return NotLocated("the infant has no visit number, and an encounter is required")
        return Located(f"{authority.sent}|{entry.patient.value}", entry.visit or None)

    def find(
        self,
        entry: ChartEntry,  # noqa: ARG002 - the port's
        located: Located,  # noqa: ARG002 - the port's
        *,
        others: Others = frozenset,  # noqa: ARG002 - the port's
    ) -> str | None:
        """None: HL7 v2 cannot ask for it."""
        return None

    def create(self, entry: ChartEntry, located: Located) -> str | None:  # noqa: ARG002 - the port's
        """Sends the entry, a nurse's as final, else as preliminary.

        Returns its control id with the acknowledgement that settled it.
        """
        is_of_nurse = isinstance(entry, NurseAssessment)
        return self._send(entry, EntryStatus.FINAL if is_of_nurse else EntryStatus.PRELIMINARY)

    def change(self, entry: ChartEntry, change: StatusChange, reference: str) -> str | None:  # noqa: ARG002 - the port's
        """Sends the same order with the status that it has now; returns the same as ``create``."""
        return self._send(entry, change.status)

    def _send(self, entry: ChartEntry, status: EntryStatus) -> str:
        if entry.draft.processing is not Processing.PRODUCTION:
            raise ContractBroken(f"entry {entry.id} is of test input, which is not sent to a flowsheet")
        message = self._message(entry, status)
        expected = Expected(message.control_id, self.flowsheet.acknowledgement)
        try:
            answer = self.connection.ask(message.raw, expected.take)
        except EhrUnavailable as error:
            raise EhrUnavailable(
                f"message {message.control_id} to {error}{expected.seen}", was_sent=error.was_sent
            ) from error
        if not answer.is_taken:
            raise _refusal(message, answer)
        return f"MSH-10 {message.control_id}, {answer.code}"

    def _message(self, entry: ChartEntry, status: EntryStatus) -> OruMessage:
        try:
            return write_oru(entry, self.flowsheet, status)
        except MalformedMessage as error:
            raise RejectedByEhr(f"entry {entry.id} cannot be written as ORU^R01: {error}") from error


@dataclass(slots=True)
class Expected:
    """The answer that settles one message, and what came instead."""

    control_id: str
    acknowledgement: Acknowledgement
    others: list[str] = field(default_factory=list)

    @property
    def seen(self) -> str:
        """What came instead, to be put behind a sentence; empty when nothing did."""
        return f" (but {'; '.join(self.others)})" if self.others else ""

    def take(self, payload: bytes) -> Answer | None:
        """The answer in these bytes if it settles the message. What is about another message is not ours."""
        try:
            answer = read_answer(payload)
        except MalformedMessage as error:
            self.others.append(f"an answer that is no acknowledgement, {error}")
            return None
        if answer.about != self.control_id:
            self.others.append("an acknowledgement of another message")
            return None
        if answer.is_taken and not answer.is_of_application and self.acknowledgement is not Acknowledgement.ACCEPT:
            self.others.append("CA, taken into safe storage")
            return None
        return answer


def _refusal(message: OruMessage, answer: Answer) -> EhrUnavailable | RejectedByEhr:
    text = f"message {message.control_id}: {answer}"
    if answer.may_be_taken_later:
        return EhrUnavailable(text, was_sent=False)
    return RejectedByEhr(text, words=answer.words)
