"""The loop that looks for what changed, what is due and what is over, in every process of the API.

Several may look: changes are taken by one at a time, and one at a time sends for a subscription.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, and_, func, or_, select

from neopain.charting.api.subscriptions.fan_out import MOST_CHANGES, FanOut
from neopain.charting.api.subscriptions.notifier import Notifier
from neopain.charting.database import translated
from neopain.charting.tables import SUBSCRIPTION_CHANGES, SUBSCRIPTIONS
from neopain.codecs.fhir.subscription import SubscriptionStatus
from neopain.errors import TransientError
from neopain.runtime.clock import Clock
from neopain.runtime.log import Log
from neopain.runtime.metrics import gauge

LOG = Log(__name__)

THREADS = 4
"""Endpoints that are sent to at the same time."""
CONNECTIONS = 2 * THREADS + 1
"""To the database: each sender holds its lock on one."""


class Dispatcher:
    """Looks every ``seconds`` from ``start`` to ``close``."""

    def __init__(self, engine: Engine, clock: Clock, fan_out: FanOut, notifier: Notifier, *, seconds: float) -> None:
        self._engine = engine
        self._clock = clock
        self._fan_out = fan_out
        self._notifier = notifier
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="subscriptions")
        self._in_hand: set[str] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="subscriptions")

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def close(self) -> None:
        """Ends its threads and its connections, and breaks off what is being sent."""
        self._stopping.set()
        self._notifier.close()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(cancel_futures=True)
        self._engine.dispose()

    def look(self) -> Sequence[str]:
        """Takes what changed, and returns the ids of the subscriptions for which something is due."""
        while self._fan_out.take() == MOST_CHANGES:
            pass
        self._fan_out.end_what_is_over()
        with translated("looking for subscriptions"), self._engine.connect() as connection:
            due = connection.scalars(select(SUBSCRIPTIONS.c.subscription_id).where(_is_due(self._clock.now()))).all()
            self._measure({row.status: row.number for row in connection.execute(BY_STATUS)})
            gauge("charting_subscription_events_waiting").set(float(connection.scalar(WAITING) or 0))
            gauge("charting_subscription_changes_waiting").set(float(connection.scalar(CHANGES) or 0))
        return due

    def _measure(self, counted: dict[str, int]) -> None:
        for status in SubscriptionStatus:
            gauge("charting_subscriptions").labels(status.value).set(counted.get(status.value, 0))

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds):
            try:
                for own_id in self.look():
                    self._hand_out(own_id)
            except TransientError as error:
                LOG.warning("subscriptions_not_seen", why=error)
            except Exception:
                # A fault of ours: the next look may do better, and a person reads the log.
                LOG.error("subscriptions_failed")

    def _hand_out(self, own_id: str) -> None:
        with self._lock:
            if own_id in self._in_hand:
                return
            self._in_hand.add(own_id)
        self._pool.submit(self._send, own_id)

    def _send(self, own_id: str) -> None:
        try:
            self._notifier.send(own_id)
        except TransientError as error:
            LOG.warning("notification_not_sent", subscription=own_id, why=error)
        except Exception:
            # Likewise: of one subscription, so that the others are told on.
            LOG.error("notification_impossible", subscription=own_id)
        finally:
            with self._lock:
                self._in_hand.discard(own_id)


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Whether ``notifier.due_kind`` may find something."""
    rows = SUBSCRIPTIONS.c
    silent = func.coalesce(rows.answered, rows.updated) + func.make_interval(0, 0, 0, 0, 0, 0, rows.heartbeat_seconds)
    wants = or_(rows.status == SubscriptionStatus.REQUESTED.value, rows.told < rows.events, silent <= now)
    is_open = rows.status.in_([SubscriptionStatus.REQUESTED.value, SubscriptionStatus.ACTIVE.value])
    return and_(is_open, rows.due <= now, rows.ends > now, wants)


BY_STATUS = select(SUBSCRIPTIONS.c.status, func.count().label("number")).group_by(SUBSCRIPTIONS.c.status)
WAITING = select(func.sum(SUBSCRIPTIONS.c.events - SUBSCRIPTIONS.c.told)).where(
    SUBSCRIPTIONS.c.status != SubscriptionStatus.OFF.value
)
CHANGES = select(func.count()).select_from(SUBSCRIPTION_CHANGES)
