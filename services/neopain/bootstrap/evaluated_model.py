"""What ``neopain evaluate --model`` names: a run, a checkpoint or a model repository, and what came with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neopain.codecs.calibration import calibration_from_json
from neopain.codecs.prolonged import prolonged_from_json
from neopain.domain.calibration import Calibration, identity
from neopain.domain.prolonged import ProlongedPain
from neopain.domain.score import Weights
from neopain.errors import ConfigurationError
from neopain.models.repository import (
    BASELINES_FILE,
    CALIBRATION_FILE,
    MODEL_FILE,
    PROLONGED_FILE,
    committed_repository,
)

if TYPE_CHECKING:
    from neopain.training.baselines.models import Baseline
    from neopain.training.nets import Nets
    from neopain.training.windows import PreparedWindows

CHECKPOINT_FILE = "checkpoint.pt"

CALIBRATED_ON = "calibrated_on"
"""The name of the note of ``neopain calibrate`` in a model's notes."""
NOTE_FILE = f"{CALIBRATED_ON}.json"
"""That note beside a checkpoint, into which nothing is written."""
TORCH, OPENVINO, TRITON = ENGINES = ("torch", "openvino", "triton")


@dataclass(frozen=True, slots=True)
class EvaluatedModel:
    """One model. ``place`` is the repository's folder, or the checkpoint's file for the engine ``torch``."""

    name: str
    weights: str
    place: Path
    engine: str
    about: dict[str, Any] = field(default_factory=dict)
    """What its maker noted."""
    fitted_as: str = ""
    """What a calibration says that it was fitted for, if it was for this checkpoint."""

    @property
    def folder(self) -> Path:
        """Where the other files of the model lie."""
        return self.place.parent if self.engine == TORCH else self.place

    def nets(self, device: str) -> Nets:
        """The nets, loaded."""
        from neopain.models.checkpoint import load_checkpoint
        from neopain.training.exported_nets import ExportedNets
        from neopain.training.nets import CheckpointNets

        if self.engine == TORCH:
            return CheckpointNets.of_checkpoint(load_checkpoint(self.place), device=device)
        return ExportedNets(self.place)

    def calibration(self) -> Calibration:
        """What came with it. ``ConfigurationError`` when it cannot be used, or a served model lacks it."""
        from neopain.models.repository import read_calibration

        if self.engine != TORCH:
            return read_calibration(self.place)
        path = self.folder / CALIBRATION_FILE
        try:
            found = calibration_from_json(path.read_text()) if path.exists() else None
        except (OSError, ValueError, ConfigurationError) as error:
            raise ConfigurationError(f"{path} cannot be used: {error}") from error
        if found is not None and found.fitted_for != self.fitted_as:
            raise ConfigurationError(
                f"{path} was fitted for {found.fitted_for or 'an unknown checkpoint'}, this is {self.fitted_as}:"
                " calibrate it, or delete the file"
            )
        return found or identity()

    def calibrated(self) -> str:
        """In words, what the calibration rests on."""
        if not (self.folder / CALIBRATION_FILE).exists():
            return "none: quantiles are said as the nets give them"
        calibration = self.calibration()
        infants = max(margins.infants for margins in calibration.margins.values())
        return f"{CALIBRATION_FILE} of the model, fitted to {infants} other infants (seed {calibration.seed})"

    def baselines(self, given: Path | None) -> dict[str, Baseline]:
        """The baselines of the given run, else those beside the model, else none."""
        from neopain.training.baselines.saved import load_baselines

        folder = given or self.folder
        return load_baselines(folder) if given or (folder / BASELINES_FILE).exists() else {}

    def prolonged(self) -> ProlongedPain | None:
        """The aggregator of prolonged pain that was fitted for it; None without one.

        ``ConfigurationError`` when it cannot be used, or was fitted for another model.
        """
        path = self.folder / PROLONGED_FILE
        return prolonged_from_json(path.read_text(), version=self.name) if path.exists() else None

    def facts(self) -> dict[str, str]:
        """What its maker noted, in words."""
        from neopain.training.report.origin import origin

        return origin(self.about)

    def simulated_seeds(self) -> set[int]:
        """Seeds of the simulated cohorts that went into it."""
        notes = _dicts(self.about)
        return {note["seed"] for note in notes if "simulator" in note and isinstance(note.get("seed"), int)}

    def without_calibration(self) -> EvaluatedModel:
        """The same, without what only calibrated it, or the model that its training began with: a calibration may be
        made anew."""
        return replace(self, about=_without_calibration(self.about))

    def require_strangers(self, windows: PreparedWindows, folder: Path) -> None:
        """``ConfigurationError`` when infants of the data set in that folder went into it."""
        from neopain.training.fingerprints import fingerprints, read_note

        digests = {note["digest"] for note in _dicts(self.about) if "windows" in note and "digest" in note}
        asked = fingerprints(windows.segments, folder)
        met = frozenset[str]().union(*(read_note(note) for note in _dicts(self.about)))
        known = len(asked & met)
        if windows.folder.name in digests or known:
            who = f"{known} of the {len(asked)} infants" if known else "the infants"
            raise ConfigurationError(f"{who} of {folder} went into {self.name}: take infants that it has never met")


def find_model(given: Path | None, engine: str | None) -> EvaluatedModel:
    """The model that is named, or the one that is served here; ``engine`` None takes the one that fits it.

    ``ConfigurationError`` when there is no such model, or it cannot run on that engine.
    """
    place = given if given is not None else committed_repository()
    if (place / MODEL_FILE).is_file():
        return _repository(place, engine or OPENVINO)
    checkpoint = place / CHECKPOINT_FILE if place.is_dir() else place
    if not checkpoint.is_file():
        raise ConfigurationError(
            f"{place} is no model: name a model repository ({MODEL_FILE} in it), a finished run ({CHECKPOINT_FILE} in "
            "it) or a checkpoint"
        )
    if engine not in {None, TORCH}:
        raise ConfigurationError(
            f"--engine {engine} runs a model repository, {place} is a checkpoint: export it first, "
            "or give --engine torch"
        )
    return _checkpoint(checkpoint)


def _repository(place: Path, engine: str) -> EvaluatedModel:
    from neopain.models.repository import read_model

    if engine == TORCH:
        raise ConfigurationError(
            f"--engine torch runs a checkpoint, {place} is a model repository: give --engine openvino or triton"
        )
    model = read_model(place)
    about = {"seed": model.seed, "checkpoint": model.digest[:12], "precision": model.precision, **model.about}
    return EvaluatedModel(model.version.name, model.version.weights.value, place, engine, about)


def _checkpoint(path: Path) -> EvaluatedModel:
    from neopain.models.checkpoint import load_checkpoint

    about = load_checkpoint(path).about
    name = path.parent.name if path.name == CHECKPOINT_FILE else path.stem
    fitted_as = f"checkpoint-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
    note = _note(path.with_name(NOTE_FILE), fitted_as)
    weights = about.get("weights", Weights.UNTRAINED.value)
    return EvaluatedModel(name, weights, path, TORCH, about | note, fitted_as)


def _note(path: Path, fitted_as: str) -> dict[str, Any]:
    """What calibrated that checkpoint; a note of another one is not its."""
    if not path.exists():
        return {}
    try:
        found = dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{path} cannot be read as JSON ({error}): calibrate again") from error
    return {CALIBRATED_ON: found} if found.get("fitted_for") == fitted_as else {}


def _without_calibration(notes: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_calibration(value) if isinstance(value, dict) else value
        for name, value in notes.items()
        if name != CALIBRATED_ON
    }


def _dicts(notes: object) -> Iterator[dict[str, Any]]:
    """Every dictionary in the notes, at any depth."""
    if isinstance(notes, dict):
        yield notes
        notes = list(notes.values())
    for value in notes if isinstance(notes, list) else ():
        yield from _dicts(value)
