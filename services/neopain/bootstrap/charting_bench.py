"""``neopain bench charting``: scores to confirmed entries, the walk over the audit trail, searches among a million."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from neopain.bootstrap.demo import forget_last_run, only_one
from neopain.bootstrap.faults_bench.storm import PROCESSES
from neopain.bootstrap.faults_bench.ward import ProofInfant, score_at
from neopain.bootstrap.line import Line, LineSettings
from neopain.bootstrap.places import state_folder
from neopain.bootstrap.summary import Percentiles, percentiles
from neopain.bus.bus import Bus
from neopain.bus.streams import CENSUS, SCORES
from neopain.domain.census import BedState, Infant
from neopain.domain.policy import DEMO_POLICY
from neopain.errors import ConfigurationError
from neopain.models.repository import committed_repository
from neopain.wire.census import encode_bed_state
from neopain.wire.score import encode_score

INFANTS = 50
STUCK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ChartingBenchOptions:
    """What the command line asked for. ``observations`` are searched among, each search ``searches`` times."""

    entries: int
    audit_rows: int
    observations: int
    searches: int
    as_json: bool
    state_dir: Path | None


@dataclass(frozen=True, slots=True)
class Throughput:
    """Entries a second from the first score on the bus: written to the database, and confirmed by the real EHR."""

    entries: int
    written_per_second: float
    confirmed_per_second: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One search, without HTTP; ``database_ms`` is the database's part. ``walked``: big tables read from end to end."""

    query: str
    found: int
    took_ms: Percentiles
    database_ms: Percentiles
    indexes: list[str]
    walked: list[str]


@dataclass(frozen=True, slots=True)
class ChartingResult:
    """``by_indexes``: every search went by an index, and none walked a big table."""

    throughput: Throughput
    audit_rows: int
    audit_is_whole: bool
    audit_rows_per_second: float
    observations: int
    fill_seconds: float
    search_ms: Percentiles
    search_database_ms: Percentiles
    by_indexes: bool
    searches: list[SearchResult]


def run_charting_bench(options: ChartingBenchOptions) -> int:
    """Measures, prints, and returns 1 where a search goes by no index or the trail is not whole."""
    folder = state_folder(options.state_dir, "bench-charting")
    with only_one(folder):
        forget_last_run(folder)
        result = measure_charting(options, folder)
    if options.as_json:
        print(json.dumps(asdict(result)), flush=True)
    else:
        print("\n".join(f"{name}: {value}" for name, value in asdict(result).items()))
    return 0 if result.by_indexes and result.audit_is_whole else 1


def measure_charting(options: ChartingBenchOptions, folder: Path) -> ChartingResult:
    """All of it, on servers of its own in an empty state folder."""
    from neopain.charting.api.search_bench import fill_entries, measure_searches
    from neopain.charting.audit.bench import fill_trail, measure_verification
    from neopain.charting.database import connect
    from neopain.charting.migrate import migrate

    settings = LineSettings(state_dir=folder, model_repository=committed_repository(), namespace="bench")
    with ExitStack() as undo:
        line = undo.enter_context(Line(settings))
        line.servers.start()
        # The owner's, since what the bench fills the tables with no service could write.
        url = str(line.urls.database_owner_url)
        migrate(url, roles=line.database_roles)
        throughput = _throughput(line, options.entries)
        engine = connect(url)
        undo.callback(engine.dispose)
        tell(f"writing {options.audit_rows} rows of the audit trail")
        fill_trail(engine, rows=options.audit_rows)
        audit, audit_seconds = measure_verification(url, anchor_path=line.audit_anchor)
        tell(f"writing {options.observations} Observations")
        fill_seconds = fill_entries(engine, rows=options.observations)
        tell("searching")
        measured = measure_searches(engine, times=options.searches)
    return ChartingResult(
        throughput=throughput,
        audit_rows=audit.rows,
        audit_is_whole=audit.is_whole,
        audit_rows_per_second=round(audit.rows / audit_seconds),
        observations=options.observations,
        fill_seconds=round(fill_seconds, 1),
        search_ms=percentiles([took for one in measured for took in one.took_ms]),
        search_database_ms=percentiles([took for one in measured for took in one.database_ms]),
        by_indexes=all(one.indexes and not one.walked for one in measured),
        searches=[
            SearchResult(
                one.query, one.found, percentiles(one.took_ms), percentiles(one.database_ms), one.indexes, one.walked
            )
            for one in measured
        ],
    )


def _throughput(line: Line, entries: int) -> Throughput:
    infants = [ProofInfant(f"b{number}") for number in range(min(INFANTS, entries))]
    for infant in infants:
        infant.admit(str(line.urls.ehr_url))
    for name in PROCESSES:
        line.start_service(*name.split("-", 1))
    line.wait_ready(*PROCESSES)
    tell(f"charting {entries} entries")
    begun = time.monotonic()
    asyncio.run(_publish(line, infants, entries))
    written, confirmed = _arrived(line, entries)
    for name in PROCESSES:
        line.children.pop(name).stop()
    return Throughput(entries, round(entries / (written - begun), 1), round(entries / (confirmed - begun), 1))


async def _publish(line: Line, infants: list[ProofInfant], entries: int) -> None:
    """A score for each entry, each in an interval of its own; the last of an infant closes the one before it.

    They are of hours to come: what is past is closed by the clock as soon as the consumer has nothing else to do.
    """
    now = datetime.now(UTC)
    first = first_end(now)
    bus = Bus(line.bus_settings.address())
    try:
        for infant in infants:
            state = BedState(infant.bed, now - timedelta(minutes=1), Infant((infant.patient,)))
            await bus.publish(CENSUS, encode_bed_state(state))
        turns, rest = divmod(entries, len(infants))
        for turn in range(turns + 2):
            # One more than there are to be entries.
            those = infants[: rest if turn == turns + 1 else len(infants)]
            end = first + turn * DEMO_POLICY.interval
            await asyncio.gather(*(bus.publish(SCORES, encode_score(score_at(one.bed, end, turn))) for one in those))
    finally:
        await bus.aclose()


def first_end(now: datetime) -> datetime:
    """When the first window ends: late enough in its interval to close the one before, which waits for late windows."""
    begin = now + timedelta(hours=1)
    into = (begin - datetime(1970, 1, 1, tzinfo=UTC)) % DEMO_POLICY.interval
    return begin - into + 0.9 * DEMO_POLICY.interval


def _arrived(line: Line, entries: int) -> tuple[float, float]:
    """When all were written, and when all were confirmed; ``ConfigurationError`` when nothing moves any more."""
    from neopain.charting.reading import count_entries

    written, before, since = 0.0, (-1, -1), time.monotonic()
    while time.monotonic() - since < STUCK_SECONDS:
        counts = count_entries(str(line.urls.database_reader_url)).values()
        now = sum(one.entries for one in counts), sum(one.confirmed for one in counts)
        if now[0] >= entries and not written:
            written = time.monotonic()
        if now[1] >= entries:
            return written, time.monotonic()
        if now != before:
            before, since = now, time.monotonic()
        time.sleep(0.05)
    raise ConfigurationError(f"of {entries} entries {before} were written and confirmed, and no more: see the logs")


def tell(what: str) -> None:
    """Says how far it is."""
    print(f"neopain: {what}", file=sys.stderr, flush=True)
