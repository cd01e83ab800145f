"""Sentences that page, model card and checklist share: how infants were split, what the figures cannot say."""

from __future__ import annotations

from typing import Any, Final

from neopain.domain.score import Weights

Node = dict[str, Any]

GROUP_TITLES: Final = {
    "ga_band": "Gestational age, completed weeks",
    "sex": "Sex",
    "skin_tone": "Skin tone",
    "illness": "Illness",
    "site": "Site",
    "procedure": "Procedure",
    "sedation": "Sedation",
    "support": "Respiratory support",
    "recorded": "What was recorded",
}

SPLITS: Final[dict[str, str]] = {
    "none": "The nets and their calibration were fixed before these infants were scored.",
    "loso": (
        "The nets were fixed; the calibration of each infant's scores was fitted to all other infants "
        "(leave one infant out)."
    ),
    "kfold": (
        "The nets were fixed; infants were put into folds, and the calibration of each fold was fitted to the others "
        "(grouped k-fold: an infant is in one fold only)."
    ),
    "site": (
        "The nets were fixed; the calibration of each site's scores was fitted to the other sites "
        "(leave one site out), which stands in for an external validation."
    ),
}

SIMULATED_LIMITS: Final = (
    "The infants are simulated. How well a model does on them says that the machinery works, and nothing about "
    "newborns: pictures, cries and vital signs are drawn by rules that somebody wrote down.",
    "The raters are simulated too: what they see is the simulator's signs with noise, so the agreement among them is "
    "what the simulator was set to.",
    "Groups such as skin tone or illness differ in the simulator only as its rules make them differ. Equal errors here "
    "do not show fairness.",
)

LIMITS: Final = (
    "NIPS measures procedural pain. It has not been shown here that a score follows prolonged or postoperative pain.",
    "A label is what raters saw. An infant who feels pain and cannot show it (deep sedation, paralysis) has a low "
    "label and gets a low score: the sedation axis says so, the pain score does not.",
    "Windows of one infant resemble each other. Intervals are drawn over infants, but with few infants (below about "
    "20) they are still somewhat narrow.",
    "Coverage was promised for infants like those of the calibration. Elsewhere intervals can be too narrow, and the "
    "distance from the training data is only one way to notice.",
)

UNTRAINED: Final = "The weights were never trained: every figure is that of chance."


def split_text(about: Node) -> str:
    """How infants were kept apart."""
    return SPLITS[about["split"]]


def limits(about: Node) -> tuple[str, ...]:
    """What the figures cannot say."""
    return (
        *((UNTRAINED,) if about["weights"] == Weights.UNTRAINED.value else ()),
        *(SIMULATED_LIMITS if about["is_simulated"] else ()),
        *LIMITS,
    )


def method(figures: Node) -> list[tuple[str, str]]:
    """How the figures were made, as name and text, what is not known left out."""
    about = figures["about"]
    rows = [
        ("command", about["command"]),
        ("made", about["made"]),
        ("model", f"{about['model']} ({about['weights']})"),
        ("engine", about["engine"]),
        ("split", about["split"]),
        ("seed of folds and intervals", str(about["seed"])),
        ("calibration", about["calibration"]),
        *about["versions"].items(),
        *((f"training: {name}", text) for name, text in about["training"].items()),
        ("machine", about["machine"]),
        ("one window through the engine", _latency(about["latency_ms"])),
        *((f"cost: {name}", text) for name, text in about["cost"].items()),
    ]
    return [(name, text) for name, text in rows if text]


def _latency(latency_ms: dict[str, float]) -> str:
    told = [f"{name} {latency_ms[name]:.0f} ms" for name in ("p50", "p95", "p99") if name in latency_ms]
    return f"{', '.join(told)}, {latency_ms['windows']:.0f} windows" if told else ""
