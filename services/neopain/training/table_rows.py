"""Rows of predictions: some of them, or those of several tables one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import numpy.typing as npt

from neopain.training.predictions import ModelPredictions, Predictions

Indices = npt.NDArray[np.intp]

ARRAYS = tuple(each.name for each in fields(ModelPredictions) if each.name != "abstained")


def take(predictions: Predictions, rows: Indices) -> Predictions:
    """These rows, in their order."""
    return Predictions(
        windows=tuple(predictions.windows[row] for row in rows.tolist()),
        models={name: take_answers(answers, rows) for name, answers in predictions.models.items()},
    )


def take_answers(answers: ModelPredictions, rows: Indices) -> ModelPredictions:
    """One model's answers for these rows, in their order."""
    return ModelPredictions(
        **{name: getattr(answers, name)[rows] for name in ARRAYS},
        abstained=tuple(answers.abstained[row] for row in rows.tolist()),
    )


def joined(parts: Sequence[Predictions]) -> Predictions:
    """The rows of all parts, which have the same models, one part after the other; at least one part."""
    return Predictions(
        windows=tuple(window for part in parts for window in part.windows),
        models={name: _joined([part.models[name] for part in parts]) for name in parts[0].models},
    )


def _joined(parts: Sequence[ModelPredictions]) -> ModelPredictions:
    return ModelPredictions(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS},
        abstained=tuple(reason for part in parts for reason in part.abstained),
    )
