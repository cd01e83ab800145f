"""From what models say of rated windows to every figure of an evaluation, as JSON.

``figures`` is pure: whoever calls it has made the predictions, calibrated them, and says where they come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

from neopain.errors import ConfigurationError
from neopain.training.figures import accuracy, cohort, comparisons, doubt, goals, groups, presence, raters
from neopain.training.figures.comparisons import UNCALIBRATED
from neopain.training.figures.sample import Node, Resampling, sample_of
from neopain.training.predictions import FUSION, Predictions

__all__ = ["UNCALIBRATED", "About", "Resampling", "figures", "headline"]

SCHEMA: Final = "neopain-figures-v1"


@dataclass(frozen=True, slots=True)
class About:
    """Where predictions come from: all that a reader needs to judge them, or to make them again."""

    model: str
    weights: str
    """What they are worth: a value of ``domain.score.Weights``."""
    engine: str
    data: str
    """In words."""
    is_simulated: bool
    command: str
    split: str = "none"
    cutoff_nips: float = 3.0
    seed: int = 0
    calibration: str = "none"
    """In words: what the margins were fitted to."""
    versions: dict[str, str] = field(default_factory=dict)
    training: dict[str, str] = field(default_factory=dict)
    """What the weights' maker noted: seed, data, code, cost."""
    baselines: dict[str, dict[str, object]] = field(default_factory=dict)
    """``trials`` and ``budget`` of each baseline."""
    latency_ms: dict[str, float] = field(default_factory=dict)
    """``p50``, ``p95`` and ``p99`` of one window through the engine, features ready, and ``windows`` measured."""
    cost: dict[str, str] = field(default_factory=dict)
    """In words: what was done, and how long it took."""
    machine: str = ""
    made: str = ""
    """When, in UTC."""


def figures(
    predictions: Predictions,
    patterns: Mapping[str, Predictions] | None,
    about: About,
    *,
    without_infant: Predictions | None = None,
    resampling: Resampling = Resampling(),  # noqa: B008 -- frozen
) -> Node:
    """Every figure of the served model, ``FUSION``, and its comparison with all other models of the predictions.

    ``patterns`` are the same windows with less present, by pattern; None: not asked. Of ``without_infant``, windows
    that show none, only the abstentions are read. Windows whose answer is not finite are counted and left out.
    ``ConfigurationError`` when there is no window.
    """
    if not predictions.windows:
        raise ConfigurationError("there is no rated window with an infant: nothing can be evaluated")
    answers, sample = predictions.models[FUSION], sample_of(predictions, FUSION)
    by_pattern = patterns or {}
    found: Node = {
        "schema": SCHEMA,
        "about": asdict(about),
        "cohort": cohort.cohort(
            predictions.windows, without_infant=len(without_infant.windows) if without_infant else 0
        ),
        "raters": raters.raters(sample, resampling),
        "accuracy": accuracy.accuracy(sample, resampling),
        "bland_altman": accuracy.limits_of_agreement(sample, resampling),
        "reliability": accuracy.reliability(sample, resampling),
        "decision": accuracy.decision(sample, resampling, cutoff_nips=about.cutoff_nips),
        "intervals": doubt.intervals(sample, cutoff_nips=about.cutoff_nips),
        "abstention": doubt.abstention(predictions, FUSION, without_infant, resampling),
        "sedation": doubt.sedation(predictions.windows, answers, resampling),
        "groups": groups.groups(sample, resampling),
        "patterns": presence.patterns(by_pattern, resampling),
        "missing": presence.missing(by_pattern),
        "modalities": presence.modalities(predictions.windows, answers, resampling),
        "comparisons": comparisons.comparisons(predictions, about.baselines, resampling),
    }
    return found | {"goals": goals.goals(found)}


def headline(found: Node) -> Node:
    """The few figures that the command prints as its last line."""
    ninety = found["intervals"]["levels"]["0.9"]
    return {
        "mae": found["accuracy"]["mae"]["value"],
        "icc21": found["accuracy"]["icc21"]["value"],
        "coverage90": ninety["coverage"]["value"],
        "width90": ninety["width"],
        "wilcoxon_p_max": found["comparisons"]["p_max"],
        "abstained": found["abstention"]["share"],
        "n_infants": found["cohort"]["infants"],
        "engine": found["about"]["engine"],
    }
