"""Published weights into our backbones: all of a backbone's tensors, or none and a list of what differs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from neopain import __version__
from neopain.domain.score import Weights
from neopain.errors import ConfigurationError
from neopain.models.checkpoint import Checkpoint
from neopain.models.config import NetConfig
from neopain.models.networks import Networks
from neopain.models.published.layouts import LAYOUTS, Backbone, Layout, recognise
from neopain.models.published.weights_file import read_published
from neopain.models.torch_file import opened


@dataclass(frozen=True, slots=True)
class Imported:
    """What was taken from one file; nothing was missing and nothing unexpected."""

    backbone: Backbone
    file: str
    """Its name without the folder."""
    sha256: str
    layout: str
    taken: tuple[str, ...]
    """Names of the file's tensors that are now in the backbone."""
    unused: tuple[str, ...]
    """Names of those that the layout is known to have beside the backbone."""


def import_published(
    config: NetConfig, files: dict[Backbone, Path], *, seed: int
) -> tuple[Checkpoint, tuple[Imported, ...]]:
    """Returns all four nets with the files' weights in their backbones, and what was taken.

    The rest is fresh from the seed and untrained, the necks behind the backbones included: their statistics are to
    come from the data on which training starts. ``ConfigurationError``: a file cannot be read, or does not fit; the
    message lists every tensor that differs.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        networks = Networks(config)
    parts = {backbone: _tensors(networks, backbone) for backbone in Backbone}
    imported = tuple(_take(parts, backbone, file) for backbone, file in files.items())
    about = {
        "weights": Weights.UNTRAINED.value,
        "seed": seed,
        "code_version": __version__,
        "sources": [
            {"backbone": each.backbone.value, "file": each.file, "sha256": each.sha256, "layout": each.layout}
            for each in imported
        ],
    }
    return Checkpoint(config, networks.state_dict(), about), imported


def _tensors(networks: Networks, backbone: Backbone) -> dict[str, Tensor]:
    """The backbone's own tensors by name, without the counters of its batch norms."""
    if backbone is Backbone.VIDEO:
        own = networks.video_encoder.backbone.state_dict()
    else:
        state = networks.audio_encoder.state_dict()
        own = {name: tensor for name, tensor in state.items() if name.startswith(("convolutions.", "embedding."))}
    return {name: tensor for name, tensor in own.items() if not name.endswith(".num_batches_tracked")}


def _take(parts: dict[Backbone, dict[str, Tensor]], backbone: Backbone, path: Path) -> Imported:
    found = read_published(path)
    layout = _layout(path, found, parts, backbone)
    wanted = {layout.published(name): tensor for name, tensor in parts[backbone].items()}
    unused = tuple(name for name in found if name not in wanted and layout.is_beside(name))
    differences = list(_differences(wanted, {name: found[name] for name in found if name not in unused}))
    if differences:
        raise ConfigurationError(
            f"{path} has the layout {layout.name}, but {len(differences)} tensors differ; nothing was written:\n  "
            + "\n  ".join(differences)
            + "\nGive the file as it was published for this net."
        )
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(found[name])
    return Imported(backbone, path.name, _sha256(path), layout.name, tuple(wanted), unused)


def _layout(
    path: Path, found: dict[str, Tensor], parts: dict[Backbone, dict[str, Tensor]], backbone: Backbone
) -> Layout:
    layout = recognise(found, parts)
    if layout is None:
        known = ", ".join(each.name for each in LAYOUTS if each.backbone is backbone)
        first = ", ".join(sorted(found)[:3])
        raise ConfigurationError(
            f"{path} has none of the known layouts for --{backbone.value} ({known}): its names begin {first};"
            " give one of those files"
        )
    if layout.backbone is not backbone:
        raise ConfigurationError(
            f"{path} has the layout {layout.name}: give it as --{layout.backbone.value}, not --{backbone.value}"
        )
    return layout


def _differences(wanted: dict[str, Tensor], found: dict[str, Tensor]) -> Iterator[str]:
    """A line for each tensor that is missing, unexpected, or of another shape or kind."""
    for name, tensor in wanted.items():
        if name not in found:
            yield f"missing: {name}, expected {_shape(tensor)}, found none"
        elif found[name].shape != tensor.shape:
            yield f"wrong shape: {name}, expected {_shape(tensor)}, found {_shape(found[name])}"
        elif not found[name].is_floating_point():
            yield f"wrong kind: {name}, expected floating point, found {found[name].dtype}"
        elif not found[name].isfinite().all():
            yield f"wrong values: {name}, expected finite ones, found infinity or NaN"
    for name, tensor in found.items():
        if name not in wanted:
            yield f"unexpected: {name}, expected none, found {_shape(tensor)}"


def _shape(tensor: Tensor) -> str:
    return str(list(tensor.shape))


def _sha256(path: Path) -> str:
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
