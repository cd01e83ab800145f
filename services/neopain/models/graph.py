"""The four nets as Triton sees them: which tensors go in and out of each, and whose absence lets it rest.

``triton_models/*/config.pbtxt`` says the same in Triton's words, a test compares them. No torch here: the engines, the
shell inside Triton and the readers of an exported repository use it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neopain.features import signature
from neopain.features.signature import PRESENT_FLAGS, TensorSpec
from neopain.models.config import NetConfig

WIDTH = NetConfig().width


def _tokens(name: str, count: int, meaning: str) -> TensorSpec:
    return TensorSpec(name, (count, WIDTH), np.float32, meaning)


def _score(name: str) -> TensorSpec:
    return TensorSpec(name, (1,), np.float32, "pain 0..10 from this encoder alone")


FACE_TOKENS = _tokens("FACE_TOKENS", 8, "one for every two frames, oldest first")
FACE_SCORE = _score("FACE_SCORE")
CRY_TOKENS = _tokens("CRY_TOKENS", 20, "one for every 0.48 s of the ten patches, oldest first")
CRY_SCORE = _score("CRY_SCORE")
VITALS_TOKENS = _tokens("VITALS_TOKENS", 15, "one for every 2 s, oldest first")
VITALS_SCORE = _score("VITALS_SCORE")


@dataclass(frozen=True, slots=True)
class NetSpec:
    """One net under Triton. Its model there takes PRESENT beside ``inputs``."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    gate: int | None = None
    """Index in PRESENT of the modality without which the net is not run; None: always run, PRESENT is an input."""


VIDEO_ENCODER = NetSpec("video_encoder", (signature.CLIP,), (FACE_TOKENS, FACE_SCORE), gate=PRESENT_FLAGS.index("face"))
AUDIO_ENCODER = NetSpec("audio_encoder", (signature.CRY,), (CRY_TOKENS, CRY_SCORE), gate=PRESENT_FLAGS.index("cry"))
VITALS_ENCODER = NetSpec(
    "vitals_encoder", (signature.VITALS,), (VITALS_TOKENS, VITALS_SCORE), gate=PRESENT_FLAGS.index("vitals")
)
FUSION_HEAD = NetSpec(
    "fusion_head",
    (
        FACE_TOKENS,
        CRY_TOKENS,
        VITALS_TOKENS,
        FACE_SCORE,
        CRY_SCORE,
        VITALS_SCORE,
        signature.CONTEXT,
        signature.PRESENT,
    ),
    signature.OUTPUTS,
)

ENSEMBLE = "neopain"
ENCODERS = (VIDEO_ENCODER, AUDIO_ENCODER, VITALS_ENCODER)
NETS = {net.name: net for net in (*ENCODERS, FUSION_HEAD)}
