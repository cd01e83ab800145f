"""Stage ``video``: the inflated encoder learns motion from clips, at the size that is served."""

from __future__ import annotations

from itertools import takewhile

import numpy as np
import torch
from torch import Tensor, nn

from neopain.features.signature import CLIP_FRAMES, FACE_SIZE_PX
from neopain.models.video_encoder import VideoEncoder
from neopain.training.augment.gentler import gentler
from neopain.training.augment.pictures import PictureDisturbance, disturb_clips, hold_frames
from neopain.training.config import VIDEO_PARTS, VideoStageConfig
from neopain.training.losses import score_loss, share_loss
from neopain.training.machine import Batch, Machine
from neopain.training.pool import Indices, Pixels, Pool
from neopain.training.stages.face import FACE, FACE_PARTS, face_targets, resized
from neopain.training.stages.lesson import LABEL, PARTS, Infants, Learner, Lesson

CLIPS = "clips"
SLOW_CAMERA = 0.2
"""Share of the clips that a slow camera seems to have filmed."""

BACKBONE_PARTS = {
    "stem": ("stem_conv", "stem_norm"),
    "res2": ("res2",),
    "res3": ("res3",),
    "res4": ("res4",),
    "res5": ("res5",),
}


class VideoStage:
    """Whole clips; the first parts of the backbone may stay as the face stage left them."""

    name = "video"

    def __init__(
        self,
        pool: Pool,
        infants: Infants,
        config: VideoStageConfig,
        encoder: VideoEncoder,
        *,
        machine: Machine,
        seed: int,
    ) -> None:
        self.plan = config.plan
        self.nets = Learner(encoder, encoder.project.out_features, FACE_PARTS)
        self.nets.held = hold_parts(encoder, config)
        machine.halve(encoder.backbone)
        self._pool, self._config, self._machine = pool, config, machine
        self._lesson = Lesson(pool, infants, config.plan, modality=FACE, targets=face_targets(pool), seed=seed)
        self._how = gentler(PictureDisturbance(), config.disturbed)
        self._edge = config.clip_px

    def read(self, unit: int) -> Batch:
        """CLIPS uint8 [B, 16, px, px, 3], LABEL and PARTS."""
        indices = self._lesson.order.draw(unit)
        return {CLIPS: self._clips(indices), **self._lesson.targets(indices)}

    def loss(self, batch: Batch) -> Tensor:
        """Of the score and of the parts."""
        scores, parts = self.nets(disturb_clips(hold_frames(batch[CLIPS], SLOW_CAMERA), self._how))
        return score_loss(scores, batch[LABEL]) + share_loss(parts, batch[PARTS])

    def begin(self) -> None:
        """Statistics of clips: those of the face stage are of smaller pictures, and know no ends of a clip."""
        self._take_statistics()

    def check(self) -> float:
        """MAE on the tune windows."""
        return self._lesson.error(self._scores, at_once=self._config.plan.batch)

    def settle(self) -> None:
        """From here on at the size that is served; statistics anew unless they are of that size and were held."""
        has_other_size, self._edge = self._edge != FACE_SIZE_PX, FACE_SIZE_PX
        if has_other_size or not self._config.hold_statistics:
            self._take_statistics()

    def _take_statistics(self) -> None:
        most, at_once = self._config.statistics_clips, self._config.plan.batch
        self._lesson.settle(self.nets, self._scores, most=most, at_once=at_once)

    def _scores(self, indices: Indices) -> Tensor:
        return self.nets.scores(self._machine.put({CLIPS: self._clips(indices)})[CLIPS])

    def _clips(self, indices: Indices) -> Tensor:
        return torch.from_numpy(np.stack([self._clip(self._pool.clip(index)) for index in indices.tolist()]))

    def _clip(self, clip: Pixels) -> Pixels:
        return np.stack([resized(clip[place], self._edge) for place in range(CLIP_FRAMES)])


def hold_parts(encoder: VideoEncoder, config: VideoStageConfig) -> tuple[nn.Module, ...]:
    """Takes what comes before ``trained_from`` out of the learning; returns what keeps its statistics."""
    before = tuple(takewhile(lambda part: part != config.trained_from, VIDEO_PARTS))
    fixed = [encoder.backbone.get_submodule(name) for part in before for name in BACKBONE_PARTS[part]]
    for module in fixed:
        module.requires_grad_(False)
    norms = [each for each in encoder.modules() if isinstance(each, nn.BatchNorm1d | nn.BatchNorm3d)]
    return (*fixed, *(norms if config.hold_statistics else ()))
