"""``neopain demo``: the whole line on one machine with simulated infants, a live table or one JSON summary."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from neopain.bootstrap.dashboard import build_page, is_page_built, make_link
from neopain.bootstrap.ehr_seed import seed_ehr
from neopain.bootstrap.line import Line, LineSettings
from neopain.bootstrap.observed import Observed, Observer
from neopain.bootstrap.places import state_folder
from neopain.bootstrap.summary import summarise
from neopain.bootstrap.table import LiveTable
from neopain.dashboard.settings import DashboardSettings
from neopain.embedded.loopback import HOST
from neopain.errors import ConfigurationError, NeopainError
from neopain.models.repository import committed_repository
from neopain.simulator.settings import SimulatorSettings

WARD_FILE, TOKEN_FILE = "ward.json", "fhir-api.env"
TOKEN_SETTINGS = (
    "NEOPAIN_CHARTING_DATABASE_URL",
    "NEOPAIN_CHARTING_API_HOST",
    "NEOPAIN_CHARTING_API_PORT",
    "NEOPAIN_CHARTING_API_LOCAL_ISSUER",
    "NEOPAIN_DASHBOARD_PORT",
    "NEOPAIN_DASHBOARD_LINKS",
)
DRAIN_SECONDS = 8.0
"""After the ward has stopped: how long the last entries may take to be confirmed."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line asked for. ``seconds`` None: until Ctrl-C."""

    seconds: float | None
    as_json: bool
    beds: int
    seed: int
    state_dir: Path | None
    with_dashboard: bool = True


def run_demo(options: DemoOptions) -> int:
    """Runs the demo; 0 only if each bed has an Observation in the EHR and the audit trail holds."""
    begun = time.monotonic()
    state_dir = state_folder(options.state_dir, "demo")
    repository = committed_repository()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    settings = LineSettings(state_dir=state_dir, model_repository=repository, charting_policy="demo")
    with only_one(state_dir), Line(settings) as line:
        forget_last_run(state_dir)
        if options.with_dashboard:
            build_page_once()
        start_line(line, options)
        write_token_settings(line)
        print_addresses(line)
        if options.with_dashboard:
            print_dashboard(line)
        observed = watch(line, options, begun=begun, stop=stop)
        summary = summarise(line, observed)
    if options.as_json:
        print(json.dumps(asdict(summary)), flush=True)
    else:
        print(summary.as_text())
    return 0 if summary.holds else 1


@contextlib.contextmanager
def only_one(state_dir: Path) -> Iterator[None]:
    """Holds the state folder; ``ConfigurationError`` when another demo has it."""
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationError(f"a demo runs already in {state_dir}: stop it, or give another --state") from error
        yield


def forget_last_run(state_dir: Path) -> None:
    """Every demo begins with an empty ward: its EHR forgets too. Logs, secrets and installed packages stay."""
    for name in ("bus", "postgres", "audit", "dashboard-links"):
        shutil.rmtree(state_dir / name, ignore_errors=True)
    for name in (WARD_FILE, TOKEN_FILE):
        (state_dir / name).unlink(missing_ok=True)


def start_line(line: Line, options: DemoOptions) -> None:
    """Starts servers, schema, services and the ward, each as soon as what it needs is there.

    The ticker is last: a window that nobody can score yet would only be missed.
    """
    ward = ward_settings(line, options)
    tell("starting Valkey, PostgreSQL, Triton, the FHIR server and the services")
    with ThreadPoolExecutor(max_workers=4) as pool:
        triton = pool.submit(line.triton.start)
        ehr = pool.submit(start_ehr, line, ward)
        charting = pool.submit(start_charting, line)
        line.start_bus()
        line.start_service("scoring", "worker")
        line.start_service("ingest", "hl7")
        line.start_service("ingest", "device")
        line.start_service("simulator", "ward", extra=as_environment(ward))
        for started in (triton, ehr, charting):
            started.result()
    line.wait_ready(*line.children)
    line.start_service("scoring", "ticker")
    line.wait_ready("scoring-ticker")
    # Nothing waits for these: they take no processor from those that something waits for.
    line.start_service("charting", "api")
    if options.with_dashboard:
        line.start_service("dashboard", "serve")
    line.wait_ready(*line.children)


def build_page_once() -> None:
    """Builds the dashboard's page where it is not built yet. The demo goes on without it, and says so."""
    if is_page_built():
        return
    tell("building the dashboard's page, which is done once")
    try:
        build_page()
    except ConfigurationError as error:
        tell(f"there will be no dashboard: {error}")


def start_ehr(line: Line, ward: SimulatorSettings) -> None:
    """Starts the demo's EHR and admits the ward's infants there."""
    line.start_server(line.servers.ehr)
    seed_ehr(str(line.urls.ehr_url), beds=ward.beds, seed=ward.seed)


def start_charting(line: Line) -> None:
    """Starts the database, brings its schema up to date and starts the charting service; the bus may come later."""
    line.start_server(line.servers.database)
    code = line.start_migration().wait(60)
    migration = line.children.pop("charting-migrate")
    migration.stop()
    if code != 0:
        raise ConfigurationError(f"the database's schema could not be made:\n{migration.log_tail()}")
    for part in ("consumer", "delivery", "beat"):
        line.start_service("charting", part)


def ward_settings(line: Line, options: DemoOptions) -> SimulatorSettings:
    """The ward at the line's doors."""
    return SimulatorSettings(
        beds=options.beds,
        seed=options.seed,
        hl7_host=HOST,
        hl7_port=line.ports.hl7,
        device_target=f"{HOST}:{line.ports.device}",
        status_path=status_path(line),
    )


def as_environment(settings: SimulatorSettings) -> dict[str, str]:
    """What was set, as the variables that it is read from."""
    return {f"NEOPAIN_SIMULATOR_{name.upper()}": str(getattr(settings, name)) for name in settings.model_fields_set}


def status_path(line: Line) -> Path:
    """Where the ward writes what it knows: the truth behind the table's procedure column."""
    return line.settings.state_dir / WARD_FILE


def watch(line: Line, options: DemoOptions, *, begun: float, stop: threading.Event) -> Observed:
    """Shows the line at work until the time is over or somebody asks to stop; returns what was seen."""
    observer = Observer(line, status_path(line))
    with LiveTable(enabled=not options.as_json) as table:
        deadline = time.monotonic() + options.seconds if options.seconds else None
        while not stop.wait(0.5):
            observed = observer.look()
            table.show(observed)
            tell_firsts(observed, begun)
            if dead := line.ended():
                raise NeopainError(f"{', '.join(dead)} ended; see {line.settings.state_dir}/logs")
            if deadline and time.monotonic() >= deadline:
                break
    line.children["simulator-ward"].stop()
    return observer.drain(seconds=DRAIN_SECONDS)


_TOLD: set[str] = set()


def tell_firsts(observed: Observed, begun: float) -> None:
    """Says once when the first Observation is confirmed by the EHR."""
    if observed.confirmed and "first" not in _TOLD:
        _TOLD.add("first")
        tell(f"first Observation charted {time.monotonic() - begun:.1f} s after the command")


def print_addresses(line: Line) -> None:
    """Prints where everything listens."""
    urls = line.urls
    tell(f"FHIR server (demo EHR)  {urls.ehr_url}")
    tell(f"FHIR API (neopain api)  {line.fhir_url}")
    tell(f"a token for it          (set -a; . {token_settings_path(line)}; ./neopain api token)")
    tell(f"MLLP listener           127.0.0.1:{line.ports.hl7}")
    tell(f"device API (gRPC)       127.0.0.1:{line.ports.device}")
    tell(f"Triton                  grpc {urls.triton_url}, metrics {urls.triton_metrics}")
    tell(f"logs                    {line.settings.state_dir}/logs")


def print_dashboard(line: Line) -> None:
    """Prints the address that signs in to the dashboard."""
    settings = DashboardSettings(host=HOST, port=line.ports.dashboard, links=line.links)
    again = f"(set -a; . {token_settings_path(line)}; ./neopain dashboard link)"
    tell(f"another dashboard link  {again}")
    tell(f"dashboard, good once    {make_link(settings)}")


def token_settings_path(line: Line) -> Path:
    """The file with the settings that ``neopain api token`` and ``neopain dashboard link`` need."""
    return line.settings.state_dir / TOKEN_FILE


def write_token_settings(line: Line) -> None:
    """Writes them, for this user alone: the database's password is among them."""
    path = token_settings_path(line)
    told = {name: value for name, value in line.environment().items() if name in TOKEN_SETTINGS}
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.writelines(f"{name}={shlex.quote(value)}\n" for name, value in told.items())


def tell(text: str) -> None:
    """One line for the person, beside the table and the JSON."""
    print(f"neopain: {text}", file=sys.stderr, flush=True)
