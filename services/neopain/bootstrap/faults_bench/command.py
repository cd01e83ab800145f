"""The proof: servers and charting's processes started, the storm, and what is left after it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from neopain.bootstrap.demo import forget_last_run, only_one
from neopain.bootstrap.faults_bench.faults import Chance
from neopain.bootstrap.faults_bench.faulty_ehr import FaultyEhr, Patience
from neopain.bootstrap.faults_bench.storm import PROCESSES, Storm
from neopain.bootstrap.faults_bench.verdict import Verdict, judge
from neopain.bootstrap.faults_bench.ward import ProofInfant, Sender
from neopain.bootstrap.line import Line, LineSettings
from neopain.bootstrap.places import state_folder
from neopain.bus.bus import Bus
from neopain.bus.deadletters import list_letters
from neopain.charting.audit.verify import verify_audit
from neopain.charting.database import connect
from neopain.charting.ledger import ChartingLedger, count_undelivered, read_ledger
from neopain.charting.migrate import migrate
from neopain.embedded.valkey import BUS_MAXMEMORY_MB, DURABLE, Durability, Valkey
from neopain.models.repository import committed_repository

PATIENCE = Patience(client=1.0, late=1.5, stale=0.5)
DOUBT_SECONDS = 5.0
"""Longer than anything that is late: what a client has given up on may be carried out until then."""
BATCH_SECONDS = 0.05
CALM_SECONDS = 120.0
"""How long nothing at all may be delivered before it counts as stuck."""


@dataclass(frozen=True, slots=True)
class FaultsBenchOptions:
    """What the command line asked for. ``share`` of the requests to the EHR go wrong, ``moments`` for each part."""

    entries: int
    infants: int
    moments: int
    share: float
    interval_seconds: float
    seed: int
    as_json: bool
    state_dir: Path | None
    in_batches: bool = False


@dataclass(frozen=True, slots=True)
class FaultsResult:
    """``holds``: every entry is in the EHR exactly once, in order, the audit trail is whole, nobody died uninvited."""

    seed: int
    holds: bool
    entries: int
    infants: int
    killed: dict[str, int]
    faults: dict[str, int]
    requests: int
    batches: int
    """Of the requests, so many were batches."""
    scores_repeated: int
    seconds: float
    verdict: Verdict
    audit: str
    audit_rows: int
    dead_letters: int
    uninvited: list[str]


def run_faults_bench(options: FaultsBenchOptions) -> int:
    """Proves, prints, and returns 1 when it does not hold."""
    folder = state_folder(options.state_dir, "bench-faults")
    with only_one(folder):
        forget_last_run(folder)
        (folder / "broker").mkdir(exist_ok=True)
        result = prove(options, folder)
    if options.as_json:
        print(json.dumps(asdict(result)), flush=True)
    else:
        print("\n".join(f"{name}: {value}" for name, value in asdict(result).items()))
    return 0 if result.holds else 1


def prove(options: FaultsBenchOptions, folder: Path) -> FaultsResult:
    """The whole proof in a state folder of its own."""
    tell(f"seed {options.seed}")
    settings = LineSettings(state_dir=folder, model_repository=committed_repository(), namespace="faults")
    with ExitStack() as undo:
        line = undo.enter_context(Line(settings))
        broker = Valkey("broker", line.state, Durability(DURABLE, BUS_MAXMEMORY_MB))
        undo.callback(broker.stop)
        with ThreadPoolExecutor(max_workers=2) as pool:
            for started in (pool.submit(broker.start), pool.submit(line.servers.start)):
                started.result()
        ehr = FaultyEhr(str(line.urls.ehr_url), Chance(options.seed, options.share), PATIENCE)
        undo.callback(ehr.close)
        proof = Proof(options, line, broker, ehr)
        proof.start()
        return asyncio.run(proof.run())


class Proof:
    """One run on servers that serve."""

    def __init__(self, options: FaultsBenchOptions, line: Line, broker: Valkey, ehr: FaultyEhr) -> None:
        self.options = options
        self.line = line
        self.broker = broker
        self.ehr = ehr
        self.storm = Storm(line, broker, options.seed, options.moments)
        self.infants = [ProofInfant(f"p{options.seed}-{number}") for number in range(options.infants)]
        self.sender = Sender(self.infants, options.entries, timedelta(seconds=options.interval_seconds))
        self.engine = connect(str(line.urls.database_url), connections=1)

    def start(self) -> None:
        """Schema, infants and charting's processes."""
        migrate(str(self.line.urls.database_owner_url), roles=self.line.database_roles)
        for infant in self.infants:
            infant.admit(str(self.line.urls.ehr_url))
        for name in PROCESSES:
            self.line.start_service(*name.split("-", 1), extra=self._settings())
        self.line.wait_ready(*PROCESSES)

    def _settings(self) -> dict[str, str]:
        policy = self.line.settings.state_dir / "policy.toml"
        lateness = 0.9 * self.options.interval_seconds
        minutes = self.options.interval_seconds / 60
        policy.write_text(f'name = "proof"\n[site]\ninterval_minutes = {minutes}\nlateness_seconds = {lateness}\n')
        return {
            "NEOPAIN_CHARTING_POLICY_FILE": str(policy),
            "NEOPAIN_CHARTING_BROKER_URL": self.broker.url,
            "NEOPAIN_CHARTING_EHR_URL": self.ehr.url,
            "NEOPAIN_CHARTING_EHR_BATCH_SECONDS": str(BATCH_SECONDS if self.options.in_batches else 0),
            "NEOPAIN_CHARTING_EHR_TIMEOUT_SECONDS": str(PATIENCE.client),
            "NEOPAIN_CHARTING_DOUBT_SECONDS": str(DOUBT_SECONDS),
            "NEOPAIN_CHARTING_RETRY_FIRST_SECONDS": "0.2",
            "NEOPAIN_CHARTING_RETRY_LONGEST_SECONDS": "2",
            "NEOPAIN_CHARTING_BREAKER_SECONDS": "1",
            "NEOPAIN_CHARTING_SWEEP_SECONDS": "0.5",
            "NEOPAIN_CHARTING_DELIVERY_THREADS": "8",
            "NEOPAIN_CHARTING_AUDIT_ANCHOR_SECONDS": "2",
        }

    async def run(self) -> FaultsResult:
        """The storm while scores come, the calm after it, the ledgers."""
        begun = time.monotonic()
        async with self._bus() as bus:
            await self.sender.admit(bus)
            await asyncio.gather(self.sender.send(bus), asyncio.to_thread(self.storm.rage, tell))
        await asyncio.to_thread(self._calm)
        self.engine.dispose()
        seconds = time.monotonic() - begun
        # A new one: its connections are not from before the bus's last death.
        async with self._bus() as bus:
            letters = len(await list_letters(bus))
        return await asyncio.to_thread(self._result, seconds, letters)

    @asynccontextmanager
    async def _bus(self) -> AsyncIterator[Bus]:
        bus = Bus(self.line.bus_settings.address())
        try:
            yield bus
        finally:
            await bus.aclose()

    def _calm(self) -> None:
        """Until nothing is left to be done, or nothing has been done for a long time; the EHR goes on failing."""
        tell(f"{self.sender.sent} scores sent; waiting for the rest to arrive")
        self.storm.uninvited |= set(self.line.ended())
        before, since = (-1, -1, -1), time.monotonic()
        while time.monotonic() - since < CALM_SECONDS:
            left = (*self._left(), self.storm.reject())
            if left == (0, 0, 0):
                return
            if left != before:
                before, since = left, time.monotonic()
            time.sleep(0.5)

    def _left(self) -> tuple[int, int]:
        ledger = read_ledger(self.engine)
        unwritten = self.sender.sent - min(len(ledger.entries), ledger.windows_summed_up)
        return unwritten, count_undelivered(self.engine)

    def _result(self, seconds: float, letters: int) -> FaultsResult:
        ledger = self._ledger()
        verdict = judge(str(self.line.urls.ehr_url), self.infants, ledger, scores=self.sender.sent)
        audit = verify_audit(str(self.line.urls.database_reader_url), anchor_path=self.line.audit_anchor)
        uninvited = sorted(self.storm.uninvited)
        faults = dict(self.ehr.chance.drawn)
        return FaultsResult(
            seed=self.options.seed,
            holds=verdict.is_good and audit.is_whole and not letters and not uninvited,
            entries=len(ledger.entries),
            infants=len(self.infants),
            killed=dict(self.storm.killed),
            faults={name: count for name, count in sorted(faults.items()) if name != "none"},
            requests=sum(faults.values()),
            batches=self.ehr.batches,
            scores_repeated=self.sender.repeated,
            seconds=round(seconds, 1),
            verdict=verdict,
            audit=audit.as_text(),
            audit_rows=audit.rows,
            dead_letters=letters,
            uninvited=uninvited,
        )

    def _ledger(self) -> ChartingLedger:
        engine = connect(str(self.line.urls.database_url), connections=1)
        try:
            return read_ledger(engine)
        finally:
            engine.dispose()


def tell(what: str) -> None:
    """Says how far it is."""
    print(f"neopain: {what}", file=sys.stderr, flush=True)
