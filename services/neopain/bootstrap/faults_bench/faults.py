"""What the EHR between charting and the real one does wrong, as a table, and the seeded order in which it does it."""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass
from enum import Enum


class PassedOn(Enum):
    """When the real EHR gets the request."""

    NOW = "now"
    LATE = "late"
    """After the client has given up, or has been told that it was accepted."""
    NEVER = "never"


class Answered(Enum):
    """What the client gets."""

    AS_IT_IS = "as it is"
    SLOWLY = "slowly"
    STATUS = "a status"
    WRONG_BODY = "200 and a body that is no answer to it"
    NOTHING = "nothing, until it gives up"
    BREAK = "the end of the connection"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong. ``status`` and ``headers`` are those of an answer that is a status."""

    name: str
    passed_on: PassedOn
    answered: Answered
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


RIGHT = Fault("none", PassedOn.NOW, Answered.AS_IT_IS)
FAULTS = (
    Fault("429", PassedOn.NEVER, Answered.STATUS, 429),
    Fault("429-retry-after", PassedOn.NEVER, Answered.STATUS, 429, (("Retry-After", "1"),)),
    Fault("500", PassedOn.NEVER, Answered.STATUS, 500),
    Fault("500-after-commit", PassedOn.NOW, Answered.STATUS, 500),
    Fault("503", PassedOn.NEVER, Answered.STATUS, 503),
    Fault("503-after-commit", PassedOn.NOW, Answered.STATUS, 503),
    Fault("202", PassedOn.LATE, Answered.STATUS, 202),
    Fault("timeout", PassedOn.NEVER, Answered.NOTHING),
    Fault("timeout-after-commit", PassedOn.NOW, Answered.NOTHING),
    Fault("timeout-before-commit", PassedOn.LATE, Answered.NOTHING),
    Fault("dropped", PassedOn.NEVER, Answered.BREAK),
    Fault("dropped-after-commit", PassedOn.NOW, Answered.BREAK),
    Fault("wrong-body", PassedOn.NOW, Answered.WRONG_BODY),
    Fault("slow", PassedOn.NOW, Answered.SLOWLY),
)
WRONG_BODIES = (
    b"<html><body>It works!</body></html>",
    b'{"resourceType":"Bundle","type":"searchset","entry":[{"resou',
    b"[]",
    b"{}",
    b"",
    b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception"}]}',
    b'{"resourceType":"Bundle","type":"searchset","entry":{"resource":"Observation"}}',
    b"\xff\xfe\x00",
)


class Chance:
    """Draws what goes wrong next: every fault of the table once in a random order, again and again. The same seed draws
    the same; safe to share between threads."""

    def __init__(self, seed: int, share: float) -> None:
        self.share = share
        self.drawn: Counter[str] = Counter()
        self._random = random.Random(seed)  # noqa: S311 - chooses faults
        self._next: list[Fault] = []
        self._lock = threading.Lock()

    def fault(self) -> Fault:
        """What happens to the next request."""
        with self._lock:
            fault = self._wrong() if self._random.random() < self.share else RIGHT
            self.drawn[fault.name] += 1
            return fault

    def _wrong(self) -> Fault:
        if not self._next:
            self._next = self._random.sample(FAULTS, len(FAULTS))
        return self._next.pop()

    def wrong_body(self) -> bytes:
        """What is no answer to anything that charting asks."""
        with self._lock:
            return self._random.choice(WRONG_BODIES)
