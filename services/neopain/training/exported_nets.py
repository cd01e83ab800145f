"""The nets of a model repository in this process, window by window, as they are served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from neopain.features.signature import (
    ATTENTION,
    CLIP,
    CONTEXT,
    CRY,
    DISTANCE,
    PRESENT,
    SCORE_BY_MODALITY,
    SCORE_QUANTILES,
    SEDATION,
    VITALS,
    TensorSpec,
)
from neopain.models.engines import SERVED, Arrays, EngineOptions, answer, load_engine
from neopain.models.graph import (
    AUDIO_ENCODER,
    CRY_SCORE,
    CRY_TOKENS,
    FACE_SCORE,
    FACE_TOKENS,
    FUSION_HEAD,
    NETS,
    VIDEO_ENCODER,
    VITALS_ENCODER,
    VITALS_SCORE,
    VITALS_TOKENS,
    NetSpec,
)
from neopain.training.baselines.hand import hand_features
from neopain.training.encoded import Encoded
from neopain.training.nets import one_after_another
from neopain.training.patterns import M, P, context_of, letters_of, present_of, variant_of, vitals_variants
from neopain.training.pool import Flags, Floats, Windows
from neopain.training.predict import abstentions, kept_letters
from neopain.training.predictions import ModelPredictions

VARIANT_LETTERS: Final = ((P, M), (P,), (M,))
"""What each of the three variants of the vitals rests on."""

Outputs = Mapping[str, npt.NDArray[np.generic]]


class ExportedNets:
    """``Nets`` of a repository's folder."""

    def __init__(self, repository: Path) -> None:
        """``ConfigurationError`` when the folder holds no exported nets."""
        self._engines = {name: load_engine(repository / name / "1", SERVED.get(name, EngineOptions())) for name in NETS}

    def encode(self, windows: Windows, indices: Sequence[int]) -> Encoded:
        """See ``Nets``."""
        return one_after_another([self._encoded(windows, index) for index in indices])

    def predict(self, encoded: Encoded, pattern: str | None = None) -> ModelPredictions:
        """See ``Nets``."""
        keep = kept_letters(encoded, pattern)
        inputs = (_fusion_inputs(encoded, keep, row) for row in range(len(keep)))
        return predictions_of([self._run(FUSION_HEAD, each) for each in inputs], keep)

    def _encoded(self, windows: Windows, index: int) -> Encoded:
        """One window; zeros where something is absent."""
        letters = letters_of([windows.patterns[index]])
        clip, sound = windows.clip(index), np.asarray(windows.cry[index], np.float32)
        vitals, context = np.asarray(windows.vitals[index]), np.asarray(windows.context[index])
        present = present_of(letters)
        face = self._run(VIDEO_ENCODER, {CLIP.name: clip[None], PRESENT.name: present})
        cry = self._run(AUDIO_ENCODER, {CRY.name: sound[None], PRESENT.name: present})
        grids = [
            self._run_vitals(grid, letters[0], place) for place, grid in enumerate(vitals_variants(vitals[None])[0])
        ]
        hand = hand_features(clip=clip, cry=sound, vitals=vitals, context=context, letters=letters[0])
        return Encoded(
            face=np.asarray(face[FACE_TOKENS.name][None], np.float16),
            face_scores=_floats(face, FACE_SCORE),
            cry=np.asarray(cry[CRY_TOKENS.name][None], np.float16),
            cry_scores=_floats(cry, CRY_SCORE),
            vitals=np.stack([grid[VITALS_TOKENS.name] for grid in grids], axis=1)[None].astype(np.float16),
            vitals_scores=np.stack([_floats(grid, VITALS_SCORE) for grid in grids], axis=2),
            context=context[None],
            letters=letters,
            hand=hand[None],
        )

    def _run_vitals(self, grid: Floats, letters: Flags, place: int) -> Arrays:
        is_there = bool(letters[list(VARIANT_LETTERS[place])].all())
        present = np.array([[False, False, is_there]])
        return self._run(VITALS_ENCODER, {VITALS.name: grid[None], PRESENT.name: present})

    def _run(self, net: NetSpec, inputs: Arrays) -> Arrays:
        return answer(net, self._engines[net.name], inputs)


def _floats(outputs: Outputs, spec: TensorSpec) -> Floats:
    return np.asarray(outputs[spec.name], np.float32)


def _fusion_inputs(encoded: Encoded, keep: Flags, row: int) -> Arrays:
    """All inputs of the fusion head for one window, batch of 1."""
    own = keep[row : row + 1]
    variant = variant_of(own)[0]
    return {
        FACE_TOKENS.name: encoded.face[row].astype(np.float32),
        CRY_TOKENS.name: encoded.cry[row].astype(np.float32),
        VITALS_TOKENS.name: encoded.vitals[row, :, variant].astype(np.float32),
        FACE_SCORE.name: encoded.face_scores[row : row + 1],
        CRY_SCORE.name: encoded.cry_scores[row : row + 1],
        VITALS_SCORE.name: encoded.vitals_scores[row : row + 1, 0, variant : variant + 1],
        CONTEXT.name: context_of(encoded.context[row : row + 1], own),
        PRESENT.name: present_of(own),
    }


def predictions_of(outputs: Sequence[Outputs], keep: Flags) -> ModelPredictions:
    """The table of the ensemble's outputs, one window each with or without a batch axis; ``keep`` bool [n, 4]."""

    def column(spec: TensorSpec) -> npt.NDArray[np.float64]:
        found: list[Any] = [output[spec.name] for output in outputs]
        return np.array(found, np.float64).reshape(len(keep), *spec.shape)

    present = present_of(keep)
    return ModelPredictions(
        quantiles=column(SCORE_QUANTILES),
        sedation=column(SEDATION)[:, 0],
        distance=column(DISTANCE)[:, 0],
        by_modality=np.where(present, column(SCORE_BY_MODALITY), np.nan),
        attention=np.where(present, column(ATTENTION), np.nan),
        abstained=abstentions(keep),
    )
