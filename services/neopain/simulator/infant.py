"""Simulated infants: who they are and how their bodies are set, each from a seed and a number.

Nobody here exists: names say so, and the assigning authority is the simulator's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from neopain.domain.identity import PatientId
from neopain.simulator.randomness import generator

ASSIGNING_AUTHORITY = "NEOPAIN-SIM"
YOUNGEST_GA_DAYS = 26 * 7
OLDEST_GA_DAYS = 42 * 7


class Sex(Enum):
    """Administrative sex, HL7 table 0001."""

    FEMALE = "F"
    MALE = "M"


class SkinTone(Enum):
    """Skin colours, from light to dark."""

    LIGHT = "light"
    FAIR = "fair"
    TAN = "tan"
    BROWN = "brown"
    DARK = "dark"


@dataclass(frozen=True, slots=True)
class Physiology:
    """An infant's resting values, and how far they move at pain 10.

    Rates per minute, saturation in %, pressure in mmHg, ``rmssd_ms`` at rest.
    """

    heart_rate_bpm: float
    heart_rate_rise: float
    spo2_percent: float
    spo2_fall: float
    respiration_bpm: float
    respiration_rise: float
    mean_pressure_mmhg: float
    pressure_rise: float
    rmssd_ms: float


@dataclass(frozen=True, slots=True)
class Expression:
    """How an infant shows distress, each way by itself, 0 (not at all) to about 1.2; the cry's pitch in Hz.

    That the ways differ from infant to infant is why no single one of them tells the pain of all.
    """

    face: float
    voice: float
    arms: float
    legs: float
    breath: float
    cry_pitch_hz: float


@dataclass(frozen=True, slots=True)
class SimulatedInfant:
    """One infant. ``seed`` and ``number`` give everything else."""

    seed: int
    number: int
    gestational_age_days: int
    age_days: int
    weight_g: int
    sex: Sex
    skin: SkinTone
    physiology: Physiology
    expression: Expression

    @property
    def mrn(self) -> str:
        """The medical record number: ``SIM``, two digits of the seed, three of the number (more where needed)."""
        return f"SIM{self.seed:02d}{self.number:03d}"

    @property
    def patient_id(self) -> PatientId:
        """The identifier that HL7, FHIR and the census know the infant by."""
        return PatientId(self.mrn, ASSIGNING_AUTHORITY)

    @property
    def visit(self) -> str:
        """The number of the stay (PV1-19)."""
        return f"V{self.mrn}"

    @property
    def gestational_age_weeks(self) -> float:
        """Gestational age at birth."""
        return self.gestational_age_days / 7


def simulated_infant(seed: int, number: int) -> SimulatedInfant:
    """The infant of that seed and number; ``number`` counts from 1."""
    rng = generator(seed, "infant", number)
    ga_days = int(rng.integers(YOUNGEST_GA_DAYS, OLDEST_GA_DAYS + 1))
    maturity = (ga_days - YOUNGEST_GA_DAYS) / (OLDEST_GA_DAYS - YOUNGEST_GA_DAYS)
    return SimulatedInfant(
        seed=seed,
        number=number,
        gestational_age_days=ga_days,
        age_days=int(rng.integers(1, 15)),
        weight_g=_weight_g(rng, ga_days),
        sex=Sex.FEMALE if rng.random() < 0.5 else Sex.MALE,
        skin=list(SkinTone)[int(rng.integers(len(SkinTone)))],
        physiology=_physiology(rng, maturity),
        expression=_expression(rng, maturity),
    )


def _weight_g(rng: np.random.Generator, ga_days: int) -> int:
    # About the median of intrauterine growth charts: 0.9 kg at 26 weeks, 3.6 kg at 42; spread 12 %.
    median = np.interp(ga_days / 7, (26, 30, 34, 38, 42), (900, 1450, 2250, 3050, 3600))
    return int(median * np.clip(rng.normal(1.0, 0.12), 0.7, 1.3))


def _physiology(rng: np.random.Generator, maturity: float) -> Physiology:
    # Resting values: term HR 112, resp 44, SpO2 98 (Bohnhorst 2019), late preterm HR 102-164 (Paliwoda 2021), RMSSD
    # of a term infant 18.9 ms; mean pressure about the gestational age in weeks. Preterm ends are extrapolated.
    return Physiology(
        heart_rate_bpm=float(np.interp(maturity, (0, 1), (156, 118)) + rng.normal(0, 5)),
        heart_rate_rise=float(rng.uniform(28, 42)),
        spo2_percent=float(np.interp(maturity, (0, 1), (94.0, 98.0)) + rng.uniform(-0.8, 0.8)),
        spo2_fall=float(np.interp(maturity, (0, 1), (10.0, 5.0)) * rng.uniform(0.8, 1.2)),
        respiration_bpm=float(np.interp(maturity, (0, 1), (56, 43)) + rng.normal(0, 3)),
        respiration_rise=float(rng.uniform(14, 24)),
        mean_pressure_mmhg=float(np.interp(maturity, (0, 1), (30, 48)) + rng.normal(0, 3)),
        pressure_rise=float(rng.uniform(8, 14)),
        rmssd_ms=float(np.interp(maturity, (0, 1), (5.0, 19.0)) * rng.uniform(0.8, 1.25)),
    )


def _expression(rng: np.random.Generator, maturity: float) -> Expression:
    # The less mature, the weaker the face and the voice, and the higher the pitch.
    grown = float(np.interp(maturity, (0, 1), (0.8, 1.05)))
    return Expression(
        face=grown * float(rng.uniform(0.7, 1.15)),
        voice=grown * float(rng.uniform(0.6, 1.15)),
        arms=grown * float(rng.uniform(0.6, 1.15)),
        legs=grown * float(rng.uniform(0.6, 1.15)),
        breath=float(rng.uniform(0.6, 1.2)),
        cry_pitch_hz=float(np.interp(maturity, (0, 1), (510, 430)) * rng.uniform(0.94, 1.06)),
    )
