"""Delivery: a Celery worker that brings entries to the EHR. When to look for due ones, ``beat`` tells it.

A site may run several workers and several beats: rows and an advisory lock per infant keep the order, not the broker.
"""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import assert_never

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down
from sqlalchemy import Engine

from neopain.charting.breaker import CircuitBreaker
from neopain.charting.broker import DELIVER, NUDGE_LIFE_SECONDS, SWEEP, keep_our_logging, make_app
from neopain.charting.database import connect
from neopain.charting.deliverer import Deliverer
from neopain.charting.ehr.channel import EhrChannel
from neopain.charting.ehr.client_tls import ClientTls
from neopain.charting.ehr.mllp import MllpConnection, read_address
from neopain.charting.ehr.oru_r01 import OruChannel
from neopain.charting.ehr.recorder import RecorderChannel
from neopain.charting.fhir_channel import oracle_channel, r4_channel, tls_files
from neopain.charting.flowsheet_file import read_flowsheet
from neopain.charting.retry import RetryPolicy
from neopain.charting.schema import require_schema
from neopain.charting.settings import ChartingSettings
from neopain.errors import ConfigurationError, DatabaseUnavailable, EhrUnavailable
from neopain.runtime import log
from neopain.runtime.clock import SystemClock
from neopain.runtime.http import serving_health

LOG = log.Log(__name__)


def run_delivery_worker(settings: ChartingSettings) -> None:
    """Delivers until SIGTERM or SIGINT, then finishes what is in hand.

    ``ConfigurationError`` when the EHR is none that can be charted to, at the start or when it first answers;
    ``DatabaseUnavailable`` when the database is not there at the start.
    """
    log.set_up("charting", settings.log_level)
    keep_our_logging()
    engine = connect(settings.database_url, connections=2 * settings.delivery_threads + 2)
    require_schema(engine)
    tasks = _Tasks(engine, make_channel(settings), settings)
    tasks.check_ehr()
    app = make_app(settings)
    tasks.register(app)
    with serving_health(host=settings.http_host, port=settings.http_port) as health:
        worker_ready.connect(lambda **_: health.ready(), weak=False)
        worker_shutting_down.connect(lambda **_: health.not_ready("stopping"), weak=False)
        _run_worker(app, settings)
    engine.dispose()
    if tasks.fault is not None:
        raise tasks.fault


def make_channel(settings: ChartingSettings) -> EhrChannel:
    """The channel that the settings choose; ``ConfigurationError`` where they do not fit it."""
    match settings.ehr_channel:
        case "fhir-r4":
            return r4_channel(settings)
        case "fhir-r4-oracle":
            return oracle_channel(settings)
        case "hl7v2-oru":
            return _oru_channel(settings)
        case "recorder":
            return _recorder(settings)
        case _:
            assert_never(settings.ehr_channel)


def _oru_channel(settings: ChartingSettings) -> OruChannel:
    if not settings.ehr_url:
        raise ConfigurationError(
            "NEOPAIN_CHARTING_EHR_URL is not set: give mllp://host:port of the flowsheet interface"
        )
    address = read_address(settings.ehr_url, setting="NEOPAIN_CHARTING_EHR_URL")
    if settings.flowsheet_file is None:
        raise ConfigurationError(
            "NEOPAIN_CHARTING_FLOWSHEET_FILE is not set: channel hl7v2-oru needs the site's rows; "
            "`neopain flowsheet --example` prints a file to begin from"
        )
    files = tls_files(settings)
    if files.are_given and not address.is_tls:
        raise ConfigurationError(f"{files.setting}_* are set and {settings.ehr_url} is plain text: mllps:// speaks TLS")
    connection = MllpConnection(
        address,
        tls=ClientTls(files) if address.is_tls else None,
        timeout_seconds=settings.ehr_timeout_seconds,
    )
    return OruChannel(connection, read_flowsheet(settings.flowsheet_file), settings.ehr_requires_encounter)


def _recorder(settings: ChartingSettings) -> RecorderChannel:
    if settings.recorder_folder is None:
        raise ConfigurationError("NEOPAIN_CHARTING_RECORDER_FOLDER is not set: channel recorder needs it")
    return RecorderChannel(settings.recorder_folder, settings.authority_systems)


def retry_policy(settings: ChartingSettings) -> RetryPolicy:
    """The waiting times that the settings give."""
    return RetryPolicy(
        first=timedelta(seconds=settings.retry_first_seconds),
        longest=timedelta(seconds=settings.retry_longest_seconds),
        doubt=timedelta(seconds=settings.doubt_seconds),
        request=timedelta(seconds=settings.ehr_timeout_seconds),
        held=timedelta(seconds=settings.held_retry_seconds),
        taken=timedelta(seconds=settings.taken_seconds),
    )


class _Tasks:
    """The worker's two tasks. Until the EHR has said what it is, nothing is sent to it."""

    def __init__(self, engine: Engine, channel: EhrChannel, settings: ChartingSettings) -> None:
        pause = timedelta(seconds=settings.breaker_seconds)
        breaker = CircuitBreaker(failures=settings.breaker_failures, pause=pause)
        self.deliverer = Deliverer(engine, channel, SystemClock(), retry_policy(settings), breaker)
        self.fault: ConfigurationError | None = None
        self._is_checked = False

    def register(self, app: Celery) -> None:
        """Makes them known to the worker."""

        # Celery builds a signature from the function's name: neither a lambda nor a bound method will do.
        def sweep() -> None:
            self.sweep(app)

        def deliver(entry_id: str) -> None:
            self.deliver(entry_id)

        app.task(name=SWEEP)(sweep)
        app.task(name=DELIVER)(deliver)

    def sweep(self, app: Celery) -> None:
        """Hands out what is due."""
        try:
            for entry_id in self.deliverer.hand_out():
                app.send_task(DELIVER, args=[entry_id], expires=NUDGE_LIFE_SECONDS)
        except DatabaseUnavailable as error:
            LOG.warning("sweep_failed", why=error)

    def deliver(self, entry_id: str) -> None:
        """Delivers for the infant of an entry. What failed is in its row, and is due again."""
        try:
            if self._is_checked or self._check_now():
                self.deliverer.deliver(entry_id)
        except DatabaseUnavailable as error:
            LOG.warning("delivery_failed", entry=entry_id, why=error)

    def check_ehr(self) -> None:
        """Asks the EHR what it is; ``ConfigurationError`` when it is the wrong one. One that is down is asked later."""
        try:
            self.deliverer.channel.check()
            self._is_checked = True
        except EhrUnavailable as error:
            LOG.warning("ehr_unavailable", why=error)

    def _check_now(self) -> bool:
        try:
            self.check_ehr()
        except ConfigurationError as error:
            self.fault = error
            os.kill(os.getpid(), signal.SIGTERM)
        return self._is_checked


def _run_worker(app: Celery, settings: ChartingSettings) -> None:
    worker = app.Worker(
        pool="threads",
        concurrency=settings.delivery_threads,
        loglevel=settings.log_level,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    LOG.info("service_started", name="charting delivery")
    worker.start()
    LOG.info("service_stopped", name="charting delivery")
