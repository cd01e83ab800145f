"""How a service runs: settings in, health up, until SIGTERM or SIGINT, then a drain."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

from neopain.runtime import log
from neopain.runtime.http import Health, HealthServer
from neopain.runtime.settings import ServiceSettings

LOG = log.Log(__name__)

Main = Callable[["Running"], Awaitable[None]]


class Running:
    """A service while it runs: ``stopping`` is set when it should take no more work, finish what it has and return."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self.health = Health()

    def stop(self) -> None:
        """Asks the service to finish."""
        self.health.not_ready("stopping")
        self.stopping.set()

    async def pause(self, seconds: float) -> bool:
        """Waits that long or until asked to stop; returns whether to go on."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), timeout=max(seconds, 0.0))
        return not self.stopping.is_set()


def run_service(name: str, settings: ServiceSettings, main: Main) -> None:
    """Runs ``main`` until it returns; it returns soon after ``stopping`` is set. Errors go to the caller."""
    log.set_up(name, settings.log_level)
    asyncio.run(_run(name, settings, main))


async def _run(name: str, settings: ServiceSettings, main: Main) -> None:
    async with _running(settings) as running:
        LOG.info("service_started", name=name)
        await main(running)
        LOG.info("service_stopped", name=name)


@contextlib.asynccontextmanager
async def _running(settings: ServiceSettings) -> AsyncIterator[Running]:
    running = Running()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.stop)
    server = HealthServer(running.health, host=settings.http_host, port=settings.http_port)
    try:
        yield running
    finally:
        server.close()
