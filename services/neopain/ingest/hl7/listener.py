"""The MLLP listener: the socket, its connections, the drain. A connection is ``conversation``'s.

Messages of one connection are stored and answered one after the other, so that their order is kept.
"""

from __future__ import annotations

import asyncio
import contextlib

from neopain.errors import ConfigurationError
from neopain.ingest.hl7.conversation import Conversation, House
from neopain.ingest.hl7.gate import Gate
from neopain.ingest.hl7.intake import Intake
from neopain.ingest.settings import IngestSettings
from neopain.runtime.log import Log
from neopain.runtime.tls import Tls

LOG = Log(__name__)

BACKLOG = 512


class Listener:
    """Listens from ``start`` until ``drain``; with ``tls`` it speaks nothing else."""

    def __init__(self, intake: Intake, settings: IngestSettings, gate: Gate, tls: Tls | None = None) -> None:
        self.intake = intake
        self.settings = settings
        self.tls = tls
        self._house = House(intake, settings, gate, tls)
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port it listens on; 0 before the start."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else 0

    async def start(self) -> None:
        """Opens the socket; ``ConfigurationError`` when the address cannot be had."""
        host, port = self.settings.hl7_host, self.settings.hl7_port
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Conversation(self._house), host, port, backlog=BACKLOG)
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {host}:{port} ({error.strerror}): set NEOPAIN_INGEST_HL7_HOST and _PORT"
            ) from error
        LOG.info("hl7_listening", host=host, port=self.port, tls=self.tls is not None)

    async def drain(self) -> None:
        """Takes no more connections, lets messages in hand be answered, closes everything."""
        house = self._house
        house.is_draining = True
        if self._server is not None:
            self._server.close()
        for conversation in list(house.open):
            conversation.drain()
        if house.open:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(house.is_empty.wait(), self.settings.hl7_drain_seconds)
        for late in list(house.open):
            late.abort()
