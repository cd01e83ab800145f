"""``neopain bench aggregates``: an infant's last hour found among many aggregates, and what writing a ward's costs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from neopain.bootstrap.places import state_folder
from neopain.bootstrap.summary import Percentiles, percentiles
from neopain.embedded.postgres import Postgres
from neopain.embedded.state import StateFolder


@dataclass(frozen=True, slots=True)
class AggregatesBenchOptions:
    """What the command line asked for."""

    rows: int
    searches: int
    as_json: bool
    state_dir: Path | None


@dataclass(frozen=True, slots=True)
class AggregatesResult:
    """``search_ms``: the last hour of one infant, up to 500 Observations of vitals, without HTTP and audit.

    ``vitals_write_ms`` and ``scores_sum_ms``: one slot (10 s) of 100 beds, four vitals each, and ten windows each.
    """

    rows: int
    found: int
    searches: int
    search_ms: Percentiles
    vitals_write_ms: Percentiles
    scores_sum_ms: Percentiles
    plan: list[str]


def run_aggregates_bench(options: AggregatesBenchOptions) -> int:
    """Measures and prints."""
    from neopain.charting.api.sums_bench import measure_sums
    from neopain.charting.database import connect
    from neopain.charting.migrate import migrate, migrate_down

    with Postgres(StateFolder(state_folder(options.state_dir, "bench-aggregates"))) as server:
        migrate(server.url)
        migrate_down(server.url, target="base")
        migrate(server.url)
        engine = connect(server.url)
        print("neopain: measuring", file=sys.stderr, flush=True)
        try:
            measured = measure_sums(engine, rows=options.rows, searches=options.searches)
        finally:
            engine.dispose()
    result = AggregatesResult(
        rows=measured.rows,
        found=measured.found,
        searches=len(measured.searches_ms),
        search_ms=percentiles(measured.searches_ms),
        vitals_write_ms=percentiles(measured.vitals_write_ms),
        scores_sum_ms=percentiles(measured.scores_sum_ms),
        plan=measured.plan,
    )
    if options.as_json:
        print(json.dumps(asdict(result)), flush=True)
    else:
        print("\n".join(f"{name}: {value}" for name, value in asdict(result).items()))
    return 0
