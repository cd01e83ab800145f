"""The short way of familiar messages (``familiar``): recognised, put on the bus, answered when they are on disk.

None has a task of its own. What cannot go it, or what fails on it, takes the usual way (``intake``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from neopain.bus.bus import Published
from neopain.codecs.hl7v2.ack import Stamp
from neopain.codecs.hl7v2.message import APPLICATION_ERROR
from neopain.codecs.mllp import Frame
from neopain.domain.receipt import UNANSWERED, Receipt, Stored
from neopain.ingest.hl7.deadline import Deadline, Wait
from neopain.ingest.hl7.familiar import FamiliarMessages, FamiliarReceived
from neopain.ingest.hl7.receipts import Receipts
from neopain.ingest.hl7.sender import Sender
from neopain.ingest.hl7.vitals import Begun, VitalsIntake
from neopain.runtime.clock import Clock
from neopain.runtime.log import Log
from neopain.runtime.metrics import counted

LOG = Log(__name__)

Answered = Callable[[bytes | Exception], None]


@dataclass(frozen=True, slots=True)
class ShortWay:
    """Takes familiar messages of any sender. One for all connections."""

    familiar: FamiliarMessages
    vitals: VitalsIntake
    receipts: Receipts
    deadline: Deadline
    clock: Clock
    stamp: Callable[[], Stamp]

    def recognise(self, frame: Frame, sender: Sender) -> FamiliarReceived | None:
        """The message, if it comes as those before it."""
        begun, received = time.perf_counter(), self.clock.now()
        try:
            found = self.familiar.recognise(frame, sender, received)
        except Exception:
            # A fault of ours must not block the sender's queue: the usual way keeps what it cannot read.
            LOG.error("message_not_recognised", address=sender.address)
            return None
        return FamiliarReceived(found, frame.payload, sender, received, begun) if found is not None else None

    def begin(self, one: FamiliarReceived, answered: Answered) -> bool:
        """Takes the message, if it can be done so; ``answered`` will be called then.

        It gets the answer, once what that acknowledges is on disk; or ``TimeoutError`` where there must be none; or
        what else went wrong, and then the message has to go the usual way.
        """
        if not self.vitals.is_settled(one):
            return False
        try:
            begun = self.vitals.begin_familiar(one)
        except Exception:
            LOG.error("message_not_begun", source=one.found.familiar.source)
            return False
        wait = self.deadline.begin(partial(_end, begun.published))
        begun.published.add_done_callback(lambda _: self._finish(one, begun, wait, answered))
        return True

    def _finish(self, one: FamiliarReceived, begun: Begun, wait: Wait, answered: Answered) -> None:
        self.deadline.forget(wait)
        try:
            answer = self._answer(one, begun)
        except TimeoutError as error:
            self._note(one, UNANSWERED, reason=f"{APPLICATION_ERROR} not stored: {self.deadline.rule}")
            answered(error)
        except Exception as error:
            LOG.warning("message_taken_again", source=one.found.familiar.source, why=error)
            answered(error)
        else:
            answered(answer)

    def _answer(self, one: FamiliarReceived, begun: Begun) -> bytes:
        acceptance = one.found.familiar.acceptance
        code = acceptance.code or "none"
        stored = self.vitals.finish_familiar(one, begun)
        answer = acceptance.write(one.found.control_id, self.stamp())
        counted("ingest_messages_total", code).inc()
        self._note(one, code, stored=stored)
        return answer

    def _note(self, one: FamiliarReceived, answer: str, *, reason: str = "", stored: tuple[Stored, ...] = ()) -> None:
        familiar = one.found.familiar
        self.receipts.add(
            Receipt(
                source=familiar.source,
                control_id=one.found.control_id,
                received=one.received,
                size_bytes=len(one.raw),
                message_type=familiar.message_type,
                answer=answer,
                took=timedelta(seconds=time.perf_counter() - one.begun),
                reason=reason,
                delay=one.delay,
                stored=stored,
            )
        )


def _end(answer: asyncio.Future[Published]) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError())
