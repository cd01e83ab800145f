"""A run: a folder in which one training lives, over as many legs as it takes.

- ``run.json``: what was asked for; a leg that asks for something else is refused
- ``start.pt``: the weights that it began with
- ``windows/``: the prepared windows of its data sets
- ``stages/<stage>.pt``: where each stage stands, or its result
- ``curves/<stage>.csv``: loss and tune MAE by step
- ``tokens/``: what the encoders say of all windows
- ``figures.json``: steps, seconds and tune MAE of each stage and each baseline
- ``baselines.pt``: what the fusion is compared with
- ``checkpoint.pt``: the result, written last
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from neopain.domain.score import Weights
from neopain.errors import ConfigurationError
from neopain.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from neopain.models.networks import Networks, build_networks
from neopain.training.baselines.saved import save_baselines
from neopain.training.config import TrainConfig
from neopain.training.course import Course, Outcome, Start
from neopain.training.fingerprints import fingerprints, noted
from neopain.training.leg import Leg, LegOver, Told
from neopain.training.machine import Machine, find_machine, half_name
from neopain.training.pool import Pool
from neopain.training.stage import Workplace
from neopain.training.windows import PreparedWindows, prepare

RUN_FILE = "run.json"
START_FILE = "start.pt"
FIGURES_FILE = "figures.json"
CHECKPOINT_FILE = "checkpoint.pt"
DATASET_FILE = "dataset.json"
"""What the maker of a data set says about it; the simulator's names ``simulator``, its version."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a training was asked for."""

    data: tuple[Path, ...]
    """Folders with a manifest."""
    config: TrainConfig
    out: Path
    seed: int
    heads_data: tuple[Path, ...] = ()
    """Folders whose infants only the fusion head and the baselines learn from."""
    start: Path | None = None
    """A checkpoint to begin with; the sizes of the nets are then its own."""
    device: str = "cpu"
    workers: int = 1
    code: str = ""
    """Which code this is; for the record."""


def train(asked: Asked, leg: Leg, told: Told) -> Path | None:
    """Trains in the run's folder, from where it stands; the path of the checkpoint, None when the leg ended first.

    ``ConfigurationError``: the data, the config or the start cannot be used, or the folder holds another training.
    """
    checkpoint = asked.out / CHECKPOINT_FILE
    about: dict[str, Any] = {}
    if asked.start is not None:
        start = load_checkpoint(asked.start)
        asked, about = replace(asked, config=replace(asked.config, nets=start.config)), start.about
    _require_kept(asked, about)
    windows = _prepared(asked, told)
    pool = Pool(windows)
    facts = _facts(asked, windows, about)
    machine = _machine(asked, facts)
    told.say(f"{len(pool)} windows of {facts['infants']} infants; {machine.told}")
    if checkpoint.exists():
        told.say("this training is done")
        return checkpoint
    place = Workplace(
        machine=machine,
        leg=leg,
        told=told,
        folder=asked.out,
        seed=asked.seed,
        readers=asked.config.readers,
        save_seconds=asked.config.save_seconds,
    )
    key = " ".join(one["digest"] for one in facts["data"])
    heads_from = sum(len(one) for one in windows[: len(asked.data)])
    try:
        outcome = Course(pool, asked.config, _start(asked), key=key, place=place, heads_from=heads_from).run()
    except LegOver:
        return None
    _write(asked, facts, outcome)
    return checkpoint


def _prepared(asked: Asked, told: Told) -> list[PreparedWindows]:
    """The windows of each data set; a broken file is told and left out, like a modality that was not recorded."""
    if not asked.data:
        raise ConfigurationError("nothing to train on: give --data with a folder that holds a manifest.csv")
    found = []
    for folder in (*asked.data, *asked.heads_data):
        begun: list[int] = []

        def progress(done: int, total: int, folder: Path = folder, begun: list[int] = begun) -> None:
            if not begun:
                begun.append(done)
                told.begin(f"windows of {folder.name}", float(total), float(done))
            told.advance(float(done), "")

        windows = prepare(folder, asked.out / "windows", workers=asked.workers, strict=False, progress=progress)
        for broken in windows.broken[:3]:
            told.say(f"left out: {broken}")
        if len(windows.broken) > 3:
            told.say(f"left out: {len(windows.broken) - 3} more files of {folder}; 'neopain data check' names them")
        found.append(windows)
    return found


def _require_kept(asked: Asked, start: dict[str, Any]) -> None:
    """``ConfigurationError`` when an encoder is to be kept that nobody has taught."""
    config = asked.config
    kept = [name for name in ("face", "audio", "vitals") if getattr(config, name).keep]
    if kept and start.get("weights", Weights.UNTRAINED.value) == Weights.UNTRAINED.value and "encoders" not in start:
        raise ConfigurationError(
            f"[{kept[0]}] keep = true keeps an encoder that --start gives, and no trained one is given: take one of"
            " 'neopain model import --encoders', or of an earlier training"
        )


def _facts(asked: Asked, windows: Sequence[PreparedWindows], start: dict[str, Any]) -> dict[str, Any]:
    """What ``run.json`` says; the folder's own, if there is one and it asks for the same.

    ``start`` is what the checkpoint tells that the training begins with: whose infants its weights know counts for
    those that come of it.
    """
    data = [
        {
            "folder": folder.name,
            "digest": one.folder.name,
            "windows": len(one),
            "infants": len({segment.subject.id for segment in one.segments}),
            "dataset": _dataset(folder),
            **noted(fingerprints(one.segments, folder)),
        }
        for folder, one in zip((*asked.data, *asked.heads_data), windows, strict=True)
    ]
    for one in data[len(asked.data) :]:
        one["teaches"] = "heads"
    wanted = {
        "seed": asked.seed,
        "config": json.loads(json.dumps(asdict(asked.config))),
        "start": hashlib.sha256(asked.start.read_bytes()).hexdigest() if asked.start else "",
        "data": data,
    }
    path = asked.out / RUN_FILE
    if not path.exists():
        infants = {segment.subject.id for one in windows for segment in one.segments}
        facts = wanted | {"infants": len(infants), "code": asked.code, "half": {}}
        if start:
            facts["began_with"] = {name: value for name, value in start.items() if name not in {"config", "figures"}}
        _write_json(path, facts)
        return facts
    facts = _read_json(path)
    for name, value in wanted.items():
        if facts.get(name) != value:
            raise ConfigurationError(
                f"{asked.out} holds a training with another {name}: give the same, or another folder with --out"
                + (" (its files may have changed, or the code that prepares them)" if name == "data" else "")
            )
    return facts


def _dataset(folder: Path) -> dict[str, Any]:
    path = folder / DATASET_FILE
    return _read_json(path) if path.exists() else {}


def _machine(asked: Asked, facts: dict[str, Any]) -> Machine:
    """The device; its precision is found out once per run, so that each leg on it computes the same."""
    machine = find_machine(asked.device, half=facts["half"].get(asked.device))
    if asked.device not in facts["half"]:
        facts["half"][asked.device] = half_name(machine)
        _write_json(asked.out / RUN_FILE, facts)
    return machine


def _start(asked: Asked) -> Start:
    """The weights to begin with: those of ``--start``, or seeded ones, which are kept since their making takes a while.

    ``ConfigurationError``: the file does not hold all tensors of the nets.
    """
    path = asked.start or asked.out / START_FILE
    if asked.start is None and not path.exists():
        networks = build_networks(asked.config.nets, seed=asked.seed)
        about = {"weights": Weights.UNTRAINED.value, "seed": asked.seed}
        save_checkpoint(path, Checkpoint(asked.config.nets, networks.state_dict(), about))
    checkpoint = load_checkpoint(path)
    # Not on the device "meta", which has shapes alone: its first sum costs torch some seconds of imports.
    wanted = {name: tensor.shape for name, tensor in Networks(asked.config.nets).state_dict().items()}
    found = {name: tensor.shape for name, tensor in checkpoint.state.items()}
    if found != wanted:
        differing = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        raise ConfigurationError(
            f"{path} does not fit the nets: {len(differing)} tensors differ, the first is {differing[0]}; take one that"
            " 'neopain train' or 'neopain model import' of this version wrote"
        )
    is_trained = checkpoint.about.get("weights") != Weights.UNTRAINED.value
    return Start(checkpoint.state, is_given=asked.start is not None, is_trained=is_trained)


def _write(asked: Asked, facts: dict[str, Any], outcome: Outcome) -> None:
    """The result; the checkpoint last, since it says that all is there."""
    baselines = {name: asdict(one.effort) for name, one in outcome.baselines.items()}
    figures = {"tune": outcome.tune, "stages": outcome.figures, "baselines": baselines}
    _write_json(asked.out / FIGURES_FILE, figures)
    save_baselines(asked.out, asked.config.nets, outcome.baselines)
    about = facts | {"weights": _weights(facts).value, "figures": figures}
    checkpoint = Checkpoint(asked.config.nets, outcome.networks.state_dict(), about)
    save_checkpoint(asked.out / CHECKPOINT_FILE, checkpoint)


def _weights(facts: dict[str, Any]) -> Weights:
    """One simulated infant among others' is enough to say so, also one whom the weights knew that it began with."""
    began_with = facts.get("began_with", {})
    encoders = began_with.get("encoders", {})
    is_simulated = any("simulator" in one["dataset"] for one in facts["data"])
    was_simulated = Weights.SIMULATOR.value in (began_with.get("weights"), encoders.get("weights"))
    return Weights.SIMULATOR if is_simulated or was_simulated else Weights.SITE


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{path} cannot be read as JSON ({error}): mend it, or delete it") from error


def _write_json(path: Path, fields: dict[str, Any]) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w") as file:
            file.write(json.dumps(fields, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written ({error.strerror}): give another --out") from error
