"""Changes handed out to every stream that may know of them, with numbers by which a client goes on after a break."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from neopain.charting.api.access import Limits
from neopain.charting.api.changes import Change
from neopain.errors import TransientError
from neopain.runtime.log import Log

LOG = Log(__name__)

LOOK_SECONDS = 0.5
MOST_KEPT = 5_000
"""Changes that a client may have missed and still get."""
MOST_WAITING = 1_000
"""Changes that may wait for one client."""

OVERFLOW = "the client reads too slowly"
UNAVAILABLE = "the database cannot be read"
STOPPING = "the server stops"


@dataclass(frozen=True, slots=True)
class Numbered:
    """A change and its number, that of the feed and place in it: ``4f2a-17``."""

    id: str
    change: Change


@dataclass(slots=True)
class Subscription:
    """One client's changes. ``ended`` says why no more will come; empty while they do."""

    limits: dict[str, Limits | None]
    """What the client's token limits it to, by type of resource."""
    waiting: deque[Numbered] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    ended: str = ""

    def offer(self, numbered: Numbered) -> None:
        """Adds a change that the client may know of; ends the subscription when too many wait."""
        if self.ended or not numbered.change.is_for(self.limits.get(numbered.change.resource_type)):
            return
        if len(self.waiting) >= MOST_WAITING:
            self.end(OVERFLOW)
            return
        self.waiting.append(numbered)
        self.news.set()

    def end(self, why: str) -> None:
        """No more changes come; those that wait are given up, since the client reads anew anyway."""
        self.ended = self.ended or why
        self.waiting.clear()
        self.news.set()

    def taken(self) -> list[Numbered]:
        """What waits, oldest first."""
        found = list(self.waiting)
        self.waiting.clear()
        self.news.clear()
        return found


class Feed:
    """Looks for changes from the first subscription on. To be used on one event loop; ``look`` runs on a thread."""

    def __init__(self, look: Callable[[], list[Change]]) -> None:
        self._look = look
        self._name = secrets.token_hex(4)
        self._number = 0
        self._kept: deque[Numbered] = deque(maxlen=MOST_KEPT)
        self._subscriptions: list[Subscription] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def open(self) -> int:
        """How many are subscribed."""
        return len(self._subscriptions)

    @property
    def last_id(self) -> str:
        """The number of the newest change."""
        return f"{self._name}-{self._number}"

    @contextmanager
    def subscribed(self, subscription: Subscription) -> Iterator[None]:
        """Hands changes to the subscription within the block."""
        self._subscriptions.append(subscription)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._subscriptions.remove(subscription)

    def since(self, last_id: str) -> list[Numbered] | None:
        """What followed a number; None when that is not known any more, or is another feed's."""
        name, _, number = last_id.rpartition("-")
        if name != self._name or not number.isascii() or not number.isdigit() or len(number) > 18:
            return None
        place = int(number)
        first = self._number - len(self._kept)
        if not first <= place <= self._number:
            return None
        return list(self._kept)[place - first :]

    def stop(self) -> None:
        """Ends every subscription."""
        self._end_all(STOPPING)
        if self._task is not None:
            self._task.cancel()

    def _end_all(self, why: str) -> None:
        # A silent stream would look like a quiet ward.
        for one in list(self._subscriptions):
            one.end(why)

    async def _run(self) -> None:
        # It goes on without a client: whoever comes back then misses nothing.
        while True:
            changes: list[Change] = []
            try:
                changes = await asyncio.to_thread(self._look)
            except TransientError as error:
                LOG.warning("changes_not_seen", why=error)
                self._end_all(UNAVAILABLE)
            except Exception:
                # A fault of ours: streams end rather than stay silent, and a person reads the log.
                LOG.error("changes_failed")
                self._end_all(UNAVAILABLE)
            for change in changes:
                self._number += 1
                numbered = Numbered(self.last_id, change)
                self._kept.append(numbered)
                for one in list(self._subscriptions):
                    one.offer(numbered)
            await asyncio.sleep(LOOK_SECONDS)
