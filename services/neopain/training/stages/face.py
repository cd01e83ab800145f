"""Stage ``face``: the 2D twin of the video encoder learns single frames; cheap, and most of what a face shows."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from neopain.features.signature import CLIP_FRAMES, PRESENT_FLAGS
from neopain.models.inflation import FlatEncoder
from neopain.training.augment.gentler import gentler
from neopain.training.augment.pictures import PictureDisturbance, disturb_frames
from neopain.training.config import FaceStageConfig
from neopain.training.losses import score_loss, share_loss
from neopain.training.machine import Batch, Machine
from neopain.training.pool import Floats, Indices, Pixels, Pool
from neopain.training.stages.lesson import LABEL, PARTS, Infants, Learner, Lesson, item_targets
from neopain.training.targets import CODES

FRAMES = "frames"
FACE = PRESENT_FLAGS.index("face")
FACE_ITEMS = ("face", "cry", "arousal")
FACE_PARTS = len(FACE_ITEMS) + len(CODES) + 1

LOOKED_AT = (3, 8, 13)
"""Frames of a clip whose mean score is checked."""
STATISTICS_WINDOWS = 200
AT_ONCE = 16


class FaceStage:
    """Frames of random places of random clips."""

    name = "face"

    def __init__(
        self,
        pool: Pool,
        infants: Infants,
        config: FaceStageConfig,
        encoder: FlatEncoder,
        *,
        machine: Machine,
        seed: int,
    ) -> None:
        self.plan = config.plan
        self.nets = Learner(encoder, encoder.project.out_features, FACE_PARTS)
        machine.halve(encoder.backbone)
        self._pool, self._config, self._machine = pool, config, machine
        self._lesson = Lesson(pool, infants, config.plan, modality=FACE, targets=face_targets(pool), seed=seed)
        self._how = gentler(PictureDisturbance(), config.disturbed)

    def read(self, unit: int) -> Batch:
        """FRAMES uint8 [B, px, px, 3], LABEL and PARTS."""
        indices = self._lesson.order.draw(unit)
        places = self._lesson.order.rng(unit).integers(0, CLIP_FRAMES, len(indices))
        frames = self._frames(indices, places.tolist(), self._edge(unit // self._config.plan.accumulate))
        return {FRAMES: frames, **self._lesson.targets(indices)}

    def loss(self, batch: Batch) -> Tensor:
        """Of the score and of the parts."""
        scores, parts = self.nets(disturb_frames(batch[FRAMES], self._how))
        return score_loss(scores, batch[LABEL]) + share_loss(parts, batch[PARTS])

    def begin(self) -> None:
        """Nothing: the batches themselves bring the statistics."""

    def check(self) -> float:
        """MAE of the mean score of three frames of each tune window."""
        return self._lesson.error(self._scores, at_once=AT_ONCE)

    def settle(self) -> None:
        """Statistics of the batch norms."""
        self._lesson.settle(self.nets, self._scores, most=STATISTICS_WINDOWS, at_once=AT_ONCE)

    def _scores(self, indices: Indices) -> Tensor:
        places = list(LOOKED_AT) * len(indices)
        frames = self._frames(np.repeat(indices, len(LOOKED_AT)), places, self._edge(self._config.plan.steps))
        scores = self.nets.scores(self._machine.put({FRAMES: frames})[FRAMES])
        return scores.reshape(len(indices), len(LOOKED_AT)).mean(dim=1)

    def _edge(self, step: int) -> int:
        """Of the frames in this step."""
        config = self._config
        is_sharp = step >= config.plan.steps * (1 - config.sharp_share)
        return config.sharp_px if config.sharp_px and is_sharp else config.frame_px

    def _frames(self, indices: Indices, places: list[int], edge: int) -> Tensor:
        found = [
            resized(self._pool.frame(index, place), edge) for index, place in zip(indices.tolist(), places, strict=True)
        ]
        return torch.from_numpy(np.stack(found))


def face_targets(pool: Pool) -> Floats:
    """Float32 [n, 8]: what a face can show, 0..1: three items, the facial codes, and whether there is an infant."""
    infant = np.array([[segment.has_infant] for segment in pool.segments], np.float32)
    return np.concatenate([item_targets(pool, FACE_ITEMS), pool.codes, infant], axis=1)


def resized(frame: Pixels, edge: int) -> Pixels:
    """A square picture with that edge."""
    if frame.shape[0] == edge:
        return frame
    return np.asarray(cv2.resize(frame, (edge, edge), interpolation=cv2.INTER_AREA), np.uint8)
