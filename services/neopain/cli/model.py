"""The commands of the nets' weights."""

from __future__ import annotations

import argparse
from pathlib import Path

from neopain.cli.grammar import Commands, command, group


def add_model(commands: Commands[argparse.ArgumentParser]) -> None:
    """The nets: bringing weights in and out."""
    model = group(commands, "model", "The nets")
    export = command(model, "export", _model_export, "Export trained nets as the model repository that Triton serves")
    export.add_argument("--checkpoint", type=Path, metavar="FILE", required=True, help="the trained nets")
    text = "data set whose windows tell int8 its ranges"
    export.add_argument("--data", type=Path, metavar="FOLDER", required=True, help=text)
    export.add_argument("--out", type=Path, metavar="FOLDER", required=True, help="the repository to write")
    export.add_argument("--name", default="model", help="first part of the model's name (default model)")
    text = "the repository whose encoders the training kept (keep = true): their files are taken as they are"
    export.add_argument("--encoders", type=Path, metavar="FOLDER", help=text)
    export.add_argument("--state", type=Path, help="folder for prepared windows (default var/evaluate in the checkout)")
    text = "Take published weights, or the encoders of a model, into a checkpoint to train from (docs/weights.md)"
    taken = command(model, "import", _model_import, text)
    taken.add_argument("--video", type=Path, metavar="FILE", help="I3D-R50 of pytorchvideo or PySlowFast: .pyth, .pkl")
    taken.add_argument("--audio", type=Path, metavar="FILE", help="VGGish of torchvggish or torchaudio: .pth, .pt")
    text = "the three encoders of a model repository, triton_models for instance"
    taken.add_argument("--encoders", type=Path, metavar="FOLDER", help=text)
    taken.add_argument("--out", type=Path, metavar="FILE", required=True, help="the checkpoint to write")
    taken.add_argument("--width", type=int, default=192, help="length of one token (default 192, which is served)")
    taken.add_argument("--seed", type=int, default=0, help="seed of all that is not imported (default 0)")
    taken.add_argument("--fully-connected", action="store_true", help="VGGish with its fully connected layers")
    taken.add_argument("--embedding-relu", action="store_true", help="a ReLU behind them, as torchvggish has")
    taken.add_argument("--json", action="store_true", help="print one JSON object")


def _model_import(options: argparse.Namespace) -> int:
    from neopain.bootstrap.model_import import ModelImportOptions, run_model_import

    return run_model_import(
        ModelImportOptions(
            out=options.out,
            video=options.video,
            audio=options.audio,
            encoders=options.encoders,
            width=options.width,
            seed=options.seed,
            fully_connected=options.fully_connected,
            embedding_relu=options.embedding_relu,
            as_json=options.json,
        )
    )


def _model_export(options: argparse.Namespace) -> int:
    from neopain.bootstrap.model_export import ModelExportOptions, run_model_export

    return run_model_export(
        ModelExportOptions(
            checkpoint=options.checkpoint,
            data=options.data,
            out=options.out,
            name=options.name,
            state_dir=options.state,
            encoders=options.encoders,
        )
    )
