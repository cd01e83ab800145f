"""``neopain bench latency``: window complete to score on the bus, everything in the clock, with its parts.

Honest measuring (DESIGN section 4): distinct, non-zero inputs, all modalities fresh, one window a second per bed, real
Triton. The clock is the bus's own: from the tick's id to the score's id, both given by the same server. The senders are
pre-recorded: they write to the streams what ingest would, so that the machine's cores are left to the line.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
import urllib.request
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from neopain.bootstrap.line import Line, LineSettings
from neopain.bootstrap.observed import inference_count
from neopain.bootstrap.places import state_folder
from neopain.bootstrap.prerecorded import PrerecordedBed
from neopain.bootstrap.summary import Percentiles, nearest_rank, percentiles
from neopain.bus.bus import Bus
from neopain.bus.streams import SCORES, TICKS
from neopain.domain.identity import BedId, bed_id
from neopain.domain.score import Outcome, Score
from neopain.models.repository import committed_repository
from neopain.wire.score import decode_score, decode_tick

PAST_SECONDS = 12.0
"""What the senders begin with, all at once: every modality fills its window."""
WARM_UP_SECONDS = 4.0
"""Until that is read and the first windows are scored; not counted."""
ANSWERED_WITHIN_SECONDS = 20.0
"""A tick that has neither a score nor a missed window by then counts as unanswered: a tick is given up after 10 s, and
a request in hand may take its own deadline longer."""
PARTS = ("read", "features", "inference", "publish")


@dataclass(frozen=True, slots=True)
class LatencyOptions:
    """What the command line asked for."""

    seconds: float
    beds: int
    as_json: bool
    state_dir: Path | None


@dataclass(frozen=True, slots=True)
class LatencyResult:
    """Milliseconds from the tick's id to the score's id; ``parts_mean_ms`` by the worker's own clocks."""

    beds: int
    seconds: float
    scores: int
    abstained: int
    missed: int
    unanswered: int
    triton_inferences: int
    all_modalities_present: int
    latency_ms: Percentiles
    latency_p99_ms: float
    parts_mean_ms: dict[str, float] = field(default_factory=dict)
    model: str = ""
    weights: str = ""


def run_latency(options: LatencyOptions) -> int:
    """Measures and prints; 1 when a window was missed or has no answer."""
    repository = committed_repository()
    settings = LineSettings(state_folder(options.state_dir, "bench"), repository, with_charting=False)
    played = PAST_SECONDS + WARM_UP_SECONDS + options.seconds + 1
    beds = [PrerecordedBed(bed_id(unit="BENCH", bed=f"{n + 1}"), seed=n, seconds=played) for n in range(options.beds)]
    with Line(settings) as line:
        line.start_servers()
        line.start_service("scoring", "worker")
        line.start_service("scoring", "ticker")
        line.wait_ready("scoring-worker", "scoring-ticker")
        print("neopain: measuring", file=sys.stderr, flush=True)
        result = asyncio.run(_measure(line, beds, options.seconds))
    print(json.dumps(asdict(result)) if options.as_json else _as_text(result))
    return 0 if result.scores and not result.missed and not result.unanswered else 1


async def _measure(line: Line, beds: list[PrerecordedBed], seconds: float) -> LatencyResult:
    bus = Bus(line.bus_settings.address())
    stop = asyncio.Event()
    try:
        senders = [asyncio.create_task(bed.play(bus, stop, past_seconds=PAST_SECONDS)) for bed in beds]
        await asyncio.sleep(WARM_UP_SECONDS)
        begin_id, inferences = await _now_id(bus), _inferences(line)
        before = _part_sums(line)
        await asyncio.sleep(seconds)
        end_id = await _now_id(bus)
        stop.set()
        await asyncio.gather(*senders)
        ticks = await _ticks(bus, begin_id, end_id)
        answered = await _answers(bus, ticks, begin_id)
        return _result(
            line,
            beds=len(beds),
            seconds=seconds,
            unanswered=len(ticks) - len(answered),
            answered=answered,
            before=before,
            counted=inferences,
        )
    finally:
        await bus.aclose()


async def _ticks(bus: Bus, begin_id: str, end_id: str) -> dict[tuple[BedId, datetime], int]:
    """When each window of the measured time was asked for, in milliseconds of the bus's clock.

    Windows that close after the senders were stopped are not fresh: they are not measured.
    """
    ticks = {}
    for entry in await bus.read_range(TICKS, first=begin_id, last=end_id):
        tick = decode_tick(entry.payload)
        ticks[tick.bed, tick.window_end] = _milliseconds(entry.id)
    return ticks


async def _answers(bus: Bus, ticks: dict[tuple[BedId, datetime], int], begin_id: str) -> list[tuple[Score, int]]:
    """The first answer to each tick with its latency in milliseconds; waits for those that are still being made."""
    give_up = time.monotonic() + ANSWERED_WITHIN_SECONDS
    while True:
        answers: dict[tuple[BedId, datetime], tuple[Score, int]] = {}
        for entry in await bus.read_range(SCORES, first=begin_id):
            score = decode_score(entry.payload)
            key = (score.bed, score.window_end)
            if key in ticks and key not in answers:
                answers[key] = (score, _milliseconds(entry.id) - ticks[key])
        if len(answers) == len(ticks) or time.monotonic() > give_up:
            return list(answers.values())
        await asyncio.sleep(0.2)


def _result(
    line: Line,
    *,
    beds: int,
    seconds: float,
    unanswered: int,
    answered: list[tuple[Score, int]],
    before: dict[str, tuple[float, float]],
    counted: int,
) -> LatencyResult:
    scored = [(score, latency) for score, latency in answered if score.outcome is Outcome.SCORED]
    latencies = [float(latency) for _, latency in scored]
    return LatencyResult(
        beds=beds,
        seconds=seconds,
        scores=len(scored),
        abstained=sum(score.outcome is Outcome.ABSTAINED for score, _ in answered),
        missed=sum(score.outcome is Outcome.MISSED for score, _ in answered),
        unanswered=unanswered,
        triton_inferences=_inferences(line) - counted,
        all_modalities_present=sum(all(p.is_present for p in score.presences) for score, _ in scored),
        latency_ms=percentiles(latencies),
        latency_p99_ms=nearest_rank(sorted(latencies), 0.99) if latencies else 0.0,
        parts_mean_ms=_part_means(before, _part_sums(line)),
        model=scored[0][0].model.name if scored else "",
        weights=scored[0][0].model.weights.value if scored else "",
    )


async def _now_id(bus: Bus) -> str:
    seconds, microseconds = await bus.durable.time()
    return str(int(seconds) * 1000 + int(microseconds) // 1000)


def _milliseconds(entry_id: str) -> int:
    return int(entry_id.split("-", maxsplit=1)[0])


def _inferences(line: Line) -> int:
    return inference_count(str(line.urls.triton_metrics), "video_encoder")


def _part_sums(line: Line) -> dict[str, tuple[float, float]]:
    """Sum in seconds and count of each part's histogram, from the worker's own metrics."""
    url = f"http://127.0.0.1:{line.ready_ports['scoring-worker']}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        text = answer.read().decode()
    return {part: (_metric(text, f"{part}_seconds_sum"), _metric(text, f"{part}_seconds_count")) for part in PARTS}


def _metric(text: str, name: str) -> float:
    found = re.search(rf"^neopain_scoring_{name} (\S+)$", text, flags=re.MULTILINE)
    return float(found.group(1)) if found else 0.0


def _part_means(before: dict[str, tuple[float, float]], after: dict[str, tuple[float, float]]) -> dict[str, float]:
    means = {}
    for part in PARTS:
        count = after[part][1] - before[part][1]
        means[part] = round((after[part][0] - before[part][0]) / count * 1000, 2) if count else 0.0
    return means


def _as_text(result: LatencyResult) -> str:
    return "\n".join(f"{name}: {value}" for name, value in asdict(result).items())
