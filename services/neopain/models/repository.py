"""An exported model repository on disk: what is in it, and where the one of this tree lies. Imports no torch.

- ``<repository>/model.json``: which model this is, and how exact its engines are
- ``<repository>/golden.npz``: windows with the outputs of the float32 nets
- ``<repository>/calibration.json``: what is done to the outputs before they are said; untrained nets have none
- ``<repository>/prolonged.json``: how scores of hours become prolonged pain, where that was fitted
- ``<repository>/<net>/config.pbtxt`` and ``<net>/1/model.py``: copied from triton_models/
- ``<repository>/<net>/1/model.xml`` and ``model.bin``: the net as OpenVINO IR
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neopain.codecs.calibration import calibration_of, calibration_to_json
from neopain.domain.calibration import Calibration
from neopain.domain.score import ModelVersion, Weights
from neopain.errors import ConfigurationError, ContractBroken
from neopain.features import signature
from neopain.models.config import NetConfig

MODEL_FILE = "model.json"
GOLDEN_FILE = "golden.npz"
CALIBRATION_FILE = "calibration.json"
PROLONGED_FILE = "prolonged.json"
BASELINES_FILE = "baselines.pt"
"""What the nets are compared with; read by ``training.baselines.saved``."""
SERVICES = Path(__file__).parents[2]
GRAPH = SERVICES.parent / "triton_models"
"""Where config.pbtxt and model.py of each model lie in the source tree."""

Arrays = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far engines are from the float32 nets: absolute difference of the median score, on the scale 0..10."""

    mean: float
    p99: float


TOLERANCE = Deviation(mean=0.05, p99=0.15)
"""What export and serving accept (DESIGN section 4)."""


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """What ``model.json`` says."""

    version: ModelVersion
    digest: str
    """SHA-256 of the checkpoint that was exported."""
    seed: int
    config: NetConfig
    precision: dict[str, str]
    """Net to ``int8`` or ``float``."""
    tolerance: Deviation
    reached: Deviation
    """At export, on 84 windows; the golden ones are among them."""
    about: dict[str, Any] = field(default_factory=dict)
    """How they were made: data, simulator, code version, figures; JSON-like."""

    def save(self, repository: Path) -> None:
        """Writes ``model.json``."""
        fields = {
            "name": self.version.name,
            "weights": self.version.weights.value,
            "digest": self.digest,
            "seed": self.seed,
            "config": json.loads(self.config.to_json()),
            "precision": self.precision,
            "tolerance": asdict(self.tolerance),
            "reached": asdict(self.reached),
            "about": self.about,
        }
        (repository / MODEL_FILE).write_text(json.dumps(fields, indent=2) + "\n")


def read_model(repository: Path) -> ExportedModel:
    """Reads ``model.json``; ``ConfigurationError`` when the folder holds no exported repository."""
    try:
        fields = json.loads((repository / MODEL_FILE).read_text())
        return ExportedModel(
            version=ModelVersion(fields["name"], Weights(fields["weights"])),
            digest=fields["digest"],
            seed=fields["seed"],
            config=NetConfig.from_json(json.dumps(fields["config"])),
            precision=fields["precision"],
            tolerance=Deviation(**fields["tolerance"]),
            reached=Deviation(**fields["reached"]),
            about=dict(fields.get("about", {})),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{repository / MODEL_FILE} cannot be read ({error}): give a folder that `neopain model export` has written"
        ) from error


@dataclass(frozen=True, slots=True)
class GoldenWindow:
    """One window and what the float32 nets say of it; arrays by tensor name, batch of 1."""

    inputs: Arrays
    expected: Arrays


def save_golden(repository: Path, windows: list[GoldenWindow]) -> None:
    """Writes ``golden.npz``: each tensor stacked over windows."""
    arrays = {
        name: np.concatenate([(window.inputs | window.expected)[name] for window in windows])
        for name in _golden_names()
    }
    np.savez_compressed(repository / GOLDEN_FILE, allow_pickle=False, **arrays)


def read_golden(repository: Path) -> list[GoldenWindow]:
    """Reads ``golden.npz``; ``ConfigurationError`` when it is not there."""
    try:
        with np.load(repository / GOLDEN_FILE) as stored:
            arrays = {name: stored[name] for name in _golden_names()}
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(f"{repository / GOLDEN_FILE} cannot be read ({error}): export again") from error
    count = len(arrays[signature.PRESENT.name])
    rows = [{name: array[i : i + 1] for name, array in arrays.items()} for i in range(count)]
    return [
        GoldenWindow(
            inputs={spec.name: row[spec.name] for spec in signature.INPUTS},
            expected={spec.name: row[spec.name] for spec in signature.OUTPUTS},
        )
        for row in rows
    ]


def note(repository: Path, name: str, value: object) -> None:
    """Adds to what ``model.json`` tells of how the model was made; ``value`` is JSON-like."""
    model = read_model(repository)
    replace(model, about=model.about | {name: value}).save(repository)


def save_calibration(repository: Path, calibration: Calibration) -> None:
    """Writes ``calibration.json`` for the model of ``model.json``, at once or not at all.

    ``ConfigurationError`` when the folder holds no exported repository.
    """
    fitted = replace(calibration, fitted_for=read_model(repository).version.name)
    building = repository / f".{CALIBRATION_FILE}"
    building.write_text(calibration_to_json(fitted))
    building.replace(repository / CALIBRATION_FILE)


def read_calibration(repository: Path) -> Calibration:
    """Reads ``calibration.json``, or the identity where untrained nets have none.

    ``ConfigurationError`` when it is missing beside other weights, was fitted for other ones, or cannot be used.
    """
    path, version = repository / CALIBRATION_FILE, read_model(repository).version
    try:
        return calibration_of(version, path.read_text() if path.exists() else None)
    except (OSError, ValueError, ConfigurationError) as error:
        raise ConfigurationError(f"{path} cannot be used: {error}") from error


def _golden_names() -> list[str]:
    return [spec.name for spec in (*signature.INPUTS, *signature.OUTPUTS)]


def deviation(windows: list[GoldenWindow], answers: list[Arrays]) -> Deviation:
    """How far ``answers`` (outputs by name, batch of 1, one per window) are from what the windows expect.

    ``ContractBroken``: an answer is empty, of the wrong shape or not finite; it must not be served.
    """
    for given in answers:
        for spec in signature.OUTPUTS:
            if given[spec.name].shape != (1, *spec.shape) or not np.isfinite(given[spec.name]).all():
                raise ContractBroken(
                    f"{spec.name} of a golden window is {given[spec.name].shape} or not finite,"
                    f" expected finite {(1, *spec.shape)}: do not serve, export again"
                )
    differences = [
        abs(_median(window.expected) - _median(given)) for window, given in zip(windows, answers, strict=True)
    ]
    return Deviation(mean=float(np.mean(differences)), p99=float(np.percentile(differences, 99)))


def within(reached: Deviation, tolerance: Deviation) -> bool:
    """Whether neither the mean nor the 99th percentile passes the tolerance."""
    return reached.mean <= tolerance.mean and reached.p99 <= tolerance.p99


def _median(outputs: Arrays) -> float:
    return float(outputs[signature.SCORE_QUANTILES.name][0, signature.QUANTILES.index(0.5)])


def lay_out_graph(repository: Path) -> None:
    """Copies config.pbtxt and model.py of every model beside the exported nets; files that are the same stay.

    ``ConfigurationError`` when the source tree's ``triton_models`` is not there.
    """
    if not GRAPH.is_dir():
        raise ConfigurationError(f"{GRAPH} is missing: run from a checkout, or copy triton_models/ there")
    for source in sorted(GRAPH.glob("*/config.pbtxt")) + sorted(GRAPH.glob("*/1/model.py")):
        target = repository / source.relative_to(GRAPH)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copyfile(source, target)
    (repository / "neopain" / "1").mkdir(parents=True, exist_ok=True)  # git keeps no empty folder; Triton wants it


def committed_repository() -> Path:
    """``triton_models/``: the trained nets that lie in the tree beside the graph, ready for Triton.

    ``ConfigurationError`` when they are not there, as in a copy without its large files.
    """
    if not (GRAPH / MODEL_FILE).exists():
        raise ConfigurationError(f"{GRAPH} holds no {MODEL_FILE}: take the whole checkout, the nets are part of it")
    return GRAPH
