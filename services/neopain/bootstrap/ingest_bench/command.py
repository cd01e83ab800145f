"""The measurement: a bus that syncs each write, our listener's process, and the same load on two others."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from neopain.bootstrap.ingest_bench.load import SENT_OBX, Load, Sent, message, send
from neopain.bootstrap.ingest_bench.readings import cpu_seconds, entries_added, resident_mib
from neopain.bootstrap.line import Line, LineSettings
from neopain.bootstrap.places import root_folder, state_folder
from neopain.bootstrap.summary import nearest_rank
from neopain.embedded.loopback import HOST, free_port
from neopain.embedded.process import Child, Command
from neopain.embedded.state import StateFolder

LONGEST_WARM_UP_SECONDS = 1.0
PACED_RATE = 200.0
START_SECONDS = 30.0
PEERS = {"hl7apy": "hl7apy", "python-hl7": "hl7"}
"""Name and the package that it needs."""


@dataclass(frozen=True, slots=True)
class IngestBenchOptions:
    """What the command line asked for; ``seconds`` for each of the four measurements."""

    seconds: float
    connections: int
    as_json: bool
    state_dir: Path | None


@dataclass(frozen=True, slots=True)
class Measured:
    """One listener under full load: messages acknowledged for each second of its own processor time."""

    per_core_second: float
    acknowledged: int
    refused: int
    cpu_seconds: float
    wall_seconds: float
    resident_mib: tuple[float, float]
    """Before and after."""


@dataclass(frozen=True, slots=True)
class Kept:
    """All that our listener acknowledged, warm-up included, and what the bus was given."""

    acknowledged: int
    on_the_bus: int


@dataclass(frozen=True, slots=True)
class IngestBenchResult:
    """``times_*``: ours over that one, None where its package is not installed. Milliseconds at 200 messages/s."""

    connections: int
    message_bytes: int
    obx: int
    ours: Measured
    peers: dict[str, Measured]
    times_hl7apy: float | None
    times_python_hl7: float | None
    paced_rate: float
    paced_ms_p50: float
    paced_ms_p99: float
    kept: Kept


def run_ingest_bench(options: IngestBenchOptions) -> int:
    """Measures and prints; 1 when a message was refused, or acknowledged and not found on the bus."""
    settings = LineSettings(state_folder(options.state_dir, "bench"), Path(), with_charting=False)
    full = Load(options.connections, options.seconds)
    with Line(settings) as line:
        line.start_bus()
        listener = line.start_service("ingest", "hl7")
        line.wait_ready("ingest-hl7")
        _tell("measuring our listener")
        before = _stored(line)
        warm = _run(line.ports.hl7, _warm_up(full))
        ours, sent = _measure(listener.pid, line.ports.hl7, full)
        paced = _run(line.ports.hl7, Load(options.connections, options.seconds, PACED_RATE))
        stored = _stored(line) - before
        peers = {name: found for name in PEERS if (found := _measure_peer(name, line.state, full)) is not None}
    acknowledged = warm.acknowledged + sent.acknowledged + paced.acknowledged
    result = _result(options.connections, ours, peers, paced, Kept(acknowledged, stored))
    print(json.dumps(asdict(result)) if options.as_json else _as_text(result))
    whole = result.kept.on_the_bus == result.kept.acknowledged
    return 0 if whole and not ours.refused and not paced.refused else 1


def _result(connections: int, ours: Measured, peers: dict[str, Measured], paced: Sent, kept: Kept) -> IngestBenchResult:
    waits = sorted(seconds * 1000 for seconds in paced.seconds)
    return IngestBenchResult(
        connections=connections,
        message_bytes=len(message(1, 1, datetime.now(UTC))),
        obx=SENT_OBX,
        ours=ours,
        peers=peers,
        times_hl7apy=_times(ours, peers.get("hl7apy")),
        times_python_hl7=_times(ours, peers.get("python-hl7")),
        paced_rate=PACED_RATE,
        paced_ms_p50=nearest_rank(waits, 0.5),
        paced_ms_p99=nearest_rank(waits, 0.99),
        kept=kept,
    )


def _times(ours: Measured, other: Measured | None) -> float | None:
    return round(ours.per_core_second / other.per_core_second, 2) if other is not None else None


def _warm_up(load: Load) -> Load:
    return replace(load, seconds=min(load.seconds, LONGEST_WARM_UP_SECONDS))


def _run(port: int, load: Load) -> Sent:
    return asyncio.run(send(port, load))


def _measure(pid: int, port: int, load: Load) -> tuple[Measured, Sent]:
    cpu, resident, wall = cpu_seconds(pid), resident_mib(pid), time.perf_counter()
    sent = _run(port, load)
    cpu, wall = cpu_seconds(pid) - cpu, time.perf_counter() - wall
    measured = Measured(
        per_core_second=round(sent.acknowledged / cpu, 1),
        acknowledged=sent.acknowledged,
        refused=sent.refused,
        cpu_seconds=round(cpu, 2),
        wall_seconds=round(wall, 2),
        resident_mib=(resident, resident_mib(pid)),
    )
    return measured, sent


def _measure_peer(name: str, state: StateFolder, load: Load) -> Measured | None:
    if find_spec(PEERS[name]) is None:
        _tell(f"{name} is not installed and left out: './neopain install test' brings it")
        return None
    _tell(f"measuring a listener with {name}")
    port = free_port()
    argv = (sys.executable, "-m", "neopain.bootstrap.ingest_bench.listeners", name, str(port))
    env = {"PYTHONPATH": str(root_folder() / "services")}
    child = Child(Command(f"bench-{name}", argv, env=env, cwd=root_folder()), state)
    child.start()
    try:
        child.wait_until(partial(_accepts, port), timeout_seconds=START_SECONDS)
        _run(port, _warm_up(load))
        return _measure(child.pid, port, load)[0]
    finally:
        child.stop()


def _stored(line: Line) -> int:
    return asyncio.run(entries_added(line.bus_settings.address()))


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


def _tell(text: str) -> None:
    print(f"neopain: {text}", file=sys.stderr, flush=True)


def _as_text(result: IngestBenchResult) -> str:
    return "\n".join(f"{name}: {value}" for name, value in asdict(result).items())
