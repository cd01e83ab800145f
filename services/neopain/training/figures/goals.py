"""The figures to reach (DESIGN section 4), what was reached, and whether that meets them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from neopain.domain.calibration import PATTERNS
from neopain.training.figures.sample import Node

LEAST_WINDOWS = 40
"""Groups with fewer windows are told, not judged."""
NINETY = "0.9"


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure to reach. ``met`` is None where the data cannot tell."""

    name: str
    goal: str
    reached: str
    met: bool | None


def goals(figures: Node) -> list[Node]:
    """All goals, in the design's order."""
    return [asdict(goal(figures)) for goal in GOALS]


def _at_most(name: str, limit: float, value: float | None, digits: int) -> Goal:
    met = None if value is None else value <= limit
    return Goal(name, f"at most {limit:.{digits}f}", "–" if value is None else f"{value:.{digits}f}", met)


def _percent_at_most(name: str, limit: float, value: float | None) -> Goal:
    met = None if value is None else value <= limit
    return Goal(name, f"at most {_percent(limit, 0)}", "–" if value is None else _percent(value), met)


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def _mae(figures: Node) -> Goal:
    return _at_most("mean absolute error, all windows with an infant", 0.84, figures["accuracy"]["mae"]["value"], 2)


def _abstained(figures: Node) -> Goal:
    return _percent_at_most("windows with an infant without an answer", 0.05, figures["abstention"]["share"])


def _icc(figures: Node) -> Goal:
    value = figures["accuracy"]["icc21"]["value"]
    met = None if value is None else value >= 0.93
    return Goal("ICC(2,1) with the raters' mean", "at least 0.93", "–" if value is None else f"{value:.3f}", met)


def _baselines(figures: Node) -> Goal:
    p = figures["comparisons"]["p_max"]
    met = None if p is None else p < 0.001
    count = len(figures["comparisons"]["baselines"])
    return Goal(
        f"better than each of {count} baselines (Wilcoxon, Holm)" if count else "better than every baseline",
        "p below 0.001",
        "–" if p is None else "largest p below 0.0001" if p < 0.0001 else f"largest p {p:.4f}",
        met,
    )


def _coverage(figures: Node) -> Goal:
    value = figures["intervals"]["levels"][NINETY]["coverage"]["value"]
    met = None if value is None else 0.87 <= value <= 0.93
    return Goal("coverage of the 90 % intervals", "87 to 93 %", "–" if value is None else _percent(value), met)


def _group_coverage(figures: Node) -> Goal:
    judged = [(node["coverage90"]["value"], name) for name, node in _judged(figures)]
    known = [(value, name) for value, name in judged if value is not None]
    reached, met = "–", None
    if known:
        value, name = min(known)
        reached, met = f"lowest {_percent(value)} ({name})", value >= 0.85
    return Goal(
        f"their coverage in each age band and pattern with {LEAST_WINDOWS} windows or more",
        "at least 85 %",
        reached,
        met,
    )


def _judged(figures: Node) -> Iterator[tuple[str, Node]]:
    for kind in (figures["groups"].get("ga_band", {}), figures["patterns"]):
        yield from ((name, node) for name, node in kind.items() if node["windows"] >= LEAST_WINDOWS)


def _width(figures: Node) -> Goal:
    return _at_most("their mean width", 3.5, figures["intervals"]["levels"][NINETY]["width"], 2)


def _crps(figures: Node) -> Goal:
    ours, constant = figures["intervals"]["crps"], figures["intervals"]["crps_constant_width"]
    known = ours is not None and constant is not None
    reached = f"{ours:.3f} against {constant:.3f}" if known else "–"
    return Goal("CRPS", "below a model of constant width", reached, ours < constant if known else None)


def _patterns(figures: Node) -> Goal:
    served = [name for name in PATTERNS if figures["patterns"].get(name, {}).get("windows")]
    broken = sum(node["not_finite"] for node in figures["patterns"].values())
    met = None if not figures["patterns"] else len(served) == len(PATTERNS) and not broken
    reached = f"{len(served)} served, {broken} answers not finite" if figures["patterns"] else "–"
    return Goal("presence patterns", f"all {len(PATTERNS)} served, none gives NaN", reached, met)


def _rise(figures: Node) -> Goal:
    rises = {name: node["rise"] for name, node in figures["missing"].items() if node["rise"] is not None}
    worst = max(rises, key=lambda name: rises[name], default=None)
    reached = "–" if worst is None else f"at most {_percent(rises[worst], 0)} (without {worst})"
    met = None if worst is None else rises[worst] <= 0.25
    return Goal("rise of the error with one modality gone", "at most 25 %", reached, met)


def _wider(figures: Node) -> Goal:
    pairs = [
        (name, node["width_with"], node["width_without"])
        for name, node in figures["missing"].items()
        if node["width_with"] is not None and node["width_without"] is not None
    ]
    narrower = [name for name, before, after in pairs if after < before]
    reached = "–" if not pairs else f"narrower without {', '.join(narrower)}" if narrower else "wider in every case"
    return Goal("intervals with one modality gone", "wider", reached, not narrower if pairs else None)


def _empty(figures: Node) -> Goal:
    share = figures["abstention"]["without_infant"]["share"]
    reached = "–" if share is None else _percent(share)
    return Goal(
        "abstains on windows without an infant", "at least 95 %", reached, None if share is None else share >= 0.95
    )


GOALS: tuple[Callable[[Node], Goal], ...] = (
    _mae, _abstained, _icc, _baselines, _coverage, _group_coverage, _width, _crps, _patterns, _rise, _wider, _empty,
)  # fmt: skip
