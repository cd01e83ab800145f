"""What is typical of the training windows: the buffers from which the fusion head tells its DISTANCE."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from neopain.models.fusion_head import FusionHead
from neopain.training.encoded import CRY, FACE, PRESENT, VITALS, Encoded
from neopain.training.pool import Flags, Indices

Doubles = npt.NDArray[np.float64]

LEAST_SPREAD = 1e-3
UNSEEN_UNIT = 1e-6
"""Of a modality that no training window has: whatever it says is far from them."""
AT_ONCE = 1024


@torch.no_grad()
def set_typical(head: FusionHead, encoded: Encoded, train: Indices, *, far_share: float) -> None:
    """Sets the typical tokens, so that about ``far_share`` of the training windows are further than 1 from them."""
    means, present = mean_tokens(encoded, train)
    distances = np.zeros(present.shape)
    for index in range(present.shape[1]):
        own = means[present[:, index], index]
        if len(own) < 2:
            head.distance_unit[index] = UNSEEN_UNIT
            continue
        mean, spread = own.mean(axis=0), np.maximum(own.std(axis=0), LEAST_SPREAD)
        distance = np.sqrt((((own - mean) / spread) ** 2).mean(axis=1))
        unit = max(float(np.quantile(distance, 1 - far_share)), LEAST_SPREAD)
        distances[present[:, index], index] = distance / unit
        head.typical_mean[index] = torch.from_numpy(mean)
        head.typical_spread[index] = torch.from_numpy(spread)
        head.distance_unit[index] = unit
    # The largest of three passes 1 more often than each of them.
    head.distance_unit *= max(float(np.quantile(distances.max(axis=1), 1 - far_share)), LEAST_SPREAD)


def mean_tokens(encoded: Encoded, rows: Indices) -> tuple[Doubles, Flags]:
    """Each modality's mean token, [n, 3, W], and whether it is there, bool [n, 3]."""
    means: list[Doubles] = []
    present: list[Flags] = []
    for at in range(0, len(rows), AT_ONCE):
        some = rows[at : at + AT_ONCE]
        batch = encoded.batch(some, encoded.letters[some])
        means.append(np.stack([batch[name].double().mean(dim=1).numpy() for name in (FACE, CRY, VITALS)], axis=1))
        present.append(batch[PRESENT].numpy())
    return np.concatenate(means), np.concatenate(present)
