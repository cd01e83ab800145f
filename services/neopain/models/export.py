"""Writes a model repository for Triton.

The whole repository is built in a folder beside its place and renamed, so that a reader sees all of it or none.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from torch import nn

from neopain.domain.score import ModelVersion
from neopain.errors import ConfigurationError
from neopain.features import signature
from neopain.models.engines import IR_FILE, SERVED, LocalEnsemble
from neopain.models.graph import (
    AUDIO_ENCODER,
    ENCODERS,
    ENSEMBLE,
    FUSION_HEAD,
    NETS,
    VIDEO_ENCODER,
    VITALS_ENCODER,
    NetSpec,
)
from neopain.models.networks import Networks, as_batch
from neopain.models.quantise import FlatFusion, compress, convert, quantise, save_ir
from neopain.models.repository import (
    BASELINES_FILE,
    CALIBRATION_FILE,
    GOLDEN_FILE,
    GRAPH,
    MODEL_FILE,
    PROLONGED_FILE,
    TOLERANCE,
    Arrays,
    Deviation,
    ExportedModel,
    GoldenWindow,
    deviation,
    lay_out_graph,
    read_model,
    save_golden,
    within,
)
from neopain.models.sample_windows import PATTERNS, Window

STORED_INT8 = (FUSION_HEAD.name, VITALS_ENCODER.name)
"""Nets whose weights are stored in int8 and that compute in floating point."""

INT8 = (*STORED_INT8, AUDIO_ENCODER.name, VIDEO_ENCODER.name)
"""Nets that are small in int8, in the order in which that is given up when it is not exact enough."""

KEPT_FLOAT32 = (AUDIO_ENCODER.name,)
"""Nets whose constants must not be stored as float16: the Fourier matrix of the log-mel needs its digits."""


@dataclass(frozen=True, slots=True)
class ExportWindows:
    """Windows with everything present: ``ranges`` tell the quantiser what there is, on ``checks`` and ``golden`` the
    engines are compared with float32; of ``golden`` are those that stay in the repository. The last one of either is in
    digital silence."""

    ranges: Sequence[Window]
    checks: Sequence[Window]
    golden: Sequence[Window]


@dataclass(frozen=True, slots=True)
class Identity:
    """Which nets these are: their name and worth, the seed, a digest of all that decides them, and what is told of
    how they were made (JSON-like)."""

    version: ModelVersion
    seed: int
    digest: str
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeptNets:
    """Nets whose files are taken as they lie in a ``repository``: what was proved of them stays proved of them."""

    repository: Path
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """What is not made by the export but goes along."""

    nets: KeptNets | None = None
    baselines: Path | None = None
    """The file that was made with the nets."""


def silenced(windows: Sequence[Window]) -> list[Window]:
    """The same windows, the last one in digital silence."""
    silence = np.zeros(signature.CRY.shape, dtype=np.float32)
    return [*windows[:-1], windows[-1] | {signature.CRY.name: silence}]


def export_networks(
    networks: Networks, out: Path, identity: Identity, windows: ExportWindows, taken: Taken | None = None
) -> ExportedModel:
    """Writes nets, graph, golden windows and ``model.json`` to ``out``; the heavy encoders in int8 if exact enough.

    Accuracy wins over latency: beyond the tolerance the nets of ``INT8`` stay in floating point, one after the other.
    What lay in ``out`` is replaced; in ``triton_models/`` itself the sources stay. A calibration never does, nor do
    baselines: they were for other nets.

    ``ConfigurationError``: ``out`` holds something else than an export writes, or with the nets that are taken the
    tolerance is passed however the others are stored.
    """
    require_replaceable(out)
    taken = taken or Taken()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as folder:
        building = Path(folder) / out.name
        building.mkdir()
        lay_out_graph(building)
        golden = [one for each in windows.golden for one in _in_all_patterns(networks, each)]
        save_golden(building, golden_windows(golden))
        checks = [one for each in windows.checks for one in _in_all_patterns(networks, each)]
        precision, reached = _write_nets(networks, building, checks + golden, windows.ranges, taken.nets)
        model = ExportedModel(
            version=identity.version,
            digest=identity.digest,
            seed=identity.seed,
            config=networks.config,
            precision=precision,
            tolerance=TOLERANCE,
            reached=reached,
            about=identity.about,
        )
        model.save(building)
        if taken.baselines is not None:
            shutil.copyfile(taken.baselines, building / BASELINES_FILE)
        put_in_place(building, out)
    return model


def require_replaceable(out: Path) -> None:
    """``ConfigurationError`` when a folder that an export would replace holds what no export has written."""
    if not out.exists() or out.resolve() == GRAPH:
        return
    if not out.is_dir():
        raise ConfigurationError(f"{out} is no folder: give a new one with --out")
    ours = {MODEL_FILE, GOLDEN_FILE, CALIBRATION_FILE, PROLONGED_FILE, BASELINES_FILE, *NETS, ENSEMBLE}
    if foreign := sorted(path.name for path in out.iterdir() if path.name.lstrip(".") not in ours):
        raise ConfigurationError(
            f"{out} holds {foreign[0]!r} ({len(foreign)} such), which an export would delete: give a folder of its own"
            " with --out"
        )


def put_in_place(building: Path, out: Path) -> None:
    """Puts a new repository where the old one is; into ``triton_models/`` file by file, ``model.json`` last."""
    if out.resolve() != GRAPH:
        if out.exists():
            shutil.rmtree(out)
        building.rename(out)
        return
    for stale in (MODEL_FILE, CALIBRATION_FILE, PROLONGED_FILE, BASELINES_FILE):
        (out / stale).unlink(missing_ok=True)
    files = sorted(path for path in building.rglob("*") if path.is_file() and path.name != MODEL_FILE)
    for path in (*files, building / MODEL_FILE):
        target = out / path.relative_to(building)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)


def _in_all_patterns(networks: Networks, window: Window) -> list[GoldenWindow]:
    batch = as_batch([window])
    with torch.no_grad():
        tokens, scores = networks.encode(batch)
        context = batch[signature.CONTEXT.name]
        answers = [networks.fusion_head(tokens, scores, context, torch.tensor([p]).bool()) for p in PATTERNS]
    inputs = {name: array[None] for name, array in window.items()}
    return [
        GoldenWindow(
            inputs=inputs | {signature.PRESENT.name: np.array([pattern], dtype=np.bool_)},
            expected={spec.name: array.numpy() for spec, array in zip(signature.OUTPUTS, answer, strict=True)},
        )
        for pattern, answer in zip(PATTERNS, answers, strict=True)
    ]


def golden_windows(candidates: list[GoldenWindow]) -> list[GoldenWindow]:
    """One of each pattern, from different windows if there are so many, and the silent one with everything; absent
    modalities as zeros."""
    count = len(PATTERNS)
    windows = len(candidates) // count
    chosen = [candidates[i % windows * count + i] for i in range(count)] + [candidates[-count]]
    gates = {net.inputs[0].name: net.gate for net in ENCODERS}
    golden = []
    for window in chosen:
        present = window.inputs[signature.PRESENT.name][0]
        hidden = [name for name, gate in gates.items() if gate is not None and not present[gate]]
        zeros = {name: np.zeros_like(window.inputs[name]) for name in hidden}
        golden.append(GoldenWindow(inputs=window.inputs | zeros, expected=window.expected))
    return golden


def _write_nets(
    networks: Networks,
    folder: Path,
    checks: list[GoldenWindow],
    ranges: Sequence[Window],
    kept: KeptNets | None,
) -> tuple[dict[str, str], Deviation]:
    """Writes the four IRs; returns the precision of each and the deviation reached.

    Of the heavy encoders the convolutions compute in int8; their linear layers, and all of the other nets, are stored
    in int8 and compute in floating point.
    """
    precision = _taken(kept, folder) if kept is not None else {}
    floats = {net.name: (net, convert(module, net)) for net, module in _modules(networks) if net.name not in precision}
    for net, model in floats.values():
        heavy = net.name not in STORED_INT8
        small = quantise(model, net, [window[net.inputs[0].name][None] for window in ranges]) if heavy else model
        _save(compress(small), net, folder)
        precision[net.name] = "int8"
    reached = measure(folder, checks)
    for name in INT8:
        if within(reached, TOLERANCE):
            break
        if name in floats:
            _save(floats[name][1], floats[name][0], folder)
            precision[name], reached = "float", measure(folder, checks)
    if kept is not None and not within(reached, TOLERANCE):
        raise ConfigurationError(
            f"with the encoders of {kept.repository} the engines are off the nets by {reached.mean:.2f} (p99"
            f" {reached.p99:.2f}, of 10), more than is served: export without --encoders"
        )
    return {net.name: precision[net.name] for net, _ in _modules(networks)}, reached


def _taken(kept: KeptNets, folder: Path) -> dict[str, str]:
    """Copies the files; the precision of each net."""
    for name in kept.names:
        target = folder / name / "1"
        target.mkdir(parents=True, exist_ok=True)
        for file in (IR_FILE, Path(IR_FILE).with_suffix(".bin").name):
            shutil.copyfile(kept.repository / name / "1" / file, target / file)
    precision = read_model(kept.repository).precision
    return {name: precision[name] for name in kept.names}


def _modules(networks: Networks) -> list[tuple[NetSpec, nn.Module]]:
    return [
        (VIDEO_ENCODER, networks.video_encoder),
        (AUDIO_ENCODER, networks.audio_encoder),
        (VITALS_ENCODER, networks.vitals_encoder),
        (FUSION_HEAD, FlatFusion(networks.fusion_head)),
    ]


def _save(model: openvino.Model, net: NetSpec, folder: Path) -> None:
    save_ir(model, folder / net.name / "1" / IR_FILE, half=net.name not in KEPT_FLOAT32)


def measure(repository: Path, windows: list[GoldenWindow]) -> Deviation:
    """How far the engines of an exported repository are from float32 on these windows, run without Triton."""
    ensemble = LocalEnsemble(repository, SERVED)
    answers: list[Arrays] = []
    for first in range(0, len(windows), len(PATTERNS)):
        same = windows[first : first + len(PATTERNS)]
        encoded = ensemble.encode(same[0].inputs)
        answers += [ensemble.fuse(encoded, window.inputs) for window in same]
    return deviation(windows, answers)
