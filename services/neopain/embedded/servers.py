"""All embedded servers together: started side by side, each replaceable by the URL of an existing one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from neopain.embedded.ehr import Ehr
from neopain.embedded.postgres import OWNER, READER, WRITER, Postgres
from neopain.embedded.server import Server
from neopain.embedded.state import StateFolder
from neopain.embedded.triton import Triton
from neopain.embedded.valkey import BUS_MAXMEMORY_MB, MEDIA_MAXMEMORY_MB, Valkey


@dataclass(frozen=True, slots=True)
class EmbeddedSettings:
    """What to start and where. A URL that is given names an existing server, which is then used and not started."""

    state_dir: Path
    model_repository: Path | None = None
    """Triton's models; without it, and without ``triton_url``, no Triton is started."""
    bus_url: str | None = None
    media_urls: tuple[str, ...] = ()
    database_url: str | None = None
    triton_url: str | None = None
    triton_http: str | None = None
    triton_metrics: str | None = None
    ehr_url: str | None = None
    media_servers: int = 1
    bus_maxmemory_mb: int = BUS_MAXMEMORY_MB
    media_maxmemory_mb: int = MEDIA_MAXMEMORY_MB
    with_ehr: bool = True
    with_database: bool = True


@dataclass(frozen=True, slots=True)
class ServerUrls:
    """Where the servers are. None: neither started nor given."""

    bus_url: str
    media_urls: tuple[str, ...]
    database_url: str | None
    """Of the role that the services log in as; where the database is given, the three are one."""
    database_owner_url: str | None
    """Of the role that migrates."""
    database_reader_url: str | None
    """Of the role that only reads."""
    triton_url: str | None
    """``host:port`` of Triton's gRPC service."""
    triton_http: str | None
    triton_metrics: str | None
    ehr_url: str | None
    start_seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each started server took until it served."""


class EmbeddedServers:
    """A context manager that starts what the settings ask for and stops it at the end.

    ``with EmbeddedServers(settings) as urls: ...``. When one server does not start, the others are stopped and its
    ``ConfigurationError`` is raised.
    """

    def __init__(self, settings: EmbeddedSettings) -> None:
        self._settings = settings
        state = StateFolder(settings.state_dir)
        self.bus = None if settings.bus_url else Valkey.bus(state, maxmemory_mb=settings.bus_maxmemory_mb)
        self.media = () if settings.media_urls else media_servers(state, settings)
        self.database = Postgres(state) if settings.with_database and not settings.database_url else None
        self.triton = None
        if settings.model_repository is not None and not settings.triton_url:
            self.triton = Triton(state, settings.model_repository)
        self.ehr = Ehr(state) if settings.with_ehr and not settings.ehr_url else None

    @property
    def servers(self) -> tuple[Server, ...]:
        """The servers that are ours to start and stop."""
        candidates = (self.bus, *self.media, self.database, self.triton, self.ehr)
        return tuple(server for server in candidates if server is not None)

    def start(self) -> ServerUrls:
        """Start all side by side and return where they are."""
        with ExitStack() as undo:
            undo.callback(self.stop)
            in_parallel(self.servers, Server.start)
            undo.pop_all()
        return self.urls

    def stop(self) -> None:
        """Stop all side by side; harmless when some do not run."""
        in_parallel(self.servers, Server.stop)

    @property
    def urls(self) -> ServerUrls:
        """Where the servers are, ours and the given ones."""
        given, triton, database = self._settings, self.triton, self.database
        return ServerUrls(
            bus_url=self.bus.url if self.bus else str(given.bus_url),
            media_urls=tuple(server.url for server in self.media) or given.media_urls,
            database_url=database.url_of(WRITER) if database else given.database_url,
            database_owner_url=database.url_of(OWNER) if database else given.database_url,
            database_reader_url=database.url_of(READER) if database else given.database_url,
            triton_url=triton.url if triton else given.triton_url,
            triton_http=triton.http_url if triton else given.triton_http,
            triton_metrics=triton.metrics_url if triton else given.triton_metrics,
            ehr_url=self.ehr.url if self.ehr else given.ehr_url,
            start_seconds={server.name: server.start_seconds for server in self.servers},
        )

    def __enter__(self) -> ServerUrls:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def media_servers(state: StateFolder, settings: EmbeddedSettings) -> tuple[Valkey, ...]:
    """Return the media servers among which the beds are shared."""
    return tuple(
        Valkey.media(state, shard=shard, maxmemory_mb=settings.media_maxmemory_mb)
        for shard in range(settings.media_servers)
    )


def in_parallel(servers: tuple[Server, ...], act: Callable[[Server], None]) -> None:
    """Do one thing with all servers at once; every one is tried, then the first failure is raised."""
    with ThreadPoolExecutor(max_workers=max(1, len(servers))) as pool:
        tries = [pool.submit(act, server) for server in servers]
    for tried in tries:
        tried.result()
