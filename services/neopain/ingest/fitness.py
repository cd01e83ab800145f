"""A door opens only onto servers that keep the promises: waits for them, and refuses wrong ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from neopain.errors import BusUnavailable
from neopain.runtime.backoff import Backoff
from neopain.runtime.log import Log
from neopain.runtime.service import Running

LOG = Log(__name__)


async def wait_until_fit(check: Callable[[], Awaitable[None]], running: Running) -> bool:
    """Waits for the servers that the door needs and checks them; False when asked to stop before.

    ``check`` is the ``Bus``'s, or its ``check_durable`` for a door that puts nothing on a media server.

    Raises ``ConfigurationError`` when the bus could lose what it acknowledged, or a media server writes to a disk.
    """
    backoff = Backoff()
    while True:
        try:
            await check()
        except BusUnavailable as error:
            LOG.warning("bus_unavailable", why=error)
            if not await running.pause(backoff.next_seconds()):
                return False
        else:
            return True
