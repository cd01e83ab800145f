"""What a model's maker noted about it (``Checkpoint.about``, ``model.json``), in words for the report."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from neopain.training.fingerprints import NOTE

LEFT_OUT: Final = frozenset({"config", "weights", "baselines"})
"""Too long to read, or said elsewhere."""
LONGEST: Final = 300
"""Notes that are not known here are told when they are not longer than this."""

LONG: Final = frozenset({"data", "stages", "began with"})

Notes = Mapping[str, Any]


def origin(about: Notes) -> dict[str, str]:
    """Name to text, in the order of the notes."""
    told: dict[str, str] = {}
    for name, value in about.items():
        if name == "data" and isinstance(value, list):
            told["data"] = "; ".join(_data(one) for one in value)
        elif name == "began_with" and isinstance(value, dict):
            told["began with"] = _beginning(value)
        elif name == "figures" and isinstance(value, dict):
            told["stages"] = "; ".join(_stage(stage, one) for stage, one in value.get("stages", {}).items())
        elif name not in LEFT_OUT:
            told[name] = value if isinstance(value, str) else json.dumps(_without_fingerprints(value))
    return {name: text for name, text in told.items() if text and (len(text) <= LONGEST or name in LONG)}


def _without_fingerprints(value: object) -> object:
    return {name: one for name, one in value.items() if name != NOTE} if isinstance(value, dict) else value


def _beginning(one: Notes) -> str:
    """Whose weights the training began with."""
    encoders = one.get("encoders") or {}
    about = encoders.get("about") or one
    sources = [f"{each.get('backbone', '?')} {each.get('file', '?')}" for each in one.get("sources", ())]
    parts = [f"encoders of {encoders['model']}"] if "model" in encoders else sources or ["an earlier training"]
    return "; ".join([*parts, *(_data(each) for each in about.get("data", ()))])


def _data(one: Notes) -> str:
    simulated = one.get("dataset") or {}
    text = f"{one.get('folder', 'data')}: {one.get('infants', '?')} infants, {one.get('windows', '?')} windows"
    if "simulator" not in simulated:
        return text
    return f"{text} (simulator {simulated['simulator']}, seed {simulated.get('seed', '?')})"


def _stage(name: str, one: Notes) -> str:
    parts = [f"{one[key]:.0f} {unit}" for key, unit in (("steps", "steps"), ("seconds", "s")) if key in one]
    error = one.get("tune_mae")
    if isinstance(error, int | float) and math.isfinite(error):
        parts.append(f"MAE {error:.2f} on tune infants")
    return f"{name} {', '.join(parts)}"
