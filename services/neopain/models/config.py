"""Sizes and options of the four nets: one frozen value, saved beside the weights as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from neopain.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class VideoConfig:
    """I3D-ResNet-50 (Carreira & Zisserman 2017; SlowFast ``I3D_8x8_R50``)."""

    stem_channels: int = 64
    depths: tuple[int, ...] = (3, 4, 6, 3)
    """Bottleneck blocks in res2 .. res5."""


@dataclass(frozen=True, slots=True)
class AudioConfig:
    """VGGish convolutions (Hershey et al. 2017), its fully connected layers or not, then a transformer over tokens."""

    channels: tuple[int, int, int, int] = (64, 128, 256, 512)
    layers: int = 2
    heads: int = 4
    fully_connected: bool = False
    """One 128-D embedding for each patch, as AudioSet's, instead of six time steps: 67.64 M parameters more."""
    embedding: tuple[int, int, int] = (4096, 4096, 128)
    """Sizes of the fully connected layers, where there are any."""
    embedding_relu: bool = False
    """A ReLU on the embedding: torchvggish and torchaudio have one, AudioSet's own ``vggish_slim.py`` has none."""


@dataclass(frozen=True, slots=True)
class VitalsConfig:
    """A residual 1D-CNN over the 30 s grid."""

    channels: int = 96
    blocks: int = 3


@dataclass(frozen=True, slots=True)
class FusionConfig:
    """Readers that answer together; latent queries read all tokens under a mask (Jaegle et al. 2021, Nagrani et al.
    2021)."""

    latents: int = 8
    readers: tuple[int, ...] = (1, 0)
    """Layers of attention of each; one without any reads only the summaries. The first has at least one."""
    heads: int = 4
    dropout: float = 0.1
    """Share of the features that a reader's own nets lose in training."""
    modality_dropout: float = 0.3
    """Share of training windows from which each present modality is hidden; at least one is kept."""

    def __post_init__(self) -> None:
        if not self.readers or self.readers[0] < 1 or min(self.readers) < 0:
            raise ConfigurationError(f"fusion.readers is {list(self.readers)}: the first needs a layer, none below 0")


@dataclass(frozen=True, slots=True)
class NetConfig:
    """All four nets. ``width`` is the length of one token at the border between encoders and fusion."""

    width: int = 192
    video: VideoConfig = field(default_factory=VideoConfig)
    audio: AudioConfig = field(default_factory=AudioConfig)
    vitals: VitalsConfig = field(default_factory=VitalsConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)

    def to_json(self) -> str:
        """The same config always gives the same text: it is part of the model version's digest."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> NetConfig:
        """Reads what ``to_json`` wrote; an unknown or missing field is a TypeError or KeyError."""
        fields = json.loads(text)
        return cls(
            width=fields["width"],
            video=VideoConfig(**_tuples(fields["video"])),
            audio=AudioConfig(**_tuples(fields["audio"])),
            vitals=VitalsConfig(**fields["vitals"]),
            fusion=FusionConfig(**_tuples(fields["fusion"])),
        )


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
