"""How our HTTP servers listen (aiohttp): TLS where it is set, no access log, since addresses name infants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from neopain.errors import ConfigurationError
from neopain.runtime.log import Log
from neopain.runtime.tls import CERTIFICATE_SECONDS, Service, Tls, files_of

LOG = Log(__name__)

DRAIN_SECONDS = 10.0
"""How long requests in hand may go on after the service was asked to stop."""

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Unreadable = Callable[[int], web.Response]
"""The answer to what is no HTTP, by the status that the HTTP layer gives it."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where to listen. ``certificate`` and ``key``: PEM files, both or none; ``settings``: how their names begin.

    ``name`` and ``service``: what metrics and log call it.
    """

    name: str
    service: Service
    host: str
    port: int
    certificate: Path | None
    key: Path | None
    settings: str


@asynccontextmanager
async def listening(
    handle: Handle, unreadable: Unreadable, door: Door, *, stop: Callable[[], None]
) -> AsyncIterator[None]:
    """Listens while the block runs, then calls ``stop``, which ends what would go on, and finishes what is in hand.

    Renewed certificates are taken meanwhile. ``ConfigurationError`` when the address cannot be had, or certificate and
    key cannot be used.
    """
    tls = _tls_of(door)
    runner = web.ServerRunner(_Server(handle, unreadable), shutdown_timeout=DRAIN_SECONDS)
    await runner.setup()
    watch = asyncio.create_task(_watch_certificates(tls)) if tls is not None else None
    try:
        await _listen(runner, door, tls)
        yield
    finally:
        if watch is not None:
            watch.cancel()
        stop()
        await runner.cleanup()


async def _listen(runner: web.ServerRunner, door: Door, tls: Tls | None) -> None:
    context = tls.lasting_context() if tls is not None else None
    try:
        await web.TCPSite(runner, door.host.strip("[]"), door.port, ssl_context=context).start()
    except OSError as error:
        raise ConfigurationError(
            f"{door.host}:{door.port} cannot be listened on ({error.strerror}): "
            f"set {door.settings}_HOST and {door.settings}_PORT"
        ) from error


def _tls_of(door: Door) -> Tls | None:
    files = files_of(f"{door.settings}_TLS", door.certificate, door.key, None)
    return Tls(door.name, files, service=door.service) if files is not None else None


async def _watch_certificates(tls: Tls) -> None:
    while True:
        await asyncio.sleep(CERTIFICATE_SECONDS)
        tls.refresh()


class _Server(web.Server):
    def __init__(self, handle: Handle, unreadable: Unreadable) -> None:
        super().__init__(handle)
        self._unreadable = unreadable

    def __call__(self) -> web.RequestHandler:
        """The protocol of one new connection."""
        return _Conversation(self, self._unreadable)


class _Conversation(web.RequestHandler):
    """One connection. Neither the answer to what is no HTTP nor the log repeats it."""

    def __init__(self, server: web.Server, unreadable: Unreadable) -> None:
        # None is how aiohttp is told to keep no access log; its types do not say so.
        super().__init__(server, loop=asyncio.get_running_loop(), access_log=None)  # type: ignore[arg-type]
        self._unreadable = unreadable

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - as the base class has it; it holds what came
    ) -> web.StreamResponse:
        """The answer to what the HTTP layer cannot read, or to a fault beyond the reach of the handler."""
        LOG.warning("request_unreadable", status=status, why=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer was sent already")
        answer = self._unreadable(status)
        answer.force_close()
        return answer
