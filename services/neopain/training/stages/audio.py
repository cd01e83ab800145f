"""Stage ``audio``: VGGish and its transformer learn the cry from log-mel frames that were computed once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from neopain.features.signature import PRESENT_FLAGS
from neopain.models.audio_encoder import AudioEncoder
from neopain.training.augment.gentler import gentler
from neopain.training.augment.sounds import SoundDisturbance, disturb_sounds, patches_of
from neopain.training.config import AudioStageConfig
from neopain.training.losses import score_loss, share_loss
from neopain.training.machine import Batch, Machine
from neopain.training.pool import Indices, Pool
from neopain.training.stages.lesson import LABEL, PARTS, Infants, Learner, Lesson, item_targets

SOUNDS = "sounds"
CRY = PRESENT_FLAGS.index("cry")
AUDIO_ITEMS = ("cry",)
STATISTICS_WINDOWS = 256
AT_ONCE = 16

LogMels = npt.NDArray[np.float16]


class AudioStage:
    """Log-mel frames of whole windows, float16 [n, 1000, 64] in the numbering of the pool."""

    name = "audio"

    def __init__(
        self,
        pool: Pool,
        infants: Infants,
        config: AudioStageConfig,
        encoder: AudioEncoder,
        *,
        log_mels: LogMels,
        machine: Machine,
        seed: int,
    ) -> None:
        without_front_end(encoder)
        machine.halve(encoder.convolutions)
        self.plan = config.plan
        self.nets = Learner(encoder, encoder.project.out_features, len(AUDIO_ITEMS))
        self._encoder, self._heard = encoder, config.patches
        self._machine, self._log_mels = machine, log_mels
        targets = item_targets(pool, AUDIO_ITEMS)
        self._lesson = Lesson(pool, infants, config.plan, modality=CRY, targets=targets, seed=seed)
        self._how = gentler(SoundDisturbance(), config.disturbed)

    def read(self, unit: int) -> Batch:
        """SOUNDS float16 [B, 1000, 64], LABEL and PARTS."""
        indices = self._lesson.order.draw(unit)
        return {SOUNDS: self._sounds(indices), **self._lesson.targets(indices)}

    def loss(self, batch: Batch) -> Tensor:
        """Of the score and of the parts."""
        frames = disturb_sounds(batch[SOUNDS].to(torch.float32), self._how)
        patches, places = some_patches(patches_of(frames), self._heard)
        scores, parts = self.nets.judged(*self._encoder.hear(patches, places))
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
        sounds = self._machine.put({SOUNDS: self._sounds(indices)})[SOUNDS]
        return self.nets.scores(patches_of(sounds.to(torch.float32)))

    def _sounds(self, indices: Indices) -> Tensor:
        return torch.from_numpy(self._log_mels[indices])


def some_patches(patches: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """So many of the ten patches [B, 10, 96, 64] of each window at random, and their places, ascending."""
    places = torch.rand(patches.shape[:2], device=patches.device).argsort(dim=1)[:, :count].sort(dim=1).values
    return patches[torch.arange(len(patches), device=patches.device)[:, None], places], places


def without_front_end(encoder: AudioEncoder) -> None:
    """From now on the encoder takes log-mel patches [B, 10, 96, 64]; its weights are as before."""
    encoder.register_module("log_mel", nn.Identity())
