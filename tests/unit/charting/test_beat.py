"""When beat asks for a sweep: by Celery's own scheduler, without a broker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from celery import Celery
from celery.beat import ScheduleEntry, Scheduler

from neopain.charting.broker import SWEEP, make_app
from neopain.charting.settings import ChartingSettings


class Asked(Scheduler):  # type: ignore[misc] - Celery has no types
    """Keeps what it would send, and connects to no broker."""

    producer = None

    def __init__(self, app: Celery) -> None:
        self.asked: list[str] = []
        super().__init__(app)

    def apply_entry(self, entry: ScheduleEntry, producer: object = None) -> None:
        self.asked.append(entry.task)


def test_a_clock_that_goes_back_by_a_day_keeps_no_sweep_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(
        ChartingSettings(
            database_url="postgresql+psycopg2://nowhere/db", broker_url="redis://nowhere", sweep_seconds=0.01
        )
    )
    beat = Asked(app)
    while not beat.asked:
        beat.tick()

    monkeypatch.setattr(app, "now", lambda: datetime.now(UTC) - timedelta(days=1))

    assert beat.asked == [SWEEP]
    assert beat.tick() <= 0.01
