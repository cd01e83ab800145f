"""The line on one machine: the embedded servers and the services' processes, as children of this one."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from neopain.bootstrap.places import root_folder
from neopain.charting.api.settings import BASE_PATH
from neopain.charting.roles import Roles
from neopain.embedded.loopback import HOST, answers_ok, free_port
from neopain.embedded.postgres import READER, WRITER
from neopain.embedded.process import Child, Command
from neopain.embedded.server import Server
from neopain.embedded.servers import EmbeddedServers, EmbeddedSettings, ServerUrls, in_parallel
from neopain.embedded.state import StateFolder
from neopain.embedded.triton import Triton
from neopain.runtime.settings import BusSettings

READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class LineSettings:
    """Which parts of the line to start. ``namespace`` keeps two runs on the same servers apart."""

    state_dir: Path
    model_repository: Path
    namespace: str = "neopain"
    with_charting: bool = True
    charting_policy: str = "demo"
    scoring_workers: int = 1


@dataclass(frozen=True, slots=True)
class Ports:
    """The doors of ingest, of the FHIR API and of the dashboard; free ones are taken when the line is made."""

    hl7: int = field(default_factory=free_port)
    device: int = field(default_factory=free_port)
    api: int = field(default_factory=free_port)
    dashboard: int = field(default_factory=free_port)


class Line:
    """Servers and services. A context manager: everything it started has ended when it is left."""

    def __init__(self, settings: LineSettings) -> None:
        self.settings = settings
        self.ports = Ports()
        self.state = StateFolder(settings.state_dir)
        charts = settings.with_charting
        self.servers = EmbeddedServers(
            EmbeddedSettings(state_dir=settings.state_dir, with_ehr=charts, with_database=charts)
        )
        self.triton = Triton(self.state, settings.model_repository)
        self.children: dict[str, Child] = {}
        self.ready_ports: dict[str, int] = {}
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        self._undo.callback(self.stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    @property
    def urls(self) -> ServerUrls:
        """Where the servers are."""
        return replace(
            self.servers.urls,
            triton_url=self.triton.url,
            triton_http=self.triton.http_url,
            triton_metrics=self.triton.metrics_url,
        )

    @property
    def bus_settings(self) -> BusSettings:
        """How this process reaches the bus."""
        urls = self.urls
        return BusSettings(url=urls.bus_url, media_urls=urls.media_urls, namespace=self.settings.namespace)

    @property
    def audit_anchor(self) -> Path:
        """The file outside the database that keeps the audit's head."""
        return self.state.folder("audit") / "anchors.jsonl"

    @property
    def api_issuer(self) -> Path:
        """The folder of the key that the FHIR API's local issuer signs with."""
        return self.state.folder("api-issuer")

    @property
    def fhir_url(self) -> str:
        """The base URL of the FHIR API."""
        return f"http://{HOST}:{self.ports.api}{BASE_PATH}"

    @property
    def links(self) -> Path:
        """The folder of the dashboard's one-time links."""
        return self.state.folder("dashboard-links")

    def start_servers(self) -> None:
        """Starts all servers side by side; returns when each serves."""
        with ThreadPoolExecutor(max_workers=2) as pool:
            servers, triton = pool.submit(self.servers.start), pool.submit(self.triton.start)
        servers.result()
        triton.result()

    def start_bus(self) -> None:
        """Starts the bus and the media servers alone."""
        in_parallel(tuple(server for server in (self.servers.bus, *self.servers.media) if server), Server.start)

    def start_server(self, server: Server | None) -> None:
        """Starts one of the servers; an existing one that was given by URL is not ours to start."""
        if server is not None:
            server.start()

    @property
    def database_roles(self) -> Roles:
        """The roles that a migration grants to; none where the database was given by URL."""
        return Roles(WRITER, READER) if self.servers.database is not None else Roles()

    def start_migration(self) -> Child:
        """Starts the migration, which alone logs in as the tables' owner."""
        roles = self.database_roles
        owner = {
            "NEOPAIN_CHARTING_DATABASE_URL": str(self.urls.database_owner_url),
            "NEOPAIN_CHARTING_DATABASE_WRITER_ROLE": roles.writer,
            "NEOPAIN_CHARTING_DATABASE_READER_ROLE": roles.reader,
        }
        return self.start_service("charting", "migrate", extra=owner)

    def start_service(self, service: str, part: str, *, name: str = "", extra: dict[str, str] | None = None) -> Child:
        """Starts one process of one service under a guard; it need not be ready when this returns."""
        name = name or f"{service}-{part}"
        port = self.ready_ports.setdefault(name, free_port())
        env = self.environment() | {f"NEOPAIN_{service.upper()}_HTTP_PORT": str(port)} | (extra or {})
        argv = (sys.executable, "-m", "neopain", service, part)
        child = Child(Command(name=name, argv=argv, env=env, cwd=root_folder()), self.state)
        self.children[name] = child
        child.start()
        return child

    def wait_ready(self, *names: str, timeout_seconds: float = READY_SECONDS) -> None:
        """Waits until each named process says so; ``ConfigurationError`` with its last log lines when it does not."""
        deadline = time.monotonic() + timeout_seconds
        for name in names:
            url = f"http://{HOST}:{self.ready_ports[name]}/ready"
            left = max(deadline - time.monotonic(), 1.0)
            self.children[name].wait_until(partial(answers_ok, url), timeout_seconds=left)

    def ended(self) -> list[str]:
        """The names of processes that have ended although nobody asked them to."""
        return [name for name, child in self.children.items() if not child.is_alive()]

    def stop(self) -> None:
        """Stops services, then servers; harmless when some do not run."""
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(Child.stop, self.children.values()))
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(lambda stop: stop(), (self.servers.stop, self.triton.stop)))

    def environment(self) -> dict[str, str]:
        """The settings of every service of this line, as the variables they are read from."""
        urls = self.urls
        media = "[" + ",".join(f'"{url}"' for url in urls.media_urls) + "]"
        env = {
            "PYTHONPATH": str(root_folder() / "services"),
            "NEOPAIN_ROOT": str(root_folder()),
            "NEOPAIN_BUS_URL": urls.bus_url,
            "NEOPAIN_BUS_MEDIA_URLS": media,
            "NEOPAIN_BUS_NAMESPACE": self.settings.namespace,
            "NEOPAIN_INGEST_HL7_HOST": HOST,
            "NEOPAIN_INGEST_HL7_PORT": str(self.ports.hl7),
            "NEOPAIN_INGEST_DEVICE_HOST": HOST,
            "NEOPAIN_INGEST_DEVICE_PORT": str(self.ports.device),
            "NEOPAIN_SCORING_TRITON_URL": str(urls.triton_url),
            "NEOPAIN_SCORING_MODEL_REPOSITORY": str(self.settings.model_repository),
        }
        if self.settings.with_charting:
            env |= {
                "NEOPAIN_CHARTING_DATABASE_URL": str(urls.database_url),
                "NEOPAIN_CHARTING_BROKER_URL": urls.bus_url,
                "NEOPAIN_CHARTING_EHR_URL": str(urls.ehr_url),
                "NEOPAIN_CHARTING_EHR_IS_EMBEDDED": "true",
                "NEOPAIN_CHARTING_POLICY": self.settings.charting_policy,
                "NEOPAIN_CHARTING_QUEUE": f"{self.settings.namespace}-charting",
                "NEOPAIN_CHARTING_AUDIT_ANCHOR_PATH": str(self.audit_anchor),
                "NEOPAIN_CHARTING_AUDIT_ANCHOR_SECONDS": "5",
                "NEOPAIN_CHARTING_API_HOST": HOST,
                "NEOPAIN_CHARTING_API_PORT": str(self.ports.api),
                "NEOPAIN_CHARTING_API_LOCAL_ISSUER": str(self.api_issuer),
                "NEOPAIN_CHARTING_API_RESOLVES_BEDS": "true",
                "NEOPAIN_DASHBOARD_HOST": HOST,
                "NEOPAIN_DASHBOARD_PORT": str(self.ports.dashboard),
                "NEOPAIN_DASHBOARD_FHIR_URL": self.fhir_url,
                "NEOPAIN_DASHBOARD_LOCAL_ISSUER": str(self.api_issuer),
                "NEOPAIN_DASHBOARD_LINKS": str(self.links),
            }
        return env
