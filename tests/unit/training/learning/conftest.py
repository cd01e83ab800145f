"""Windows that can be learnt from, without a file: the label shows in brightness, loudness and heart rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from neopain.domain.annotation import Availability, Recorded, Segment, Subject
from neopain.features.signature import CONTEXT_FIELDS, VITALS_CHANNELS
from neopain.models.config import AudioConfig, FusionConfig, NetConfig, VideoConfig, VitalsConfig
from neopain.models.networks import Networks
from neopain.training.leg import Leg, Silent
from neopain.training.machine import Machine
from neopain.training.patterns import letters_of
from neopain.training.pool import Flags, Floats, Pixels
from neopain.training.stage import Workplace

from ....torch_threads import torch_threads

TINY = NetConfig(
    width=16,
    video=VideoConfig(stem_channels=4, depths=(1, 1, 1, 1)),
    audio=AudioConfig(channels=(4, 4, 4, 8), layers=1, heads=2),
    vitals=VitalsConfig(channels=8),
    fusion=FusionConfig(latents=4, readers=(1, 0), heads=2),
)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums of two threads are rounded otherwise, and after thirty steps of training other nets come of it."""
    with torch_threads(at_most=1):
        yield


@dataclass
class FakeWindows:
    """As ``training.pool.Windows`` asks; ``patterns`` are repeated over the windows of each infant."""

    infants: int = 6
    each: int = 4
    patterns_of_each: tuple[str, ...] = ("FCPM",)
    seed: int = 0
    strangers: int = 0
    """Further windows, with a face only, that show no infant."""
    name: str = "S"
    edge: int = 56
    """Of the pictures, in pixels: those that are served have 224, at sixteen times the work."""
    segments: tuple[Segment, ...] = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        count = self.infants * self.each
        everything = count + self.strangers
        self.segments = tuple(self._segment(number, has_infant=number < count) for number in range(everything))
        patterns = [self.patterns_of_each[number % len(self.patterns_of_each)] for number in range(count)]
        self.patterns = (*patterns, *["F"] * self.strangers)
        self.labels: Floats = rng.uniform(0, 10, everything).astype(np.float32)
        self.labels[count:] = np.nan
        self.sedation: Floats = -self.labels / 2
        self.items: Floats = np.repeat(self.labels[:, None] / 10, 6, axis=1) * np.array([1, 2, 1, 1, 1, 1], np.float32)
        self.codes: Floats = np.repeat(self.labels[:, None] / 10, 4, axis=1)
        letters = letters_of(self.patterns)
        self.present: Flags = np.stack([letters[:, 0], letters[:, 1], letters[:, 2] | letters[:, 3]], axis=1)
        self.vitals: Floats = np.stack([self._vitals(number, letters[number]) for number in range(everything)])
        self.context: Floats = np.zeros((everything, 2 * len(CONTEXT_FIELDS)), np.float32)
        self.cry = self

    def __len__(self) -> int:
        return len(self.segments)

    def __getitem__(self, number: int) -> Floats:
        if "C" not in self.patterns[number]:
            return np.zeros(160_000, np.float32)
        rng = np.random.default_rng([self.seed, 1, number])
        return (0.04 * self.labels[number] * rng.standard_normal(160_000)).clip(-1, 1).astype(np.float32)

    def clip(self, number: int) -> Pixels:
        return np.stack([self.frame(number, place) for place in range(16)])

    def frame(self, number: int, place: int) -> Pixels:
        if "F" not in self.patterns[number]:
            return np.zeros((self.edge, self.edge, 3), np.uint8)
        rng = np.random.default_rng([self.seed, 2, number, place])
        label = self.labels[number]
        bright = 250.0 if np.isnan(label) else 20 + 18 * label
        coarse = bright + rng.uniform(-10, 10, (28, 28, 3))
        fine = coarse.clip(0, 255).astype(np.uint8)
        return fine.repeat(self.edge // 28, axis=0).repeat(self.edge // 28, axis=1)

    def _vitals(self, number: int, letters: Flags) -> Floats:
        rng = np.random.default_rng([self.seed, 3, number])
        label = np.nan_to_num(self.labels[number])
        centre = np.array([[430 - 15 * label], [130 + 5 * label], [96 - label], [45], [0.05 * label]])
        masks = np.ones((5, 120))
        masks[[0, 1, 2, 3]] *= letters[2]
        masks[VITALS_CHANNELS.index("movement")] *= letters[3]
        values = (centre + rng.normal(0, 0.5, (5, 120)) * np.array([[4], [1], [0.3], [1], [0.01]])) * masks
        return np.concatenate([values, masks]).astype(np.float32)

    def _segment(self, number: int, *, has_infant: bool) -> Segment:
        subject = Subject(f"{self.name}{number // self.each}", "A", gestational_age_days=200 + number // self.each)
        there = {kind: Availability(path="x") for kind in Recorded}
        return Segment(subject, "1", str(number), 0.0, 30.0, there, (), has_infant=has_infant)


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    """A run's folder on this machine's CPU, with a leg that does not end."""
    return workplace(tmp_path)


def workplace(folder: Path, leg: Leg | None = None) -> Workplace:
    machine = Machine(torch.device("cpu"), None)
    return Workplace(machine, leg or Leg(), Silent(), folder, seed=3, readers=1, save_seconds=1e9)


@pytest.fixture(scope="session")
def fake_windows() -> Callable[..., FakeWindows]:
    """Makes learnable windows."""
    return FakeWindows


@pytest.fixture(scope="session")
def tiny() -> NetConfig:
    """Nets that learn in a moment."""
    return TINY


@pytest.fixture(scope="session")
def networks() -> Networks:
    """Tiny nets with random weights, in evaluation mode."""
    torch.manual_seed(0)
    return Networks(TINY).eval()


@pytest.fixture(scope="session")
def work_in() -> Callable[..., Workplace]:
    """A workplace in a folder, with a leg of the test's own."""
    return workplace


class CountedLeg(Leg):
    """A leg that is over when it was asked so many times."""

    def __init__(self, questions: int) -> None:
        super().__init__()
        self.left = questions

    @property
    def is_over(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.fixture
def counted_leg() -> Callable[[int], Leg]:
    """A leg that ends in the middle."""
    return CountedLeg
