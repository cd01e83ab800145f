"""Made-up predictions of a made-up cohort: a good model, three that see one modality, three others."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from neopain.training.figures.sample import Resampling, Sample
from neopain.training.predictions import FUSION, ModelPredictions, Predictions, RatedWindow

LEVELS = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)
NORMAL = (-1.960, -1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645, 1.960)
ERRORS = {
    FUSION: 0.7,
    "face": 1.5,
    "cry": 1.9,
    "vitals": 2.2,
    "early-fusion": 1.0,
    "late-fusion": 1.1,
    "ridge": 1.4,
}
PATTERNS = ("FCPM", "FPM", "CPM", "FCP")

Floats = npt.NDArray[np.float64]
MakePredictions = Callable[..., Predictions]


@pytest.fixture(scope="session")
def make_predictions() -> MakePredictions:
    return predictions_of


def predictions_of(
    *, seed: int = 1, infants: int = 24, windows: int = 8, pattern: str = "", errors: dict[str, float] | None = None
) -> Predictions:
    random = np.random.default_rng(seed)
    rated, labels = [], []
    for infant in range(infants):
        height, middle = random.uniform(2, 9), random.uniform(0.3, 0.7)
        for number in range(windows):
            pain = height * np.exp(-(((number / windows) - middle) ** 2) / 0.05)
            points = np.clip(np.round(pain * 0.7 + random.normal(0, 0.45, 2)), 0, 7)
            label = float(points.mean() * 10 / 7)
            labels.append(label)
            rated.append(_window((infant, number), tuple(points * 10 / 7), label, pattern, random))
    truth = np.array(labels)
    made = {name: _model(truth, rated, error, random) for name, error in (errors or ERRORS).items()}
    return Predictions(tuple(rated), made)


def _window(
    place: tuple[int, int], ratings: tuple[float, ...], label: float, pattern: str, random: np.random.Generator
) -> RatedWindow:
    infant, number = place
    groups = {
        "ga_band": ("<28", "28-31", "32-36", ">=37")[infant % 4],
        "sex": ("female", "male")[infant % 2],
        "skin_tone": ("light", "medium", "dark")[infant % 3],
        "illness": ("none", "RDS")[infant // 2 % 2],
        "site": ("north", "south")[infant // 3 % 2],
        "procedure": ("heel-lance", "immunisation", "postoperative")[infant % 3],
        "sedation": ("none", "light")[infant // 5 % 2],
        "support": ("none", "ventilator")[infant // 4 % 2],
    }
    return RatedWindow(
        subject=f"infant-{infant:03d}",
        session="s1",
        segment=f"infant-{infant:03d}-{number}",
        end_seconds=30.0 + 10 * number,
        pattern=pattern or PATTERNS[int(random.integers(0, 4))],
        label=label,
        ratings=ratings,
        sedation_label=-float(random.uniform(0, 10)) if infant % 2 else None,
        groups=groups,
    )


def _model(truth: Floats, windows: list[RatedWindow], error: float, random: np.random.Generator) -> ModelPredictions:
    n = len(truth)
    middle = truth + random.normal(0, error, n)
    quantiles = np.clip(middle[:, None] + 1.1 * error * np.array(NORMAL), 0, 10)
    seen = np.array([["F" in w.pattern, "C" in w.pattern, bool({"P", "M"} & set(w.pattern))] for w in windows])
    attention = np.where(seen, random.uniform(0.2, 1, (n, 3)), np.nan)
    return ModelPredictions(
        quantiles=quantiles,
        sedation=np.array([-(w.sedation_label or 0.0) * -1 for w in windows]) + random.normal(0, 0.8, n),
        distance=random.uniform(0, 0.9, n),
        by_modality=np.where(seen, np.clip(truth[:, None] + random.normal(0, 1.8, (n, 3)), 0, 10), np.nan),
        attention=attention / np.nansum(attention, axis=1, keepdims=True),
        abstained=tuple("interval-too-wide" if random.random() < 0.02 else "" for _ in range(n)),
    )


MakeSample = Callable[..., Sample]


@pytest.fixture(scope="session")
def make_sample() -> MakeSample:
    """Windows with these labels and scores, each an infant of its own unless subjects are given."""

    def make(
        labels: list[float],
        scores: list[float],
        *,
        half_width: float = 1.0,
        subjects: list[str] | None = None,
        ratings: list[tuple[float, ...]] | None = None,
        patterns: list[str] | None = None,
        groups: list[dict[str, str]] | None = None,
    ) -> Sample:
        names = subjects or [f"i{row}" for row in range(len(labels))]
        windows = tuple(
            RatedWindow(
                subject=names[row],
                session="s",
                segment=f"w{row}",
                end_seconds=30.0 + row,
                pattern=patterns[row] if patterns else "FCPM",
                label=label,
                ratings=ratings[row] if ratings else (label, label),
                groups=groups[row] if groups else {},
            )
            for row, label in enumerate(labels)
        )
        offsets = half_width * np.array([-2.0, -1.0, -0.75, -0.5, 0.0, 0.5, 0.75, 1.0, 2.0])
        return Sample(windows, np.array(scores, dtype=np.float64).reshape(-1, 1) + offsets)

    return make


@pytest.fixture(scope="session")
def make_answers() -> Callable[..., ModelPredictions]:
    """Answers with the quantiles of a sample; nothing else is known of them unless it is given."""

    def make(sample: Sample, **known: object) -> ModelPredictions:
        n = len(sample.windows)
        unknown: dict[str, object] = {
            "sedation": np.full(n, np.nan),
            "distance": np.zeros(n),
            "by_modality": np.full((n, 3), np.nan),
            "attention": np.full((n, 3), np.nan),
            "abstained": ("",) * n,
        }
        return ModelPredictions(quantiles=sample.quantiles, **(unknown | known))

    return make


@pytest.fixture(scope="session")
def quick() -> Resampling:
    """Few resamples: enough for an interval to be there."""
    return Resampling(seed=1, resamples=40)
