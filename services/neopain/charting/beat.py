"""The process that asks for a sweep of the outbox every few seconds. It needs the broker alone."""

from __future__ import annotations

from celery.signals import beat_init

from neopain.charting.broker import keep_our_logging, make_app
from neopain.charting.settings import ChartingSettings
from neopain.runtime import log
from neopain.runtime.http import serving_health

LOG = log.Log(__name__)


def run_delivery_beat(settings: ChartingSettings) -> None:
    """Asks for a sweep every few seconds until SIGTERM or SIGINT."""
    log.set_up("charting", settings.log_level)
    keep_our_logging()
    app = make_app(settings)
    with serving_health(host=settings.http_host, port=settings.http_port) as health:
        beat_init.connect(lambda **_: health.ready(), weak=False)
        LOG.info("service_started", name="charting beat")
        try:
            # The schedule is one line of the settings: nothing to keep in a file.
            app.Beat(scheduler="celery.beat:Scheduler", quiet=True, loglevel=settings.log_level).run()
        except SystemExit:
            LOG.info("service_stopped", name="charting beat")
