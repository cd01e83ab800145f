"""Windows through the encoders, once; from then on only their tokens are needed.

For the training they are kept on disk, some of them disturbed; for a prediction they are made in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn

from neopain.models.graph import AUDIO_ENCODER, ENCODERS, VIDEO_ENCODER, VITALS_ENCODER, NetSpec
from neopain.models.log_mel import MEL_BANDS, LogMel
from neopain.models.networks import Networks
from neopain.models.quantise import RECIPE
from neopain.training import modalities
from neopain.training.augment.sounds import FRAMES, patches_of
from neopain.training.baselines.hand import HAND_FEATURES, hand_features
from neopain.training.config import TokensStageConfig
from neopain.training.encoded import Encoded
from neopain.training.machine import Machine
from neopain.training.modalities import SCORES, TOKENS, Encode, Modality
from neopain.training.patterns import letters_of
from neopain.training.pool import Indices, Pool
from neopain.training.rows import Array, Compute, KeptRows, Rows, Shapes, rows_in_memory
from neopain.training.served import HEARD_ENCODER, RANGE_WINDOWS, ServedEncoder
from neopain.training.stage import Workplace, seed_of
from neopain.training.stages.audio import CRY
from neopain.training.stages.face import FACE
from neopain.training.stages.lesson import spread_out

CLIPS_AT_ONCE = 4
"""That a prediction holds in memory."""
SOUNDS_AT_ONCE = 16
HANDS_AT_ONCE = 64

LOG_MELS, HAND = "log_mels", "hand"
HAND_SHAPES: Shapes = {HAND: ((len(HAND_FEATURES),), np.float32)}


def keep_log_mels(pool: Pool, *, key: str, place: Workplace) -> Array:
    """Log-mel frames of all windows, float16 [n, 1000, 64], in the run's folder; silence where nothing was heard."""
    log_mel = place.machine.place(LogMel())

    @torch.no_grad()
    def compute(rows: range) -> Rows:
        samples = torch.from_numpy(np.stack([pool.sound(row) for row in rows]))
        frames = log_mel.every_frame(samples.to(place.machine.device))
        return {LOG_MELS: frames.cpu().numpy().astype(np.float16)}

    shapes: Shapes = {LOG_MELS: ((FRAMES, MEL_BANDS), np.float16)}
    kept = KeptRows(place.folder / "tokens" / LOG_MELS, shapes, len(pool), key=key)
    return kept.fill(compute, at_once=SOUNDS_AT_ONCE, leg=place.leg, told=place.told)[LOG_MELS]


def keep_tokens(
    pool: Pool,
    networks: Networks,
    *,
    log_mels: Array,
    disturbed: Indices,
    config: TokensStageConfig,
    key: str,
    place: Workplace,
) -> Encoded:
    """All windows encoded, in the run's folder; the ``disturbed`` ones get further views.

    The nets lie on the machine, in evaluation mode, and the audio encoder has no front end. ``LegOver`` when the leg
    ends first.
    """
    numbers = np.arange(len(pool))
    keep = partial(_keep, disturbed=np.isin(numbers, disturbed), width=networks.config.width, place=place)
    keys = {net.name: f"{key} {weights_digest(getattr(networks, net.name))}" for net in ENCODERS}
    video: Encode = networks.video_encoder
    audio: Encode = networks.audio_encoder
    if config.served and place.machine.device.type == "cpu":

        def clips() -> list[Array]:
            return [pool.clip(number)[None] for number in _ranges(pool, disturbed, FACE).tolist()]

        def sounds() -> list[Array]:
            numbers = _ranges(pool, disturbed, CRY)
            return [patches_of(torch.from_numpy(log_mels[[number]]).float()).numpy() for number in numbers]

        served = {net.name: f"{keys[net.name]} {RECIPE}" for net in (VIDEO_ENCODER, HEARD_ENCODER)}
        video = _served(networks.video_encoder, VIDEO_ENCODER, clips, served[VIDEO_ENCODER.name], place)
        audio = _served(networks.audio_encoder, HEARD_ENCODER, sounds, served[HEARD_ENCODER.name], place)
        keys |= served
    face = modalities.face(pool, numbers, video, at_once=config.batch)
    cry = modalities.cry(pool, numbers, audio, log_mels=log_mels)
    vitals = modalities.vitals(pool, numbers, networks.vitals_encoder)
    kept = KeptRows(place.folder / "tokens" / HAND, HAND_SHAPES, len(pool), key=key)
    hand = kept.fill(_hands(pool, numbers), at_once=HANDS_AT_ONCE, leg=place.leg, told=place.told)
    return _encoded(
        pool,
        numbers,
        face=keep(face, views=config.face_views, key=keys[VIDEO_ENCODER.name]),
        cry=keep(cry, views=config.cry_views, key=keys[AUDIO_ENCODER.name]),
        vitals=keep(vitals, views=config.vitals_views, key=keys[VITALS_ENCODER.name]),
        hand=hand[HAND],
    )


def _served(
    encoder: nn.Module, net: NetSpec, samples: Callable[[], list[Array]], key: str, place: Workplace
) -> ServedEncoder:
    """The encoder in int8, kept under its key."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    return ServedEncoder(encoder, net, place.folder / "tokens" / f"{net.name}-{digest[:16]}", samples)


def _ranges(pool: Pool, numbers: Indices, modality: int) -> Indices:
    """Windows that tell int8 what there is of a modality."""
    return spread_out(numbers[pool.present[numbers, modality]], RANGE_WINDOWS)


def encode(networks: Networks, pool: Pool, numbers: Indices, machine: Machine) -> Encoded:
    """These windows encoded once, in memory, in their order: about 60 kB each."""
    none = np.zeros(len(numbers), np.bool_)
    width = networks.config.width

    def made(modality: Modality) -> Rows:
        compute = partial(modality.rows, views=1, width=width, disturbed=none, machine=machine)
        return rows_in_memory(modality.shapes(1, width), len(numbers), compute, at_once=modality.at_once)

    hand = rows_in_memory(HAND_SHAPES, len(numbers), _hands(pool, numbers), at_once=HANDS_AT_ONCE)
    return _encoded(
        pool,
        numbers,
        face=made(modalities.face(pool, numbers, networks.video_encoder, at_once=CLIPS_AT_ONCE)),
        cry=made(modalities.cry(pool, numbers, networks.audio_encoder)),
        vitals=made(modalities.vitals(pool, numbers, networks.vitals_encoder)),
        hand=hand[HAND],
    )


def weights_digest(net: nn.Module) -> str:
    """SHA-256 of everything that decides what a net gives."""
    digest = hashlib.sha256()
    for name, tensor in sorted(net.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _keep(modality: Modality, *, views: int, key: str, disturbed: Array, width: int, place: Workplace) -> Rows:
    def compute(rows: range) -> Rows:
        place.machine.seed(seed_of(place.seed, f"tokens {modality.name}", rows.start))
        return modality.rows(rows, views=views, width=width, disturbed=disturbed, machine=place.machine)

    count, folder = len(modality.has), place.folder / "tokens" / modality.name
    kept = KeptRows(folder, modality.shapes(views, width), count, key=f"{key} {views} views")
    return kept.fill(compute, at_once=modality.at_once, leg=place.leg, told=place.told)


def _hands(pool: Pool, numbers: Indices) -> Compute:
    letters = letters_of([pool.patterns[number] for number in numbers])

    def one(row: int) -> Array:
        number = int(numbers[row])
        return hand_features(
            clip=pool.clip(number),
            cry=pool.sound(number),
            vitals=pool.vitals[number],
            context=pool.context[number],
            letters=letters[row],
        )

    return lambda rows: {HAND: np.stack([one(row) for row in rows])}


def _encoded(pool: Pool, numbers: Indices, *, face: Rows, cry: Rows, vitals: Rows, hand: Array) -> Encoded:
    return Encoded(
        face=face[TOKENS],
        face_scores=face[SCORES],
        cry=cry[TOKENS],
        cry_scores=cry[SCORES],
        vitals=vitals[TOKENS],
        vitals_scores=vitals[SCORES],
        context=pool.context[numbers],
        letters=letters_of([pool.patterns[number] for number in numbers]),
        hand=hand,
    )
