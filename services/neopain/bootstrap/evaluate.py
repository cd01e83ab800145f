"""``neopain evaluate``: a model against rated infants that it has never met, to figures and a report."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neopain import __version__
from neopain.bootstrap.evaluated_data import EvaluatedData, cohort, own_data
from neopain.bootstrap.evaluated_model import TRITON, EvaluatedModel, find_model
from neopain.bootstrap.places import state_folder
from neopain.bootstrap.train import Teller, code_version
from neopain.domain.calibration import identity
from neopain.errors import ConfigurationError

if TYPE_CHECKING:
    from neopain.bootstrap.served_answers import ServedAnswers
    from neopain.domain.annotation import Segment
    from neopain.training.baselines.models import Baseline
    from neopain.training.evaluate import About
    from neopain.training.judged import Judged
    from neopain.training.leg import Told
    from neopain.training.predictions import Predictions

NEEDED = ("torch", "scipy", "sklearn", "matplotlib", "jinja2")
"""What evaluating needs beside what serving needs."""
LIBRARIES = ("numpy", "openvino", "torch", "scikit-learn", "scipy")


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What ``evaluate`` was asked for; exactly one of ``cohort_seed`` and ``data``."""

    cohort_seed: int | None = None
    data: Path | None = None
    infants: int = 127
    model: Path | None = None
    engine: str | None = None
    baselines: Path | None = None
    split: str = "none"
    cutoff_nips: float = 3.0
    seed: int = 0
    resamples: int = 2000
    device: str = "cpu"
    out: Path | None = None
    state_dir: Path | None = None
    as_json: bool = False
    command: tuple[str, ...] = ()
    """The command line, for the record."""


@dataclass(frozen=True, slots=True)
class Timed:
    """How long things took: ``windows`` through the encoders, and requests to a server where there was one."""

    windows: int
    encode_seconds: float
    served: tuple[float, ...] = ()
    """Milliseconds of each request."""


def run_evaluate(options: EvaluateOptions) -> int:
    """Evaluates, writes the report and prints the headline; 0.

    ``ConfigurationError`` when something given cannot be used, or the model was made from these very infants.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigurationError(f"evaluating needs {', '.join(missing)}: run './neopain install training'")
    if (options.cohort_seed is None) == (options.data is None):
        raise ConfigurationError("give either --cohort-seed N, or --data with the folder of a data set")
    state = state_folder(options.state_dir, "evaluate")
    model = find_model(options.model, options.engine)
    baselines = model.baselines(options.baselines)
    with Teller() as told:
        _require_unknown(model, options)
        data = _data(options, state, told)
        judged, timed = _judged(options, model, data, baselines, state=state, told=told)
        about = _about(options, model, data, timed, baselines)
        out = options.out or state / f"{model.name}-{data.name}-{model.engine}"
        found = _write_report(judged, about, out, resamples=options.resamples, told=told)
    _print(found, out, as_json=options.as_json)
    return 0


def _data(options: EvaluateOptions, state: Path, told: Told) -> EvaluatedData:
    if options.data is not None:
        return own_data(options.data)
    return cohort(state, seed=options.cohort_seed or 0, infants=options.infants, told=told)


def _require_unknown(model: EvaluatedModel, options: EvaluateOptions) -> None:
    """Refuses the cohorts that went into the model."""
    seed = options.cohort_seed if options.data is None else own_data(options.data).simulated_seed
    if seed is not None and seed in model.simulated_seeds():
        raise ConfigurationError(
            f"the cohort of seed {seed} went into {model.name}: figures would say how well it remembers; "
            "give another seed"
        )


def _judged(
    options: EvaluateOptions,
    model: EvaluatedModel,
    data: EvaluatedData,
    baselines: Mapping[str, Baseline],
    *,
    state: Path,
    told: Told,
) -> tuple[Judged, Timed]:
    """Windows through the model, raw, then calibrated."""
    from neopain.training.exported_nets import predictions_of
    from neopain.training.judged import Split, judge, judgeable, raw_predictions
    from neopain.training.nets import encode_all

    split = Split(options.split)
    own = model.calibration() if split is Split.NONE else identity()
    windows = data.windows(state / "windows", told)
    model.require_strangers(windows, data.folder)
    indices = judgeable(windows.segments, windows.labels)
    segments = tuple(windows.segments[index] for index in indices.tolist())
    if not any(segment.has_infant for segment in segments):
        raise ConfigurationError(f"no segment of {data.folder} has an infant and a NIPS rating: nothing can be judged")
    served: ServedAnswers | None = None
    if model.engine == TRITON:
        from neopain.bootstrap.served_answers import ask_triton

        served = ask_triton(model.place, state, windows, indices.tolist(), told)
    nets = model.nets(options.device)
    began = time.monotonic()
    encoded = encode_all(nets, windows, indices, told)
    seconds = time.monotonic() - began
    told.say("fusing, calibrating and computing the figures")
    answers = predictions_of(served.outputs, encoded.letters) if served else None
    raw = raw_predictions(nets, encoded, segments, baselines, served=answers)
    done = judge(raw, split, own=own, seed=options.seed)
    prolonged = _prolonged(model, tuple(one for one in segments if one.has_infant), done)
    done = replace(done, prolonged=prolonged)
    return done, Timed(len(segments), seconds, served.milliseconds if served else ())


def _about(
    options: EvaluateOptions,
    model: EvaluatedModel,
    data: EvaluatedData,
    timed: Timed,
    baselines: Mapping[str, Baseline],
) -> About:
    from neopain.training.evaluate import About

    libraries = {name: metadata.version(name) for name in LIBRARIES}
    return About(
        model=model.name,
        weights=model.weights,
        engine=model.engine,
        data=data.text,
        is_simulated=data.is_simulated,
        command=shlex.join(("neopain", *(options.command or ("evaluate",)))),
        split=options.split,
        cutoff_nips=options.cutoff_nips,
        seed=options.seed,
        calibration=model.calibrated() if options.split == "none" else "fitted fold by fold to the other infants",
        versions={"neopain": __version__, "code": code_version(), "python": platform.python_version(), **libraries},
        training=model.facts(),
        baselines={name: _effort(one) for name, one in baselines.items()},
        latency_ms=_percentiles(timed.served),
        cost={"windows through the encoders": _cost(timed)},
        machine=_machine(options),
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )


def _effort(baseline: Baseline) -> dict[str, object]:
    effort = baseline.effort
    budget = f"{effort.steps} steps, {effort.seconds:.0f} s" if effort.steps else f"{effort.seconds:.0f} s"
    return {"trials": effort.trials, "budget": budget, "tune_mae": effort.tune_mae}


def _prolonged(model: EvaluatedModel, segments: Sequence[Segment], done: Judged) -> dict[str, Any] | None:
    """The figures of prolonged pain, where the model came with an aggregator and there are courses of hours."""
    from neopain.training.predictions import FUSION
    from neopain.training.prolonged import looks_of, prolonged_figures

    aggregator = model.prolonged()
    looks = looks_of(segments, done.predictions.models[FUSION])
    return prolonged_figures(aggregator, looks) if aggregator is not None and looks else None


def _percentiles(milliseconds: tuple[float, ...]) -> dict[str, float]:
    from neopain.bootstrap.summary import nearest_rank

    if not milliseconds:
        return {}
    ordered = sorted(milliseconds)
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {name: nearest_rank(ordered, share) for name, share in shares.items()} | {"windows": float(len(ordered))}


def _cost(timed: Timed) -> str:
    each = 1000 * timed.encode_seconds / timed.windows
    return f"{timed.encode_seconds:.0f} s for {timed.windows}, {each:.0f} ms each with reading"


def _machine(options: EvaluateOptions) -> str:
    name = next((line.split(":", 1)[1].strip() for line in _processor_lines() if line.startswith("model name")), "")
    device = f", {options.device}" if options.device != "cpu" else ""
    return f"{name or platform.machine()}, {len(os.sched_getaffinity(0))} processors{device}"


def _processor_lines() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []


def _write_report(judged: Judged, about: About, out: Path, *, resamples: int, told: Told) -> dict[str, Any]:
    """Writes all files, whole or not at all, and returns the figures."""
    from neopain.training.evaluate import Resampling, figures
    from neopain.training.report.card import model_card
    from neopain.training.report.page import report_page
    from neopain.training.report.tripod import tripod_markdown
    from neopain.training.report.windows_table import windows_table

    predictions: Predictions = judged.predictions
    found = figures(
        predictions,
        judged.patterns,
        about,
        without_infant=judged.without_infant if judged.without_infant.windows else None,
        resampling=Resampling(about.seed, resamples),
    ) | {"prolonged": judged.prolonged}
    told.say("drawing the report")
    texts = {
        "figures.json": json.dumps(found, indent=1, allow_nan=False) + "\n",
        "predictions.csv": windows_table(predictions),
        "tripod.md": tripod_markdown(found),
        "model-card.md": model_card(found),
        "report.html": report_page(found, predictions),
    }
    for name, text in texts.items():
        _write(out / name, text)
    return found


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written ({error.strerror}): give another --out") from error


def _print(found: dict[str, Any], out: Path, *, as_json: bool) -> None:
    from neopain.training.evaluate import headline

    if as_json:
        print(f"report: {out / 'report.html'}", file=sys.stderr)
        print(json.dumps(headline(found)))
        return
    told = {True: "met", False: "NOT MET", None: "not known"}
    for goal in found["goals"]:
        print(f"{told[goal['met']]:10}{goal['name']}: {goal['reached']} (goal {goal['goal']})")
    print(out / "report.html")
