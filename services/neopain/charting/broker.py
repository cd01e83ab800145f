"""The Celery application: what is told over the broker, and how. Only "look": the truth is in the outbox."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from celery import Celery
from celery.schedules import schedule
from celery.signals import setup_logging
from kombu.exceptions import OperationalError

from neopain.charting.settings import ChartingSettings
from neopain.errors import ConfigurationError
from neopain.runtime.log import Log

LOG = Log(__name__)

SWEEP = "neopain.charting.sweep"
DELIVER = "neopain.charting.deliver"
NUDGE_LIFE_SECONDS = 10
"""A message that nobody took in this time is dropped: the next sweep says the same."""


def make_app(settings: ChartingSettings) -> Celery:
    """The application on the broker of the settings; nothing is sent yet. ``ConfigurationError`` without a broker."""
    if not settings.broker_url:
        raise ConfigurationError("NEOPAIN_CHARTING_BROKER_URL is not set: give a redis:// URL, it may be the bus")
    app = Celery("neopain", broker=settings.broker_url, set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_default_queue=settings.queue,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # A task of a killed worker comes back after this; the next sweep sees the row much earlier.
        broker_transport_options={
            "visibility_timeout": 300,
            "global_keyprefix": f"{settings.queue}:",
            "socket_connect_timeout": 5,
        },
        beat_schedule={
            "sweep": {
                "task": SWEEP,
                "schedule": schedule(timedelta(seconds=settings.sweep_seconds), nowfun=steady_clock()),
                "options": {"expires": NUDGE_LIFE_SECONDS},
            }
        },
    )
    return app


def steady_clock() -> Callable[[], datetime]:
    """A clock that begins with the machine's and never goes back: beat would wait until it is as late again."""
    begun, started = datetime.now(UTC), time.monotonic()
    return lambda: begun + timedelta(seconds=time.monotonic() - started)


def nudge(app: Celery) -> None:
    """Asks for a sweep now, so that a new entry need not wait for beat. Failing is harmless, and told."""
    try:
        app.send_task(SWEEP, expires=NUDGE_LIFE_SECONDS, retry=False)
    except (OperationalError, OSError) as error:
        LOG.warning("sweep_not_asked_for", why=error)


def keep_our_logging() -> None:
    """Keeps Celery from setting up logging of its own; it tells warnings and errors through ours."""
    setup_logging.connect(_leave_as_it_is, weak=False)
    for name in ("celery", "kombu"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _leave_as_it_is(**_: object) -> None:
    """A receiver is all that it takes."""
