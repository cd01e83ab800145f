"""``neopain model import``: published backbones, or the encoders of a model, in a checkpoint to train from."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from neopain.errors import ConfigurationError
from neopain.models.config import AudioConfig, NetConfig

if TYPE_CHECKING:
    from neopain.models.published.importing import Imported

NAMES_SHOWN = 4
"""Of the unused tensors in the table; JSON lists all."""


@dataclass(frozen=True, slots=True)
class ModelImportOptions:
    """What the command line said."""

    out: Path
    video: Path | None = None
    audio: Path | None = None
    encoders: Path | None = None
    """A model repository, instead of files of backbones."""
    width: int = NetConfig().width
    seed: int = 0
    fully_connected: bool = False
    embedding_relu: bool = False
    as_json: bool = False


def run_model_import(options: ModelImportOptions) -> int:
    """Writes the checkpoint and tells what was taken; returns 0.

    ``ConfigurationError``: something given cannot be used; nothing was written.
    """
    files = _files(options)
    config = _config(options)
    if not find_spec("torch"):
        raise ConfigurationError("neopain model import needs torch: run './neopain install training'")
    if options.encoders is not None:
        return _import_encoders(options, options.encoders)
    from neopain.models.checkpoint import save_checkpoint
    from neopain.models.published.importing import import_published
    from neopain.models.published.layouts import Backbone

    by_backbone = {Backbone(name): path for name, path in files.items()}
    checkpoint, imported = import_published(config, by_backbone, seed=options.seed)
    save_checkpoint(options.out, checkpoint)
    print(_as_json(options, imported) if options.as_json else _as_text(options, imported))
    return 0


def _import_encoders(options: ModelImportOptions, repository: Path) -> int:
    from neopain.models.checkpoint import save_checkpoint
    from neopain.models.served_encoders import encoders_of

    checkpoint, reached = encoders_of(repository, seed=options.seed)
    save_checkpoint(options.out, checkpoint)
    found = checkpoint.about["encoders"]
    if options.as_json:
        fields = {"checkpoint": str(options.out), "weights": "untrained", "seed": options.seed, "encoders": found}
        print(json.dumps(fields | {"off": {"mean": reached.mean, "p99": reached.p99}}))
        return 0
    print(
        f"encoders of {found['model']} ({found['weights']}), sha256 of its checkpoint {found['digest']}\n"
        f"  off their float32 scores by {reached.mean:.3f} (mean), {reached.p99:.3f} (p99), on its golden windows\n"
        f"{options.out}: written; the fusion head is fresh from seed {options.seed} and untrained"
    )
    return 0


def _files(options: ModelImportOptions) -> dict[str, Path]:
    given = {"video": options.video, "audio": options.audio}
    files = {name: path for name, path in given.items() if path is not None}
    if options.encoders is not None:
        if files or options.fully_connected or options.width != NetConfig().width:
            raise ConfigurationError(
                "--encoders takes whole encoders with their sizes: leave out --video, --audio, --width and"
                " --fully-connected"
            )
        return {}
    if not files:
        raise ConfigurationError("nothing to import: give --video FILE, --audio FILE or both, or --encoders FOLDER")
    for name, path in files.items():
        if path.resolve() == options.out.resolve():
            raise ConfigurationError(f"--out {options.out} is the file given as --{name}: give another place")
    return files


def _config(options: ModelImportOptions) -> NetConfig:
    if options.embedding_relu and not options.fully_connected:
        raise ConfigurationError("--embedding-relu says how --fully-connected layers end: give both or neither")
    audio = AudioConfig(fully_connected=options.fully_connected, embedding_relu=options.embedding_relu)
    config = replace(NetConfig(), width=options.width, audio=audio)
    for heads in (config.audio.heads, config.fusion.heads):
        if options.width < 1 or options.width % heads:
            raise ConfigurationError(
                f"--width {options.width} cannot be shared by {heads} heads: give a multiple of it"
            )
    return config


def _as_text(options: ModelImportOptions, imported: tuple[Imported, ...]) -> str:
    lines = []
    for each in imported:
        lines += [
            f"{each.backbone.value}: {each.file}, layout {each.layout}, sha256 {each.sha256}",
            f"  {len(each.taken)} tensors taken, 0 missing, 0 unexpected",
            f"  {len(each.unused)} known and unused{_some(each.unused)}",
        ]
    lines.append(f"{options.out}: written; all else is fresh from seed {options.seed} and untrained")
    return "\n".join(lines)


def _some(names: tuple[str, ...]) -> str:
    if not names:
        return ""
    shown = sorted(names, key=lambda name: (len(name), name))[:NAMES_SHOWN]
    more = len(names) - len(shown)
    return f": {', '.join(shown)}" + (f" and {more} more" if more else "")


def _as_json(options: ModelImportOptions, imported: tuple[Imported, ...]) -> str:
    files: list[dict[str, object]] = [
        {
            "backbone": each.backbone.value,
            "file": each.file,
            "sha256": each.sha256,
            "layout": each.layout,
            "taken": each.taken,
            "missing": [],
            "unexpected": [],
            "unused": each.unused,
        }
        for each in imported
    ]
    fields = {"checkpoint": str(options.out), "weights": "untrained", "seed": options.seed, "files": files}
    return json.dumps(fields)
