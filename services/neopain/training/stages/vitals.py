"""Stage ``vitals``: the 1D-CNN learns grids of which a ward may give any part."""

from __future__ import annotations

import torch
from torch import Tensor

from neopain.features.signature import PRESENT_FLAGS
from neopain.models.vitals_encoder import VitalsEncoder
from neopain.training.augment.signals import SignalDisturbance, disturb_vitals
from neopain.training.config import VitalsStageConfig
from neopain.training.losses import score_loss, share_loss
from neopain.training.machine import Batch, Machine
from neopain.training.pool import Indices, Pool
from neopain.training.stages.lesson import LABEL, PARTS, Infants, Learner, Lesson, item_targets

GRIDS = "grids"
VITALS = PRESENT_FLAGS.index("vitals")
VITALS_ITEMS = ("breathing", "arms", "legs")
STATISTICS_WINDOWS = 4096
AT_ONCE = 256


class VitalsStage:
    """Grids of 30 s."""

    name = "vitals"

    def __init__(
        self,
        pool: Pool,
        infants: Infants,
        config: VitalsStageConfig,
        encoder: VitalsEncoder,
        *,
        machine: Machine,
        seed: int,
    ) -> None:
        self.plan = config.plan
        self.nets = Learner(encoder, encoder.project.out_features, len(VITALS_ITEMS))
        self._pool, self._machine = pool, machine
        targets = item_targets(pool, VITALS_ITEMS)
        self._lesson = Lesson(pool, infants, config.plan, modality=VITALS, targets=targets, seed=seed)
        self._how = SignalDisturbance()

    def read(self, unit: int) -> Batch:
        """GRIDS float32 [B, 10, 120], LABEL and PARTS."""
        indices = self._lesson.order.draw(unit)
        return {GRIDS: self._grids(indices), **self._lesson.targets(indices)}

    def loss(self, batch: Batch) -> Tensor:
        """Of the score and of the parts."""
        scores, parts = self.nets(disturb_vitals(batch[GRIDS], self._how))
        return score_loss(scores, batch[LABEL]) + share_loss(parts, batch[PARTS])

    def begin(self) -> None:
        """Nothing: the batches themselves bring the statistics."""

    def check(self) -> float:
        """MAE on the tune windows."""
        return self._lesson.error(self._scores, at_once=AT_ONCE)

    def settle(self) -> None:
        """Statistics of the batch norms."""
        self._lesson.settle(self.nets, self._scores, most=STATISTICS_WINDOWS, at_once=AT_ONCE)

    def _scores(self, indices: Indices) -> Tensor:
        return self.nets.scores(self._machine.put({GRIDS: self._grids(indices)})[GRIDS])

    def _grids(self, indices: Indices) -> Tensor:
        return torch.from_numpy(self._pool.vitals[indices])
