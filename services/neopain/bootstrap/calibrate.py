"""``neopain calibrate``: margins and limits of a model repository from rated infants that its nets have never met."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neopain.bootstrap.evaluated_data import own_data
from neopain.bootstrap.evaluated_model import CALIBRATED_ON, NOTE_FILE, OPENVINO, EvaluatedModel, find_model
from neopain.bootstrap.places import state_folder
from neopain.bootstrap.train import Teller
from neopain.codecs.calibration import calibration_to_json
from neopain.codecs.prolonged import prolonged_to_json
from neopain.domain.annotation import Segment
from neopain.domain.calibration import NINETY, POOLED, Calibration
from neopain.errors import ConfigurationError
from neopain.models.repository import CALIBRATION_FILE, PROLONGED_FILE

if TYPE_CHECKING:
    from neopain.training.predictions import ModelPredictions


@dataclass(frozen=True, slots=True)
class CalibrateOptions:
    """What ``calibrate`` was asked for."""

    data: Path
    model: Path
    seed: int = 0
    device: str = "cpu"
    state_dir: Path | None = None
    as_json: bool = False


def run_calibrate(options: CalibrateOptions) -> int:
    """Fits a calibration, and prolonged pain where there are courses of hours; writes both beside the model; 0.

    ``ConfigurationError`` when the data set or the model cannot be used, or the model was trained on these infants.
    """
    from neopain.training.calibrate import apply, calibrate
    from neopain.training.fingerprints import fingerprints, noted
    from neopain.training.judged import calibration_set, judgeable, raw_predictions
    from neopain.training.nets import encode_all
    from neopain.training.predictions import FUSION, Predictions

    data = own_data(options.data)
    model = find_model(options.model, None)
    taught = model.without_calibration()
    if data.simulated_seed is not None and data.simulated_seed in taught.simulated_seeds():
        raise ConfigurationError(f"the cohort of seed {data.simulated_seed} trained {model.name}: take another")
    with Teller() as told:
        windows = data.windows(state_folder(options.state_dir, "evaluate") / "windows", told)
        taught.require_strangers(windows, data.folder)
        indices = judgeable(windows.segments, windows.labels)
        segments = tuple(windows.segments[index] for index in indices.tolist())
        nets = model.nets(options.device)
        encoded = encode_all(nets, windows, indices, told)
        told.say("fitting margins")
        raw = raw_predictions(nets, encoded, segments, {})
        found = calibrate(calibration_set(raw, np.arange(len(segments))), seed=options.seed)
        made_from = {
            "data": data.name,
            "windows": len(segments),
            "digest": windows.folder.name,
            **data.simulation,
            **noted(fingerprints(windows.segments, data.folder)),
        }
        rows = Predictions(raw.recorded.windows, {FUSION: raw.recorded.models[FUSION]})
        _save_prolonged(segments, apply(found, rows).models[FUSION], model, told)
        path = _save(found, model, made_from)
    _print(found, path, as_json=options.as_json)
    return 0


def _save_prolonged(
    segments: Sequence[Segment], answers: ModelPredictions, model: EvaluatedModel, told: Teller
) -> None:
    """Where too few infants have a course of hours, what an earlier calibration left goes too."""
    from neopain.training.prolonged import fit, looks_of

    path = model.folder / PROLONGED_FILE
    try:
        aggregator = fit(looks_of(segments, answers))
    except ConfigurationError as error:
        path.unlink(missing_ok=True)
        told.say(f"no prolonged pain: {error}")
        return
    path.write_text(prolonged_to_json(aggregator, fitted_for=model.name))


def _save(found: Calibration, model: EvaluatedModel, made_from: dict[str, object]) -> Path:
    """What it was made from is noted first: a kill between the two leaves a model that remembers too much."""
    from neopain.models.repository import note, save_calibration

    if model.engine == OPENVINO:
        note(model.folder, CALIBRATED_ON, made_from)
        save_calibration(model.folder, found)
    else:
        remembered = {"fitted_for": model.fitted_as} | made_from
        (model.folder / NOTE_FILE).write_text(json.dumps(remembered, indent=1) + "\n")
        fitted = replace(found, fitted_for=model.fitted_as)
        (model.folder / CALIBRATION_FILE).write_text(calibration_to_json(fitted))
    return model.folder / CALIBRATION_FILE


def _print(found: Calibration, path: Path, *, as_json: bool) -> None:
    pooled = found.margins[POOLED]
    facts = {
        "calibration": str(path),
        "infants": pooled.infants,
        "groups": len(found.margins),
        "margin90": pooled.widths[NINETY],
        "most_distance": found.limits.most_distance,
        "widest": found.limits.widest,
    }
    if as_json:
        print(json.dumps(facts))
    else:
        print("\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in facts.items()))
