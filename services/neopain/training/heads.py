"""Nets from tokens to a score with its quantiles: the fusion head that is served, and what it is compared with.

They take the same batch (``training.encoded``) and are trained by the same loss, so a difference is one of the design.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from neopain.features.signature import CONTEXT_FIELDS, PRESENT_FLAGS, QUANTILES
from neopain.models.config import NetConfig
from neopain.models.fusion_head import FusionHead
from neopain.models.networks import SOMEBODY_LOGIT
from neopain.models.readers import ContextToken, Opinion, Window, mean_opinion
from neopain.training.encoded import CONTEXT, CRY, FACE, PRESENT, SCORES, VITALS
from neopain.training.machine import Batch
from neopain.training.patterns import AGES

SCALE = 10.0


class Answer(NamedTuple):
    """Quantiles [B, 9] on 0..10, sedation [B] on 0..-10, the logit of there being no infant [B] (0 from a net that does
    not tell), and the vector [B, k] that they were read from."""

    quantiles: Tensor
    sedation: Tensor
    nobody: Tensor
    pooled: Tensor


class QuantileNet(nn.Module):
    """From a batch of tokens to an answer."""

    readers = 1
    """How many there are whose answers it takes the mean of."""

    def answers(self, batch: Batch) -> list[Answer]:
        """What each reader says by itself."""
        return [self(batch)]


class Fused(QuantileNet):
    """The fusion head on everything that is present."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.head = FusionHead(config)
        self.head.dropout = 0.0
        """The batches hide modalities themselves, letter by letter."""
        for reader in self.head.readers:
            nn.init.zeros_(reader.nobody.weight)
            nn.init.constant_(reader.nobody.bias, SOMEBODY_LOGIT)
        self.readers = len(self.head.readers)

    def forward(self, batch: Batch) -> Answer:
        """See ``Answer``."""
        opinions, _ = self.head.opinions(_window(batch))
        return _answer(mean_opinion(opinions))

    def answers(self, batch: Batch) -> list[Answer]:
        """What each reader says by itself."""
        opinions, _ = self.head.opinions(_window(batch))
        return [_answer(opinion) for opinion in opinions]


def _answer(opinion: Opinion) -> Answer:
    return Answer(opinion.quantiles, opinion.sedation[:, 0], opinion.nobody[:, 0], opinion.vector)


def _window(batch: Batch) -> Window:
    scores = batch[SCORES]
    return Window(
        (batch[FACE], batch[CRY], batch[VITALS]),
        (scores[:, :1], scores[:, 1:2], scores[:, 2:]),
        batch[CONTEXT],
        batch[PRESENT],
    )


def fusion_outputs(head: FusionHead, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """All outputs of the head on a batch of tokens, in the order of ``features.signature.OUTPUTS``."""
    outputs: tuple[Tensor, Tensor, Tensor, Tensor, Tensor] = head(*_window(batch))
    return outputs


class SideBySide(QuantileNet):
    """Mean tokens of some modalities side by side, zeros and a flag for an absent one, the context, and an MLP.

    Of all modalities it is early fusion, of one its model alone. Who has the vitals sees the whole context, the others
    only the ages.
    """

    def __init__(self, config: NetConfig, modalities: Sequence[str]) -> None:
        super().__init__()
        width = config.width
        self.modalities = tuple(modalities)
        self.context = ContextToken(width)
        inputs = len(self.modalities) * (width + 1) + width
        self.norm = nn.LayerNorm(inputs)
        self.net = nn.Sequential(nn.Linear(inputs, 2 * width), nn.GELU(), nn.Linear(2 * width, width), nn.GELU())
        self.steps = nn.Linear(width, len(QUANTILES) + 1)
        self.sedation = nn.Linear(width, 1)
        places = [PRESENT_FLAGS.index(name) for name in self.modalities]
        self.register_buffer("places", torch.tensor(places), persistent=False)
        fields = [VITALS in self.modalities or name in AGES for name in CONTEXT_FIELDS] * 2
        self.register_buffer("fields", torch.tensor(fields), persistent=False)

    def forward(self, batch: Batch) -> Answer:
        """See ``Answer``."""
        present = batch[PRESENT][:, self.get_buffer("places")]
        means = torch.stack([batch[name].mean(dim=1) for name in self.modalities], dim=1)
        given = torch.where(present[:, :, None], means, 0.0).flatten(1)
        context = self.context(torch.where(self.get_buffer("fields"), batch[CONTEXT], 0.0))[:, 0]
        pooled = self.net(self.norm(torch.cat([given, present.to(given.dtype), context], dim=1)))
        quantiles = SCALE * self.steps(pooled).softmax(dim=-1).cumsum(dim=-1)[:, : len(QUANTILES)]
        sedation = -SCALE * self.sedation(pooled).sigmoid()[:, 0]
        return Answer(quantiles, sedation, torch.zeros_like(sedation), pooled)


FUSION = "fusion"
HEADS: dict[str, Callable[[NetConfig], QuantileNet]] = {
    FUSION: Fused,
    **{flag: (lambda config, flag=flag: SideBySide(config, [flag])) for flag in PRESENT_FLAGS},  # type: ignore[misc]
    "early": lambda config: SideBySide(config, PRESENT_FLAGS),
}
"""Name of a model to its net: the fusion that is served, and the learned baselines."""
