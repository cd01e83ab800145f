"""The course of a training: which stage follows which, and what each hands on.

face (2D) -> video (3D) -> audio -> vitals -> tokens -> fusion and, on the same tokens, the learned baselines -> what is
typical of the training windows. An encoder that is to be kept has no stage. Every stage keeps its own state, so the
course itself has nothing to remember.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from neopain.domain.annotation import Segment
from neopain.errors import ConfigurationError
from neopain.features.signature import PRESENT_FLAGS, QUANTILES
from neopain.models.inflation import FlatEncoder, deflate, inflate
from neopain.models.networks import Networks
from neopain.training.baselines.fit import fit_late, fit_ridge
from neopain.training.baselines.models import LEARNED, Baseline, Effort, LearnedBaseline
from neopain.training.config import SplitConfig, TrainConfig
from neopain.training.encoded import Encoded
from neopain.training.heads import FUSION, HEADS, Fused
from neopain.training.loop import run_stage
from neopain.training.pool import Floats, Pool
from neopain.training.predict import predict_encoded
from neopain.training.splits import hold_out, indices_of
from neopain.training.stage import Stage, Workplace, seed_of
from neopain.training.stages.audio import CRY, AudioStage, without_front_end
from neopain.training.stages.face import FACE, FaceStage
from neopain.training.stages.fusion import FusionStage
from neopain.training.stages.lesson import Infants
from neopain.training.stages.video import VideoStage
from neopain.training.stages.vitals import VITALS, VitalsStage
from neopain.training.tokens import keep_log_mels, keep_tokens
from neopain.training.typical import set_typical

NEXT_TO = 0.05
"""A quantile of the nets comes close to the ends of the scale but does not reach them, and many labels lie there."""

Figures = dict[str, float]
State = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Start:
    """Where the weights come from: ``state`` of ``Networks``."""

    state: State
    is_given: bool = False
    """By a file: its video backbone may know of motion."""
    is_trained: bool = False
    """All of it: its fusion head is where the trials begin."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a training gives; the nets lie on the CPU."""

    networks: Networks
    baselines: dict[str, Baseline]
    figures: dict[str, Figures]
    """By stage: ``steps``, ``seconds``, ``tune_mae``."""
    tune: Figures
    """Of the nets on the tune infants, see ``tune_figures``. They were chosen by these: no estimate for others."""


def split_infants(
    segments: tuple[Segment, ...], shares: SplitConfig, *, seed: int, heads_from: int | None = None
) -> Infants:
    """The windows of each part; those from number ``heads_from`` on are of infants who teach only the heads.

    ``ConfigurationError`` for fewer infants than parts, and for an infant on both sides of ``heads_from``.
    """
    count = len(segments) if heads_from is None else heads_from
    shared = {one.subject.id for one in segments[:count]} & {one.subject.id for one in segments[count:]}
    if shared:
        raise ConfigurationError(
            f"infant {min(shared)!r} is in --data and in --heads-data ({len(shared)} are): an encoder that knows an"
            " infant is no stranger to it; give each infant to one of them"
        )
    parts = hold_out(
        (segment.subject for segment in segments[:count]),
        {
            "encoders": 1 - shares.tune - shares.fusion_only,
            "fusion_only": shares.fusion_only,
            "tune": shares.tune,
        },
        seed=seed,
    )
    found = {name: indices_of(segments[:count], infants) for name, infants in parts.items()}
    strangers = np.arange(count, len(segments), dtype=np.intp)
    return Infants(**found | {"fusion_only": np.concatenate([found["fusion_only"], strangers])})


class Course:
    """One training. ``key`` says which windows it learns from; see ``split_infants`` for ``heads_from``."""

    def __init__(
        self,
        pool: Pool,
        config: TrainConfig,
        start: Start,
        *,
        key: str,
        place: Workplace,
        heads_from: int | None = None,
    ) -> None:
        self._pool, self._config, self._start, self._key, self._place = pool, config, start, key, place
        self._infants = split_infants(pool.segments, config.split, seed=place.seed, heads_from=heads_from)
        self._networks = Networks(config.nets)
        self._networks.load_state_dict(start.state)
        self._figures: dict[str, Figures] = {}

    def run(self) -> Outcome:
        """From where it stands to its end; ``LegOver`` when the leg ends first, with all saved."""
        encoded = self._encode()
        heads = {name: self._best_of_trials(name, encoded) for name in (FUSION, *LEARNED)}
        networks = Networks(self._config.nets)
        networks.load_state_dict(self._networks.state_dict())
        fused = heads[FUSION]
        if not isinstance(fused, Fused):
            raise TypeError(f"{FUSION} is a {type(fused).__name__}")
        networks.fusion_head.load_state_dict(fused.head.state_dict())
        is_infant = np.flatnonzero([segment.has_infant for segment in self._pool.segments])
        train = np.intersect1d(self._infants.fusion, is_infant)
        set_typical(networks.fusion_head, encoded, train, far_share=self._config.fusion.far_share)
        tune = tune_figures(networks.eval(), encoded.take(self._infants.tune), self._pool.labels[self._infants.tune])
        return Outcome(networks, self._baselines(heads, encoded), self._figures, tune)

    def _encode(self) -> Encoded:
        nets, pool, place, config = self._networks, self._pool, self._place, self._config
        self._learn_faces()
        log_mels = keep_log_mels(pool, key=self._key, place=place)
        without_front_end(nets.audio_encoder)
        if not config.audio.keep and self._has(CRY):
            self._seed("audio")
            self._run(
                AudioStage(
                    pool,
                    self._infants,
                    config.audio,
                    nets.audio_encoder,
                    log_mels=log_mels,
                    machine=place.machine,
                    seed=place.seed,
                )
            )
        if not config.vitals.keep and self._has(VITALS):
            encoder = nets.vitals_encoder
            self._seed("vitals")
            self._run(VitalsStage(pool, self._infants, config.vitals, encoder, machine=place.machine, seed=place.seed))
        place.machine.place(nets.eval())
        return keep_tokens(
            pool,
            nets,
            log_mels=log_mels,
            disturbed=self._infants.fusion,
            config=config.tokens,
            key=self._key,
            place=place,
        )

    def _learn_faces(self) -> None:
        """The face first flat, then inflated and in motion."""
        if self._config.face.keep or not self._has(FACE):
            return
        config, machine, seed = self._config, self._place.machine, self._place.seed
        video = self._networks.video_encoder
        started = {name: tensor.clone() for name, tensor in video.state_dict().items()}
        self._seed("face")
        flat = FlatEncoder(config.nets)
        flat.load_state_dict(deflate(started))
        face = FaceStage(self._pool, self._infants, config.face, flat, machine=machine, seed=seed)
        self._run(face)
        keeps_motion = self._start.is_given and config.video.keep_motion
        state = {name: tensor.cpu() for name, tensor in flat.state_dict().items()}
        video.load_state_dict(inflate(state, started if keeps_motion else None))
        moving = VideoStage(self._pool, self._infants, config.video, video, machine=machine, seed=seed)
        moving.nets.parts.load_state_dict(face.nets.parts.state_dict())
        self._run(moving)

    def _best_of_trials(self, name: str, encoded: Encoded) -> nn.Module:
        """The head of that name with the least MAE on the tune infants, on the CPU."""
        trials = [self._trial(name, number, encoded) for number in range(self._config.fusion.trials)]
        maes = [math.inf if math.isnan(mae) else mae for _, mae in trials]
        best = trials[int(np.argmin(maes))][0]
        return best.cpu().eval()

    def _trial(self, name: str, number: int, encoded: Encoded) -> tuple[nn.Module, float]:
        place, config = self._place, self._config
        stage_name = f"{name}-{number + 1}"
        self._seed(stage_name)
        head = HEADS[name](config.nets)
        if self._start.is_trained and isinstance(head, Fused):
            head.head.load_state_dict(_part(self._start.state, "fusion_head."))
        stage = FusionStage(
            stage_name,
            head,
            pool=self._pool,
            encoded=encoded,
            infants=self._infants,
            config=config.fusion,
            features=config.nets.width,
            hidden=config.nets.fusion.modality_dropout,
            machine=place.machine,
            seed=seed_of(place.seed, stage_name, 1),
        )
        self._run(stage)
        return head, self._figures[stage_name]["tune_mae"]

    def _baselines(self, heads: Mapping[str, nn.Module], encoded: Encoded) -> dict[str, Baseline]:
        trials, labels = self._config.fusion.trials, self._pool.labels.astype(np.float64)
        rated = np.flatnonzero(encoded.letters.any(axis=1) & ~np.isnan(labels))
        train, tune = np.intersect1d(self._infants.fusion, rated), np.intersect1d(self._infants.tune, rated)
        learned = {name: LearnedBaseline(name, self._effort(name), heads[name]) for name in LEARNED}
        alone = {flag: learned[flag] for flag in PRESENT_FLAGS}
        late = fit_late(alone, encoded, labels, train=train, tune=tune, trials=trials)
        ridge = fit_ridge(encoded, labels, train=train, tune=tune, trials=trials)
        return {**learned, late.name: late, ridge.name: ridge}

    def _effort(self, name: str) -> Effort:
        tried = [self._figures[f"{name}-{number + 1}"] for number in range(self._config.fusion.trials)]
        return Effort(
            trials=len(tried),
            steps=int(sum(one["steps"] for one in tried)),
            seconds=sum(one["seconds"] for one in tried),
            tune_mae=min(one["tune_mae"] for one in tried),
        )

    def _has(self, modality: int) -> bool:
        """Whether the infants to learn from have it at all; what nobody has stays as it was, and counts as far."""
        has = bool(self._pool.present[self._infants.encoders, modality].any())
        if not has:
            self._place.told.say(f"no training window has {PRESENT_FLAGS[modality]}: its encoder learns nothing")
        return has

    def _seed(self, stage: str) -> None:
        """What is new in a stage is drawn the same in whichever leg it begins, whatever that leg did before."""
        self._place.machine.seed(seed_of(self._place.seed, stage, 0))

    def _run(self, stage: Stage) -> None:
        self._figures[stage.name] = run_stage(stage, self._place)


def _part(state: State, prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def tune_figures(networks: Networks, encoded: Encoded, labels: Floats) -> Figures:
    """MAE, coverage and mean width of the 90 % interval of rated windows, and the shares of rated windows and of others
    (those without an infant) whose DISTANCE is above 1."""
    found = predict_encoded(networks, encoded)
    rated = ~np.isnan(labels) & encoded.letters.any(axis=1)
    low, middle, high = (found.quantiles[rated, QUANTILES.index(level)] for level in (0.05, 0.5, 0.95))
    own, far = labels[rated], found.distance > 1

    def mean(values: npt.NDArray[np.generic]) -> float:
        return float(values.mean()) if values.size else math.nan

    return {
        "mae": mean(np.abs(middle - own)),
        "coverage90": mean((low - NEXT_TO <= own) & (own <= high + NEXT_TO)),
        "width90": mean(high - low),
        "far_rated": mean(far[rated]),
        "far_others": mean(far[~rated]),
    }
