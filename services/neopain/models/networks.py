"""The four nets as one: built from a config and a seed, and run together as the ensemble does.

The untrained start is deterministic and sane: batch statistics come from made-up windows, and the heads are set so that
scores spread over the middle of the scale instead of sticking to its ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from neopain.features import signature
from neopain.models.audio_encoder import AudioEncoder
from neopain.models.config import NetConfig
from neopain.models.fusion_head import FusionHead
from neopain.models.sample_windows import PATTERNS, Window, sample_window
from neopain.models.video_encoder import Bottleneck, VideoEncoder
from neopain.models.vitals_encoder import VitalsEncoder

START_WINDOWS = 4
"""Windows from which the untrained start takes its statistics."""

START_SEED = 1_000_000
"""Their seeds begin here: away from those of calibration and golden windows."""

LOGIT_SPREAD = 0.3
"""Standard deviation of a fresh head's logit: scores then lie between about 2 and 8, and vary with the window."""

RESIDUAL_GAIN = 0.2
"""Scale of each residual branch at the start: a deep random net with full branches is chaotic and magnifies the
quantiser's rounding (measured: 0.8 of 10 off on the face score with 1.0, 0.2 with 0.2)."""

CONV_BIAS = 0.05
"""Largest bias of a fresh convolution. Not 0: a bias of zeros is folded away on conversion, and the quantiser then has
no place for its correction."""

FAR_UNIT = 10.0
"""Untrained nets have no training data to be far from: the unit of DISTANCE is this many times the largest seen."""

LEAST_SPREAD = 0.25
"""Of the mean spread: that a feature hardly differs in four start windows does not make others unlike them."""

SOMEBODY_LOGIT = -4.0
"""Untrained nets take it that there is an infant."""

Outputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


class Networks(nn.Module):
    """Three encoders and the fusion head, joined exactly as ``triton_models/neopain/config.pbtxt`` joins them."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config = config
        self.video_encoder = VideoEncoder(config)
        self.audio_encoder = AudioEncoder(config)
        self.vitals_encoder = VitalsEncoder(config)
        self.fusion_head = FusionHead(config)

    def encode(self, batch: dict[str, Tensor]) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
        """Tokens and scores of face, cry and vitals, whether present or not."""
        face, face_score = self.video_encoder(batch[signature.CLIP.name])
        cry, cry_score = self.audio_encoder(batch[signature.CRY.name])
        vitals, vitals_score = self.vitals_encoder(batch[signature.VITALS.name])
        return (face, cry, vitals), (face_score, cry_score, vitals_score)

    def forward(self, batch: dict[str, Tensor]) -> Outputs:
        """The signature's inputs by name, batch axis first, to its outputs in the signature's order."""
        tokens, scores = self.encode(batch)
        outputs: Outputs = self.fusion_head(
            tokens, scores, batch[signature.CONTEXT.name], batch[signature.PRESENT.name]
        )
        return outputs


def build_networks(config: NetConfig, *, seed: int) -> Networks:
    """Untrained nets in evaluation mode; the same config and seed give the same weights, up to rounding of sums."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        networks = Networks(config)
        networks.apply(_initialise)
    with torch.no_grad():
        _settle(networks)
    return networks.eval()


def as_batch(windows: list[Window]) -> dict[str, Tensor]:
    """Windows by name to tensors by name, stacked along a new first axis."""
    return {
        spec.name: torch.from_numpy(np.stack([window[spec.name] for window in windows])) for spec in signature.INPUTS
    }


def _initialise(module: nn.Module) -> None:
    match module:
        case nn.Conv1d() | nn.Conv2d() | nn.Conv3d():
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.uniform_(module.bias, -CONV_BIAS, CONV_BIAS)
        case Bottleneck():
            nn.init.constant_(module.norm_c.weight, RESIDUAL_GAIN)
        case nn.Linear():
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
        case _:
            pass


def _settle(networks: Networks) -> None:
    """Sets batch statistics, heads and the typical tokens from the start windows."""
    windows = [sample_window(START_SEED + i) for i in range(START_WINDOWS)]
    with _collecting_statistics(networks):
        for first in range(0, len(windows), 4):
            networks.encode(as_batch(windows[first : first + 4]))
    networks.eval()
    batch = as_batch(windows)
    encoders = (networks.video_encoder, networks.audio_encoder, networks.vitals_encoder)
    names = (signature.CLIP.name, signature.CRY.name, signature.VITALS.name)
    heads = (networks.video_encoder.head, networks.audio_encoder.head, networks.vitals_encoder.head)
    tokens: list[Tensor] = []
    for encoder, head, name in zip(encoders, heads, names, strict=True):
        with _standardised(head.linear):
            tokens.append(encoder(batch[name])[0])
    _settle_fusion(networks.fusion_head, (tokens[0], tokens[1], tokens[2]), batch[signature.CONTEXT.name])


def _settle_fusion(fusion: FusionHead, tokens: tuple[Tensor, Tensor, Tensor], context: Tensor) -> None:
    for index, each in enumerate(tokens):
        means = each.mean(dim=1)
        fusion.typical_mean[index] = means.mean(dim=0)
        spread = means.std(dim=0)
        fusion.typical_spread[index] = spread.clamp_min(LEAST_SPREAD * float(spread.mean()) + 1e-3)
    fusion.distance_unit.fill_(FAR_UNIT)
    for reader in fusion.readers:
        nn.init.zeros_(reader.nobody.weight)
        nn.init.constant_(reader.nobody.bias, SOMEBODY_LOGIT)
    present = torch.tensor(PATTERNS, dtype=torch.bool).repeat_interleave(len(context), dim=0)
    face, cry, vitals = (each.repeat(len(PATTERNS), 1, 1) for each in tokens)
    none = torch.zeros(len(present), 1)
    with ExitStack() as settling:
        for reader in fusion.readers:
            settling.enter_context(_standardised(reader.steps))
            settling.enter_context(_standardised(reader.sedation))
        fusion((face, cry, vitals), (none, none, none), context.repeat(len(PATTERNS), 1), present)


@contextmanager
def _collecting_statistics(networks: Networks) -> Iterator[None]:
    """Batch norms average over all batches seen inside, instead of forgetting the first."""
    norms = [m for m in networks.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm3d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None
    networks.train()
    yield
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


@contextmanager
def _standardised(head: nn.Linear) -> Iterator[None]:
    """After the pass inside, the head's outputs on what it saw have mean 0 and the fresh spread."""
    seen: list[Tensor] = []
    handle = head.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    yield
    handle.remove()
    logits = torch.cat(seen)
    scale = LOGIT_SPREAD / logits.std(dim=0).clamp_min(1e-6)
    head.weight.mul_(scale[:, None])
    head.bias.copy_((head.bias - logits.mean(dim=0)) * scale)
