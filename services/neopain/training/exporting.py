"""From a trained checkpoint to the model repository that Triton serves; real windows tell int8 its ranges."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neopain.domain.score import ModelVersion, Weights
from neopain.errors import ConfigurationError
from neopain.features import signature
from neopain.models.checkpoint import Checkpoint, load_checkpoint
from neopain.models.export import ExportWindows, Identity, KeptNets, Taken, export_networks, silenced
from neopain.models.graph import AUDIO_ENCODER, VIDEO_ENCODER, VITALS_ENCODER
from neopain.models.repository import BASELINES_FILE, ExportedModel, read_model
from neopain.models.sample_windows import Window
from neopain.training.nets import networks_of
from neopain.training.served import RANGE_WINDOWS
from neopain.training.windows import PreparedWindows

CHECK_WINDOWS = 12
GOLDEN_WINDOWS = 8
EVERYTHING = "FCPM"
STAGES = {"face": VIDEO_ENCODER, "audio": AUDIO_ENCODER, "vitals": VITALS_ENCODER}
"""What ``keep`` of a part of the config keeps."""

CLIP_STEP, CLIP_BLOCK = 16, 4
CRY_STEPS, CRY_HELD = 256, 4
"""Golden windows lie in the repository: coarser pixels and samples pack far better, and are as good a check."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """``name`` begins the version's; ``weights`` are worth no more than the checkpoint says; from ``seed`` follow the
    windows that are taken: ``ranges`` of them tell int8 what there is, on ``checks`` the engines are compared with
    float32. Encoders that the training kept are taken as they lie in the repository ``encoders``, if one is given."""

    name: str
    weights: Weights
    seed: int = 0
    ranges: int = RANGE_WINDOWS
    checks: int = CHECK_WINDOWS
    encoders: Path | None = None


def export_checkpoint(path: Path, windows: PreparedWindows, out: Path, options: ExportOptions) -> ExportedModel:
    """Exports a checkpoint; the version's name is ``options.name`` and eight digits of the file's digest.

    The baselines of its run go along, so that whoever has the nets can compare them.

    ``ConfigurationError`` when the checkpoint cannot be used, is not of whole nets, or the data set has too few windows
    with all four modalities present; and when the training kept no encoder of ``options.encoders``.
    """
    checkpoint = load_checkpoint(path)
    kept = _kept(checkpoint, options.encoders) if options.encoders is not None else None
    networks = networks_of(checkpoint)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    own = Weights(checkpoint.about.get("weights", options.weights))
    worth = min(own, options.weights, key=list(Weights).index)
    version = ModelVersion(f"{options.name}-{digest[:8]}", worth)
    identity = Identity(version, int(checkpoint.about.get("seed", 0)), digest, _told(checkpoint))
    baselines = path.with_name(BASELINES_FILE)
    taken = Taken(kept, baselines if baselines.exists() else None)
    return export_networks(networks, out, identity, _export_windows(windows, options), taken)


def _kept(checkpoint: Checkpoint, repository: Path) -> KeptNets:
    began_with = checkpoint.about.get("began_with", {}).get("encoders", {})
    if began_with.get("digest") != read_model(repository).digest:
        raise ConfigurationError(
            f"the training did not begin with the encoders of {repository} but with"
            f" {began_with.get('model', 'others')}: give that repository, or leave --encoders out"
        )
    config = checkpoint.about.get("config", {})
    names = tuple(net.name for stage, net in STAGES.items() if config.get(stage, {}).get("keep"))
    if not names:
        raise ConfigurationError(
            f"the training kept no encoder of {repository}, it taught them all: leave --encoders out"
        )
    return KeptNets(repository, names)


def _told(checkpoint: Checkpoint) -> dict[str, Any]:
    return {key: value for key, value in checkpoint.about.items() if key != "weights"}


def _export_windows(windows: PreparedWindows, options: ExportOptions) -> ExportWindows:
    full = [index for index, pattern in enumerate(windows.patterns) if pattern == EVERYTHING]
    needed = options.ranges + options.checks
    if len(full) < needed:
        raise ConfigurationError(
            f"{windows.folder} has {len(full)} windows with face, cry, physiology and movement, the export needs "
            f"{needed}: take a larger data set"
        )
    chosen = _spread(windows, full, needed, np.random.default_rng(options.seed))
    ranges = [_window(windows, index) for index in chosen[options.checks :]]
    checks = [_window(windows, index) for index in chosen[: options.checks]]
    golden = [coarser(window) for window in checks[:GOLDEN_WINDOWS]]
    return ExportWindows(ranges, silenced(checks), silenced(golden))


def _spread(windows: PreparedWindows, full: Sequence[int], count: int, rng: np.random.Generator) -> list[int]:
    """Windows of the whole range of labels, in a random order: one of each of ``count`` strata."""
    labels = np.nan_to_num(windows.labels[list(full)])
    ordered = np.array(full)[np.lexsort((rng.random(len(full)), labels))]
    strata = np.array_split(ordered, count)
    return [int(one) for one in rng.permutation([rng.choice(stratum) for stratum in strata])]


def _window(windows: PreparedWindows, index: int) -> Window:
    return dict(windows.tensors(index).by_name())


def coarser(window: Window) -> Window:
    """The window with fewer levels of brightness and loudness, in blocks of pixels and held samples: it packs well."""
    clip = np.asarray(window[signature.CLIP.name], np.uint8)[:, ::CLIP_BLOCK, ::CLIP_BLOCK]
    clip = (clip // CLIP_STEP * CLIP_STEP + CLIP_STEP // 2).repeat(CLIP_BLOCK, axis=1).repeat(CLIP_BLOCK, axis=2)
    cry = np.asarray(window[signature.CRY.name], np.float32)[::CRY_HELD]
    coarse: Window = {
        signature.CLIP.name: clip,
        signature.CRY.name: np.asarray(np.round(cry * CRY_STEPS) / CRY_STEPS, np.float32).repeat(CRY_HELD),
    }
    return window | coarse
