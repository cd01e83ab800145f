"""What a training is to do: the steps, rates and sizes of every stage, as one frozen value; and the presets.

``training.config_file`` reads it from TOML.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from neopain.models.config import AudioConfig, NetConfig, VideoConfig, VitalsConfig

VIDEO_PARTS: Final = ("stem", "res2", "res3", "res4", "res5", "project")
"""Of the video encoder, in the order in which a clip passes them."""


@dataclass(frozen=True, slots=True)
class SplitConfig:
    """Shares of the infants. What is left over trains the encoders and the fusion head."""

    tune: float = 0.15
    """Decide when a stage stops and which trial is kept; never trained on."""
    fusion_only: float = 0.25
    """Unseen by the encoders: on them the fusion head learns how far the encoders are right about strangers."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one stage with AdamW: warm-up, then a cosine down to a hundredth of ``lr``."""

    steps: int
    batch: int
    lr: float
    minutes: float = 0.0
    """A budget, 0 for none: the stage ends when it is spent. Where it binds, a repetition is not exact."""
    accumulate: int = 1
    """Batches whose gradients make one step."""
    weight_decay: float = 0.05
    warmup: float = 0.05
    """Share of the steps."""
    average: float = 0.995
    """Decay of the running average of the weights, which is what is checked and kept."""
    check_every: int = 200
    """Steps from one look at the tune infants to the next."""
    check_windows: int = 400
    """At most so many of their windows are looked at."""
    patience: int = 8
    """Looks without a better MAE after which the stage stops."""


@dataclass(frozen=True, slots=True)
class FaceStageConfig:
    """Single frames for the 2D twin of the video encoder."""

    plan: Steps = field(
        default_factory=lambda: Steps(steps=5000, batch=32, lr=1e-3, check_every=250, check_windows=300)
    )
    frame_px: int = 112
    sharp_px: int = 224
    """Edge in the last ``sharp_share`` of the steps, since clips are served at 224; 0 keeps ``frame_px``."""
    sharp_share: float = 0.15
    disturbed: float = 1.0
    """Share of the full disturbance: 1 as a ward might, 0 not at all. Where no frame is seen twice, less is learnt
    sooner."""
    keep: bool = False
    """The video encoder stays as ``--start`` gave it: this stage and ``video`` are left out."""


@dataclass(frozen=True, slots=True)
class VideoStageConfig:
    """Clips for the inflated encoder."""

    plan: Steps = field(
        default_factory=lambda: Steps(
            steps=600, batch=2, accumulate=4, lr=1e-4, check_every=100, check_windows=60, average=0.98
        )
    )
    clip_px: int = 224
    trained_from: str = "res4"
    """First of ``VIDEO_PARTS`` that learns; what a clip passes before stays as it is, which saves its way back."""
    statistics_clips: int = 64
    """Clips from which the batch norms take their statistics."""
    hold_statistics: bool = True
    """They are taken at the beginning and stay, since a batch of two clips has none to speak of. With batches of 16 or
    more, false is better: they then are the batch's own, and are taken once more at the end."""
    keep_motion: bool = True
    """Of ``--start`` weights the course of the kernels over time is kept, only their sums come from the face stage."""
    disturbed: float = 1.0
    """As for the face stage."""


@dataclass(frozen=True, slots=True)
class AudioStageConfig:
    """Log-mel patches for VGGish and its transformer."""

    plan: Steps = field(
        default_factory=lambda: Steps(steps=2000, batch=16, lr=5e-4, check_every=200, check_windows=200)
    )
    patches: int = 5
    """So many of a window's ten are heard in a step, drawn anew each time: half the work, and a disturbance of its own
    (as Liu et al. 2023, PatchDropout)."""
    disturbed: float = 1.0
    """As for the face stage."""
    keep: bool = False
    """The audio encoder stays as ``--start`` gave it: the stage is left out."""


@dataclass(frozen=True, slots=True)
class VitalsStageConfig:
    """Grids for the 1D-CNN."""

    plan: Steps = field(
        default_factory=lambda: Steps(steps=6000, batch=128, lr=2e-3, check_every=250, check_windows=2000)
    )
    keep: bool = False
    """The vitals encoder stays as ``--start`` gave it: the stage is left out."""


@dataclass(frozen=True, slots=True)
class TokensStageConfig:
    """How often each training window is encoded: once as it is, the other times disturbed as in training."""

    face_views: int = 2
    cry_views: int = 3
    vitals_views: int = 4
    batch: int = 4
    served: bool = True
    """On a CPU by the heavy encoders in int8, as they will be served there: several times as fast, and the fusion head
    learns from the tokens that it will get. A GPU always takes the nets as they were trained."""


@dataclass(frozen=True, slots=True)
class FusionStageConfig:
    """The fusion head, and in the same way each learned baseline."""

    plan: Steps = field(
        default_factory=lambda: Steps(
            steps=3000, batch=128, lr=1e-3, check_every=150, check_windows=2000, weight_decay=0.1
        )
    )
    trials: int = 3
    """Restarts from other random weights; the one with the least MAE on the tune infants is kept."""
    sedation_weight: float = 0.5
    items_weight: float = 0.1
    nobody_weight: float = 0.2
    """Of telling windows without an infant, where there are some."""
    far_share: float = 0.0075
    """Share of the training windows whose DISTANCE is above 1."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """All of it."""

    nets: NetConfig = field(default_factory=NetConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    face: FaceStageConfig = field(default_factory=FaceStageConfig)
    video: VideoStageConfig = field(default_factory=VideoStageConfig)
    audio: AudioStageConfig = field(default_factory=AudioStageConfig)
    vitals: VitalsStageConfig = field(default_factory=VitalsStageConfig)
    tokens: TokensStageConfig = field(default_factory=TokensStageConfig)
    fusion: FusionStageConfig = field(default_factory=FusionStageConfig)
    save_seconds: float = 120.0
    """At most so much work is lost by a kill."""
    readers: int = 2
    """Threads that read windows ahead."""


def default() -> TrainConfig:
    """The nets that are served, for a few hours of a GPU or some nights of two cores."""
    return TrainConfig()


def small() -> TrainConfig:
    """Small nets and few steps: shows in about a minute, on some sixty windows, that all is in order; no more."""
    return TrainConfig(
        nets=NetConfig(
            video=VideoConfig(stem_channels=8, depths=(1, 1, 1, 1)),
            audio=AudioConfig(channels=(8, 16, 16, 32), layers=1),
            vitals=VitalsConfig(channels=32),
        ),
        split=SplitConfig(tune=0.2, fusion_only=0.2),
        face=FaceStageConfig(
            Steps(steps=40, batch=12, lr=2e-3, average=0.9, check_every=20, check_windows=24), sharp_px=0
        ),
        video=VideoStageConfig(
            Steps(steps=4, batch=2, lr=2e-4, average=0.8, check_every=4, check_windows=6),
            clip_px=112,
            trained_from="stem",
            statistics_clips=6,
        ),
        audio=AudioStageConfig(Steps(steps=24, batch=8, lr=1e-3, average=0.9, check_every=12, check_windows=24)),
        vitals=VitalsStageConfig(Steps(steps=100, batch=32, lr=2e-3, average=0.95, check_every=50)),
        tokens=TokensStageConfig(face_views=1, cry_views=2, vitals_views=2, served=False),
        fusion=FusionStageConfig(Steps(steps=30, batch=24, lr=1e-3, average=0.9, check_every=15), trials=2),
        save_seconds=5.0,
    )


def gpu() -> TrainConfig:
    """The nets that are served, for about an hour of a data-centre GPU and its cores."""
    return TrainConfig(
        face=FaceStageConfig(Steps(steps=12_000, batch=128, lr=2e-3, check_every=500, check_windows=600), sharp_px=224),
        video=VideoStageConfig(
            Steps(steps=3000, batch=24, lr=2e-4, check_every=250, check_windows=400),
            trained_from="stem",
            statistics_clips=512,
            hold_statistics=False,
        ),
        audio=AudioStageConfig(Steps(steps=6000, batch=64, lr=1e-3, check_every=250, check_windows=1000)),
        vitals=VitalsStageConfig(Steps(steps=10_000, batch=256, lr=2e-3, check_every=500, check_windows=4000)),
        tokens=TokensStageConfig(face_views=3, cry_views=4, vitals_views=6, batch=32),
        fusion=FusionStageConfig(
            Steps(steps=5000, batch=512, lr=1e-3, check_every=250, check_windows=4000, weight_decay=0.1), trials=5
        ),
        readers=14,
    )


PRESETS: Final = {"default": default, "gpu": gpu, "small": small}
