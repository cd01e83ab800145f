"""``neopain simulate bound``: watches simulated infants, lets readers learn from some and judges them by others."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from neopain.domain.calibration import PATTERNS
from neopain.errors import ConfigurationError

if TYPE_CHECKING:
    from neopain.training.bound import Shown
    from neopain.training.leg import Told

NEEDED = ("sklearn", "scipy")
TITLES = {"signs": "what the infants do", "devices": "what perfect devices would tell"}
AT_ONCE = 25
"""Infants that are watched together."""


@dataclass(frozen=True, slots=True)
class BoundOptions:
    """What ``simulate bound`` was asked for: readers learn from the infants of one seed and are judged by another's."""

    seed: int
    infants: int = 127
    learn_seed: int = 3001
    learn_infants: int = 600
    patterns: tuple[str, ...] = ()
    resamples: int = 2000
    workers: int | None = None
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class _Some:
    """Infants of one cohort, by their first number and the one after the last."""

    seed: int
    first: int
    end: int


def run_bound(options: BoundOptions) -> int:
    """Prints the errors of the readers; 0.

    ``ConfigurationError`` when what it needs is not installed, a pattern is none, or both seeds are the same.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigurationError(f"the bound needs {', '.join(missing)}: run './neopain install training'")
    if options.seed == options.learn_seed:
        raise ConfigurationError(f"infants of seed {options.seed} would teach and judge: give another --learn-seed")
    if unknown := [pattern for pattern in options.patterns if pattern not in PATTERNS]:
        raise ConfigurationError(f"'{unknown[0]}' is no presence pattern, expected one of {', '.join(PATTERNS)}")
    found = _found(options)
    print(json.dumps(found) if options.as_json else "\n".join(_lines(found)))
    return 0


def _found(options: BoundOptions) -> dict[str, Any]:
    from neopain.bootstrap.train import Teller
    from neopain.simulator.cohort import sources_digest
    from neopain.training.bound import Readers, bound_figures
    from neopain.training.figures.sample import Resampling

    with Teller() as told:
        workers = options.workers or len(os.sched_getaffinity(0))
        taught = _watched(options.learn_seed, options.learn_infants, workers, told)
        asked = _watched(options.seed, options.infants, workers, told)
        figures = bound_figures(Readers(taught, asked), options.patterns, Resampling(resamples=options.resamples), told)
    return {
        "seed": options.seed,
        "infants": options.infants,
        "windows": len(asked.labels),
        "learnt_from": {"seed": options.learn_seed, "infants": options.learn_infants, "windows": len(taught.labels)},
        "simulator": sources_digest()[:8],
        **figures,
    }


def _watched(seed: int, infants: int, workers: int, told: Told) -> Shown:
    """What the first so many infants of that seed show."""
    from neopain.training.bound import joined
    from neopain.training.processes import in_processes

    work = [_Some(seed, first, min(first + AT_ONCE, infants + 1)) for first in range(1, infants + 1, AT_ONCE)]
    told.begin(f"infants of seed {seed}", infants, 0)
    parts: dict[str, Shown] = {}
    results = map(_watch, work) if workers <= 1 or len(work) <= 1 else in_processes(_watch, work, workers=workers)
    for part in results:
        parts[str(part.infants[0])] = part
        told.advance(len({name for one in parts.values() for name in one.infants.tolist()}), "")
    return joined([parts[name] for name in sorted(parts)])


def _watch(some: _Some) -> Shown:
    from neopain.bootstrap.bound.shown import shown

    return shown(some.seed, range(some.first, some.end))


def _lines(found: dict[str, Any]) -> list[str]:
    lines = []
    for view, title in TITLES.items():
        lines.append(f"MAE of 10, readers of {title}")
        lines += [f"{pattern:6}{_told(figures)}" for pattern, figures in found[view]["patterns"].items()]
        lines += [f"without {name}: {_percent(rise)} more" for name, rise in found[view]["missing"].items()]
    return lines


def _told(figures: dict[str, Any]) -> str:
    mae, supports = figures["mae"], figures["by_support"]
    by_support = ", ".join(f"{name} {value:.2f}" for name, value in supports.items() if value is not None)
    return f"{mae['value']:.2f} ({mae['low']:.2f} to {mae['high']:.2f})  {by_support}"


def _percent(estimate: dict[str, float]) -> str:
    value, low, high = (round(100 * estimate[end]) for end in ("value", "low", "high"))
    return f"{value} % ({low} to {high} %)"
