"""Around one infant of a cohort: site, illness, support of breath, drugs, and its camera, microphone and monitor."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from neopain.simulator.condition import Sedation
from neopain.simulator.infant import SimulatedInfant
from neopain.simulator.randomness import generator

SITES = ("site-a", "site-b")


class Illness(Enum):
    """Why an infant is in intensive care."""

    GROWING = "growing"
    RESPIRATORY = "respiratory distress"
    INFECTION = "infection"
    SURGERY = "surgery"


class Support(Enum):
    """How breathing is supported."""

    NONE = "none"
    CPAP = "cpap"
    INTUBATED = "intubated"


@dataclass(frozen=True, slots=True)
class Camera:
    """What a camera makes of a scene.

    ``gain`` and ``tint`` (RGB) multiply brightness, ``blur_px`` is a Gaussian's, ``roll_degrees`` turns the picture,
    ``box_scale`` and ``box_shift`` (of the box's side) say how far the face's box is off. ``eye_mask`` is the mask of
    phototherapy, ``tube`` what tapes and tubes cover of the mouth, ``blanket`` hides the limbs (half of the time in
    intensive care, npj Digital Medicine 2025).
    """

    gain: float
    tint: tuple[float, float, float]
    blur_px: float
    roll_degrees: float
    box_scale: float
    box_shift: tuple[float, float]
    eye_mask: bool
    tube: bool
    blanket: bool


@dataclass(frozen=True, slots=True)
class Microphone:
    """What a microphone hears: ``gain`` of the infant's voice; hum, ventilator and talk as shares of full scale."""

    gain: float
    hum: float
    ventilator: float
    talk: float


@dataclass(frozen=True, slots=True)
class Monitor:
    """What a monitor sends: beats or only numerics, which it averages over some seconds; its clock's error."""

    has_beats: bool
    averaging_seconds: float
    clock_error_seconds: float
    has_pressure: bool


@dataclass(frozen=True, slots=True)
class Circumstances:
    """All of it, for one infant and one session."""

    site: str
    illness: Illness
    support: Support
    sedation: Sedation
    ventilated_bpm: float | None
    camera: Camera
    microphone: Microphone
    monitor: Monitor


def circumstances(infant: SimulatedInfant) -> Circumstances:
    """The circumstances of that infant; the less mature, the more support."""
    rng = generator(infant.seed, "circumstances", infant.number)
    site = SITES[int(rng.integers(len(SITES)))]
    illness = list(Illness)[int(rng.choice(4, p=(0.4, 0.25, 0.15, 0.2)))]
    support = _support(rng, infant, illness)
    sedation = _sedation(rng, support)
    return Circumstances(
        site=site,
        illness=illness,
        support=support,
        sedation=sedation,
        ventilated_bpm=float(rng.integers(35, 55)) if support is Support.INTUBATED else None,
        camera=_camera(rng, site, support),
        microphone=_microphone(rng, site, support),
        monitor=_monitor(rng, site),
    )


def _support(rng: np.random.Generator, infant: SimulatedInfant, illness: Illness) -> Support:
    needs = float(np.interp(infant.gestational_age_weeks, (26, 34, 42), (0.6, 0.25, 0.08)))
    if illness in (Illness.RESPIRATORY, Illness.SURGERY):
        needs += 0.25
    if rng.random() >= needs:
        return Support.NONE
    return Support.INTUBATED if rng.random() < 0.45 else Support.CPAP


def _sedation(rng: np.random.Generator, support: Support) -> Sedation:
    if support is not Support.INTUBATED:
        return Sedation.LIGHT if rng.random() < 0.05 else Sedation.NONE
    return list(Sedation)[int(rng.choice(4, p=(0.45, 0.3, 0.15, 0.1)))]


def _camera(rng: np.random.Generator, site: str, support: Support) -> Camera:
    # The second site's cameras are older: darker, blurred, and set a little askew.
    old = site == SITES[1]
    blue = rng.random() < 0.15
    return Camera(
        gain=float(rng.uniform(0.55, 0.95) if old else rng.uniform(0.75, 1.15)),
        tint=(0.75, 0.85, 1.25) if blue else tuple(float(x) for x in rng.uniform(0.93, 1.07, 3)),  # type: ignore[arg-type]
        blur_px=float(rng.uniform(0.0, 1.6) if old else rng.uniform(0.0, 0.9)),
        roll_degrees=float(rng.normal(0.0, 9.0)),
        box_scale=float(rng.uniform(0.92, 1.25)),
        box_shift=(float(rng.normal(0.0, 0.04)), float(rng.normal(0.0, 0.04))),
        eye_mask=bool(blue and rng.random() < 0.8),
        tube=support is not Support.NONE,
        blanket=bool(rng.random() < 0.5),
    )


def _microphone(rng: np.random.Generator, site: str, support: Support) -> Microphone:
    return Microphone(
        gain=float(rng.uniform(0.35, 0.8) if site == SITES[1] else rng.uniform(0.55, 1.0)),
        hum=float(10 ** rng.uniform(-2.9, -1.9)),
        ventilator=float(10 ** rng.uniform(-2.2, -1.4)) if support is not Support.NONE else 0.0,
        talk=float(10 ** rng.uniform(-2.2, -1.3)) if rng.random() < 0.3 else 0.0,
    )


def _monitor(rng: np.random.Generator, site: str) -> Monitor:
    return Monitor(
        has_beats=bool(rng.random() < (0.75 if site == SITES[0] else 0.4)),
        averaging_seconds=float(rng.choice((2, 4, 8, 12, 16))),
        clock_error_seconds=float(rng.normal(0.0, 0.4)),
        has_pressure=bool(rng.random() < 0.7),
    )
