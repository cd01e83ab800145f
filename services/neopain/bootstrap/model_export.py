"""``neopain model export``: a trained checkpoint as the model repository that Triton serves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neopain.bootstrap.evaluated_data import own_data
from neopain.bootstrap.places import state_folder
from neopain.bootstrap.train import Teller
from neopain.domain.score import Weights


@dataclass(frozen=True, slots=True)
class ModelExportOptions:
    """What ``model export`` was asked for."""

    checkpoint: Path
    data: Path
    out: Path
    name: str
    seed: int = 0
    state_dir: Path | None = None
    encoders: Path | None = None
    """The repository whose encoders the training kept."""


def run_model_export(options: ModelExportOptions) -> int:
    """Exports and prints the repository's folder, with how exact its engines are.

    ``ConfigurationError`` when the checkpoint or the data set cannot be used, or ``out`` holds something else.
    """
    from neopain.models.export import require_replaceable
    from neopain.training.exporting import ExportOptions, export_checkpoint

    require_replaceable(options.out)
    data = own_data(options.data)
    with Teller() as told:
        windows = data.windows(state_folder(options.state_dir, "evaluate") / "windows", told)
        told.say("exporting: int8 takes some minutes")
        weights = Weights.SIMULATOR if data.is_simulated else Weights.SITE
        wanted = ExportOptions(options.name, weights, seed=options.seed, encoders=options.encoders)
        model = export_checkpoint(options.checkpoint, windows, options.out, wanted)
        reached, precision = model.reached, ", ".join(f"{net} {kind}" for net, kind in model.precision.items())
        told.say(
            f"{model.version.name}: {precision}; off float32 by {reached.mean:.3f} (mean), {reached.p99:.3f} (p99)"
        )
        told.say("calibrate it before it is served: neopain calibrate")
    print(options.out)
    return 0
