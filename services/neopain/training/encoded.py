"""Windows as the fusion head sees them: the encoders' tokens and scores, the context, and what is present."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from neopain.training.machine import Batch
from neopain.training.patterns import context_of, present_of, variant_of
from neopain.training.pool import Flags, Floats, Indices

Halves = npt.NDArray[np.float16]

FACE, CRY, VITALS, SCORES, CONTEXT, PRESENT = "face", "cry", "vitals", "scores", "context", "present"


@dataclass(frozen=True, slots=True)
class Encoded:
    """Arrays of n windows, in memory or on disk. Several views are the same window, disturbed in different ways; the
    first is undisturbed.

    ``face`` float16 [n, views, 8, W] and ``face_scores`` float32 [n, views]; ``cry`` [n, views, 20, W] likewise;
    ``vitals`` [n, views, 3, 15, W] and ``vitals_scores`` [n, views, 3], the three variants of ``training.patterns``;
    ``context`` [n, 22]; ``letters`` bool [n, 4]; ``hand`` float32 [n, 10], see ``training.baselines.hand``.
    """

    face: Halves
    face_scores: Floats
    cry: Halves
    cry_scores: Floats
    vitals: Halves
    vitals_scores: Floats
    context: Floats
    letters: Flags
    hand: Floats

    def __len__(self) -> int:
        return len(self.letters)

    def take(self, rows: Indices) -> Encoded:
        """These windows, in this order, in memory."""
        return Encoded(**{name: getattr(self, name)[rows] for name in Encoded.__slots__})

    def batch(self, rows: Indices, keep: Flags, rng: np.random.Generator | None = None) -> Batch:
        """What the fusion head takes, of these rows, with the modalities that ``keep`` (bool [B, 4]) leaves.

        With ``rng`` each modality's view is drawn anew; without, it is the undisturbed one.
        """

        def view(tokens: Halves) -> Indices:
            drawn = rng.integers(0, tokens.shape[1], len(rows)) if rng is not None else np.zeros(len(rows))
            return drawn.astype(np.intp)

        face, cry, vitals, variant = view(self.face), view(self.cry), view(self.vitals), variant_of(keep)
        scores = [self.face_scores[rows, face], self.cry_scores[rows, cry], self.vitals_scores[rows, vitals, variant]]
        return {
            FACE: _tensor(self.face[rows, face]),
            CRY: _tensor(self.cry[rows, cry]),
            VITALS: _tensor(self.vitals[rows, vitals, variant]),
            SCORES: _tensor(np.stack(scores, axis=1)),
            CONTEXT: _tensor(context_of(self.context[rows], keep)),
            PRESENT: torch.from_numpy(present_of(keep)),
        }


def _tensor(array: npt.NDArray[np.floating]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
