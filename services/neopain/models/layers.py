"""Building blocks that several nets share: maskable attention, feed-forward, time code, score heads."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

MASKED = -1e4
"""Added to the logit of a masked key: exp(-1e4) is exactly 0 in float32 and bfloat16, and never gives inf - inf."""


def time_code(seconds: Tensor, width: int) -> Tensor:
    """Sinusoidal code of times in seconds before T, [N] -> float32 [N, width]; periods from 0.25 s to 120 s.

    As Vaswani et al. 2017, section 3.5, on seconds instead of positions: tokens of all modalities share one clock.
    """
    half = width // 2
    periods = 0.25 * (120.0 / 0.25) ** (torch.arange(half, dtype=torch.float32) / max(half - 1, 1))
    phase = 2 * math.pi * seconds.to(torch.float32)[:, None] / periods[None, :]
    return torch.cat([phase.sin(), phase.cos()], dim=1)


def split_axis(tensor: Tensor, axis: int, sizes: tuple[int, int]) -> Tensor:
    """One axis into two; one of the sizes may be -1."""
    return tensor.reshape(*tensor.shape[:axis], *sizes, *tensor.shape[axis + 1 :])


class Attention(nn.Module):
    """Multi-head attention of queries over keys; returns its weights too, for the attention share."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, queries: Tensor, keys: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """queries [B, Q, W], keys [B, K, W], bias [B, K] (0 or MASKED) -> [B, Q, W], weights [B, Q, K]."""
        q, k, v = self._split(self.query(queries)), self._split(self.key(keys)), self._split(self.value(keys))
        logits = q @ k.transpose(-2, -1) / math.sqrt(self.query.out_features // self.heads)
        if bias is not None:
            logits = logits + bias[:, None, None, :]
        weights = logits.softmax(dim=-1)
        mixed = (weights @ v).transpose(1, 2).flatten(2)
        out: Tensor = self.out(mixed)
        return out, weights.mean(dim=1)

    def _split(self, tokens: Tensor) -> Tensor:
        """[B, N, W] -> [B, heads, N, W / heads]."""
        return split_axis(tokens, 2, (self.heads, -1)).transpose(1, 2)


class FeedForward(nn.Sequential):
    """Two linear layers with GELU between them, four times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))


class TransformerLayer(nn.Module):
    """Self-attention and feed-forward, normalised before each (pre-LN)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm_forward = nn.LayerNorm(width)
        self.forward_net = FeedForward(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, W] -> [B, N, W]."""
        normed = self.norm_attention(tokens)
        tokens = tokens + self.attention(normed, normed)[0]
        out: Tensor = tokens + self.forward_net(self.norm_forward(tokens))
        return out


class ScoreHead(nn.Module):
    """One modality's own pain score: mean of its tokens, one linear layer, 0..10."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, W] -> [B, 1], pain 0..10."""
        logit: Tensor = self.linear(self.norm(tokens.mean(dim=1)))
        return 10 * logit.sigmoid()
