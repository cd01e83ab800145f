"""Golden windows: proof before the first score that Triton serves the model that the repository's folder names.

``model.json`` says which model it is and how far an engine may be from the float32 nets; ``golden.npz`` holds windows
with the outputs of those, each tensor stacked over the windows under its name. ``calibration.json`` says what is done
to the outputs afterwards: golden windows are compared without it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from neopain.codecs.calibration import calibration_of
from neopain.domain.calibration import Calibration, identity
from neopain.domain.score import ModelVersion, Weights
from neopain.errors import ConfigurationError, ContractBroken
from neopain.features.pack import Arrays, require_match
from neopain.features.signature import INPUTS, OUTPUTS, QUANTILES, SCORE_QUANTILES
from neopain.scoring.inference import Triton

MODEL_FILE = "model.json"
GOLDEN_FILE = "golden.npz"
CALIBRATION_FILE = "calibration.json"
MEDIAN = QUANTILES.index(0.5)


@dataclass(frozen=True, slots=True)
class GoldenWindow:
    """One window and what the float32 nets say of it; arrays by tensor name, without a batch axis."""

    inputs: Arrays
    expected: Arrays


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far median scores are from the golden ones, on the scale 0..10: on average, and 99 in 100 at most."""

    mean: float
    p99: float

    def is_within(self, tolerance: Deviation) -> bool:
        """Whether neither passes the tolerance."""
        return self.mean <= tolerance.mean and self.p99 <= tolerance.p99


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What the repository's folder says of the model."""

    version: ModelVersion
    """Its name ends with the calibration's digest: calibrated anew, the same nets give other scores."""
    tolerance: Deviation
    golden: tuple[GoldenWindow, ...]
    calibration: Calibration = field(default_factory=identity)


def read_served_model(repository: Path | None) -> ServedModel:
    """Reads the folder; ``ConfigurationError`` says what of it is missing or cannot be used."""
    if repository is None:
        raise ConfigurationError("NEOPAIN_SCORING_MODEL_REPOSITORY is not set: name the folder that Triton serves")
    version, tolerance = _read_model_file(repository / MODEL_FILE)
    golden = _read_golden_file(repository / GOLDEN_FILE)
    version, calibration = _read_calibration_file(repository / CALIBRATION_FILE, version)
    return ServedModel(version, tolerance, golden, calibration)


async def verify(triton: Triton, model: ServedModel, *, patience: float = 1.0) -> Deviation:
    """Sends the golden windows; returns how far the answers are off. ``patience`` multiplies the deadline of each.

    ``ContractBroken`` beyond the tolerance, or when an answer has no finite number: nothing may be scored with it.
    ``InferenceUnavailable`` when Triton does not answer: try again.
    """
    answers = [await triton.infer(window.inputs, patience=patience) for window in model.golden]
    deviation = measure(model.golden, answers)
    if not deviation.is_within(model.tolerance):
        raise ContractBroken(
            f"Triton at {triton.url} does not serve {model.version.name}: its scores of the golden windows are off by "
            f"{deviation.mean:.3f} on average and {deviation.p99:.3f} in 99 of 100, accepted are "
            f"{model.tolerance.mean} and {model.tolerance.p99}; serve this repository, or export it again"
        )
    return deviation


def measure(golden: Sequence[GoldenWindow], answers: Sequence[Arrays]) -> Deviation:
    """How far the answers' medians are from the golden ones; infinitely far where an output is not finite."""
    distances = [_distance(window.expected, answer) for window, answer in zip(golden, answers, strict=True)]
    if not np.isfinite(distances).all():
        return Deviation(mean=float("inf"), p99=float("inf"))
    return Deviation(mean=float(np.mean(distances)), p99=float(np.quantile(distances, 0.99)))


def _distance(expected: Arrays, answer: Arrays) -> float:
    if not all(np.isfinite(answer[spec.name]).all() for spec in OUTPUTS):
        return float("inf")
    return abs(float(expected[SCORE_QUANTILES.name][MEDIAN]) - float(answer[SCORE_QUANTILES.name][MEDIAN]))


def _read_model_file(path: Path) -> tuple[ModelVersion, Deviation]:
    try:
        fields = json.loads(path.read_text())
        version = ModelVersion(str(fields["name"]), Weights(fields["weights"]))
        tolerance = Deviation(float(fields["tolerance"]["mean"]), float(fields["tolerance"]["p99"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path} cannot be used ({error!r}): export the model repository again") from error
    return version, tolerance


def _read_golden_file(path: Path) -> tuple[GoldenWindow, ...]:
    try:
        with np.load(path) as stored:
            arrays = {spec.name: stored[spec.name] for spec in (*INPUTS, *OUTPUTS)}
        count = len(arrays[SCORE_QUANTILES.name])
        require_match(arrays, (*INPUTS, *OUTPUTS), batch=(count,))
    except (OSError, ValueError, KeyError, ContractBroken) as error:
        raise ConfigurationError(f"{path} cannot be used ({error!r}): export the model repository again") from error
    if not count:
        raise ConfigurationError(f"{path} holds no window: export the model repository again")
    return tuple(
        GoldenWindow(
            inputs={spec.name: arrays[spec.name][index] for spec in INPUTS},
            expected={spec.name: arrays[spec.name][index] for spec in OUTPUTS},
        )
        for index in range(count)
    )


def _read_calibration_file(path: Path, version: ModelVersion) -> tuple[ModelVersion, Calibration]:
    try:
        text = path.read_text() if path.exists() else None
        calibration = calibration_of(version, text)
    except (OSError, ValueError, ConfigurationError) as error:
        raise ConfigurationError(f"{path} cannot be used: {error}") from error
    if text is None:
        return version, calibration
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return replace(version, name=f"{version.name}-c{digest}"), calibration
