"""Stage ``fusion``: a head learns from tokens, with modalities hidden at random; likewise each learned baseline."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from neopain.domain.annotation import NIPS_ITEMS
from neopain.errors import ConfigurationError
from neopain.features.signature import CONTEXT_FIELDS, QUANTILES
from neopain.training.config import FusionStageConfig
from neopain.training.encoded import CONTEXT, Encoded
from neopain.training.heads import Answer, QuantileNet
from neopain.training.losses import pinball, share_loss, squared_loss
from neopain.training.machine import Batch, Machine
from neopain.training.patterns import some_hidden
from neopain.training.pool import Indices, Pool
from neopain.training.stages.lesson import Infants, Order, item_targets, mean_error, spread_out

LABEL, SEDATION, ITEMS, NOBODY = "label", "sedation", "items", "nobody"
MEDIAN = QUANTILES.index(0.5)
HIDDEN_CONTEXT = 0.1
"""Probability with which each field of the context is hidden."""
AT_ONCE = 512


class HeadLearner(nn.Module):
    """A head; each of its readers with another for the NIPS items, which serves its training alone."""

    def __init__(self, head: QuantileNet, features: int) -> None:
        super().__init__()
        self.head = head
        self.items = nn.ModuleList(nn.Linear(features, len(NIPS_ITEMS)) for _ in range(head.readers))

    def forward(self, batch: Batch) -> list[tuple[Answer, Tensor]]:
        """What each reader says, and logits of the items [B, 6]."""
        answers = self.head.answers(batch)
        return [(answer, items(answer.pooled)) for answer, items in zip(answers, self.items, strict=True)]


class FusionStage:
    """One trial of one head; ``name`` is the model's and the trial's."""

    def __init__(
        self,
        name: str,
        head: QuantileNet,
        *,
        pool: Pool,
        encoded: Encoded,
        infants: Infants,
        config: FusionStageConfig,
        features: int,
        hidden: float,
        machine: Machine,
        seed: int,
    ) -> None:
        self.name = name
        self.plan = plan = config.plan
        self.nets = HeadLearner(head, features)
        self._pool, self._encoded, self._config = pool, encoded, config
        self._machine, self._hidden = machine, hidden
        self._items = item_targets(pool, tuple(NIPS_ITEMS))
        self._nobody = np.array([not segment.has_infant for segment in pool.segments], np.float32)
        has_any, is_rated = encoded.letters.any(axis=1), ~np.isnan(pool.labels)
        self._tune = spread_out(np.intersect1d(infants.tune, np.flatnonzero(has_any & is_rated)), plan.check_windows)
        train = np.intersect1d(infants.fusion, np.flatnonzero(has_any & (is_rated | (self._nobody > 0))))
        if not is_rated[train].any():
            raise ConfigurationError("no window to train on has a NIPS rating and anything to score: add rated infants")
        self._order = Order(train, plan.batch, seed)

    def read(self, unit: int) -> Batch:
        """What the head takes, LABEL, SEDATION, ITEMS and NOBODY."""
        rows, rng = self._order.draw(unit), self._order.rng(unit)
        keep = some_hidden(self._encoded.letters[rows], self._hidden, rng)
        batch = self._encoded.batch(rows, keep, rng)
        shown = rng.random((len(rows), len(CONTEXT_FIELDS))) >= HIDDEN_CONTEXT
        return batch | {
            CONTEXT: batch[CONTEXT] * torch.from_numpy(np.tile(shown, 2)),
            LABEL: torch.from_numpy(self._pool.labels[rows]),
            SEDATION: torch.from_numpy(self._pool.sedation[rows]),
            ITEMS: torch.from_numpy(self._items[rows]),
            NOBODY: torch.from_numpy(self._nobody[rows]),
        }

    def loss(self, batch: Batch) -> Tensor:
        """Of the quantiles, the sedation, the items, and whether there is an infant at all; the mean over the readers,
        so that each learns as it would alone."""
        losses = [self._loss_of(answer, items, batch) for answer, items in self.nets(batch)]
        return torch.stack(losses).mean()

    def _loss_of(self, answer: Answer, items: Tensor, batch: Batch) -> Tensor:
        sedation = squared_loss(answer.sedation / 10, batch[SEDATION] / 10)
        return (
            pinball(answer.quantiles, batch[LABEL])
            + self._config.sedation_weight * sedation
            + self._config.items_weight * share_loss(items, batch[ITEMS])
            + self._config.nobody_weight * share_loss(answer.nobody, batch[NOBODY])
        )

    def begin(self) -> None:
        """Nothing."""

    def check(self) -> float:
        """MAE of the median on the tune windows, with all that they have."""
        return mean_error(self._medians, self._tune, self._pool.labels, at_once=AT_ONCE)

    def settle(self) -> None:
        """Nothing."""

    def _medians(self, rows: Indices) -> Tensor:
        batch = self._machine.put(self._encoded.batch(rows, self._encoded.letters[rows]))
        answer: Answer = self.nets.head(batch)
        return answer.quantiles[:, MEDIAN]
