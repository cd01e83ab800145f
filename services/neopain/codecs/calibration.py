"""``calibration.json``: a calibration as text, beside the model that it was fitted for.

Its numbers decide what a nurse reads: whatever is unknown, missing or out of its range is refused.
"""

from __future__ import annotations

import json
import reprlib
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from neopain.domain.calibration import (
    ANY,
    INTERVALS,
    PATTERNS,
    POOLED,
    AbstentionLimits,
    Calibration,
    Group,
    Margins,
    identity,
)
from neopain.domain.gestation import GA_BAND_NAMES
from neopain.domain.score import SCALE_MAX, ModelVersion, Weights
from neopain.errors import ConfigurationError

VERSION = 1
FARTHEST = 1e6
"""No limit of distance lies beyond it."""
FIELDS = {"version", "fitted_for", "seed", "intervals", "edge", "limits", "knots", "margins"}


def calibration_to_json(calibration: Calibration) -> str:
    """The same calibration always gives the same text."""
    fields = {
        "version": VERSION,
        "fitted_for": calibration.fitted_for,
        "seed": calibration.seed,
        "intervals": INTERVALS,
        "edge": calibration.edge,
        "limits": asdict(calibration.limits),
        "knots": calibration.knots,
        "margins": [
            {"pattern": pattern, "ga_band": band, "infants": margins.infants, "widths": margins.widths}
            for (pattern, band), margins in sorted(calibration.margins.items())
        ],
    }
    return json.dumps(fields, indent=1) + "\n"


def calibration_from_json(text: str) -> Calibration:
    """Reads the text; ``ConfigurationError`` names the field that cannot be used and what it should be."""
    fields = _object(_parsed(text), "top level", FIELDS)
    _require(fields["version"] == VERSION, "version", fields["version"], f"{VERSION}, which this release reads")
    _require(fields["intervals"] == list(INTERVALS), "intervals", fields["intervals"], f"{list(INTERVALS)}")
    _require(isinstance(fields["fitted_for"], str), "fitted_for", fields["fitted_for"], "the name of a model version")
    limits = _object(fields["limits"], "limits", {"most_distance", "widest"})
    return Calibration(
        knots=_knots(fields["knots"]),
        margins=_margins(fields["margins"]),
        edge=_number(fields["edge"], "edge", 0.0, SCALE_MAX / 2),
        limits=AbstentionLimits(
            most_distance=_limit(limits["most_distance"], "most_distance", FARTHEST),
            widest=_limit(limits["widest"], "widest", SCALE_MAX),
        ),
        fitted_for=fields["fitted_for"],
        seed=_count(fields["seed"], "seed"),
    )


def calibration_of(version: ModelVersion, text: str | None) -> Calibration:
    """The calibration of a model from the text of its file; None: there is no file.

    Untrained weights need none. ``ConfigurationError`` when other weights have none, when it was fitted for another
    model, or when it cannot be used.
    """
    if text is None:
        if version.weights is Weights.UNTRAINED:
            return identity()
        raise ConfigurationError(
            f"there is no calibration of {version.name}, whose weights are '{version.weights.value}': calibrate it"
        )
    calibration = calibration_from_json(text)
    if calibration.fitted_for != version.name:
        raise ConfigurationError(
            f"the calibration was fitted for '{calibration.fitted_for}', the model is {version.name}: calibrate it"
        )
    return calibration


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"the calibration is no JSON ({error})") from error


def _require(holds: bool, field: str, value: object, rule: str) -> None:
    if not holds:
        raise ConfigurationError(
            f"{field} of the calibration is {reprlib.repr(value)}, expected {rule}: calibrate again"
        )


def _object(value: Any, field: str, names: set[str]) -> dict[str, Any]:
    found = set(value) if isinstance(value, dict) else None
    _require(found == names, field, sorted(found) if found is not None else value, f"the fields {sorted(names)}")
    return dict(value)


def _list(value: Any, field: str, length: int | None = None) -> list[Any]:
    is_right = isinstance(value, list) and (len(value) == length if length is not None else bool(value))
    _require(is_right, field, value, f"a list of {length or 'at least one'}")
    return list(value)


def _number(value: Any, field: str, low: float, high: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    _require(is_number and low <= value <= high, field, value, f"a number from {low} to {high}")
    return float(value)


def _count(value: Any, field: str) -> int:
    _require(type(value) is int and value >= 0, field, value, "a whole number from 0")
    return int(value)


def _limit(value: Any, field: str, high: float) -> float | None:
    if value is None:
        return None
    limit = _number(value, field, 0.0, high)
    _require(limit > 0, field, limit, "more than 0, or null")
    return limit


def _knots(value: Any) -> tuple[tuple[float, float], ...]:
    pairs = [_list(pair, "knots", 2) for pair in _list(value, "knots")]
    knots = tuple((_number(x, "knots", 0.0, SCALE_MAX), _number(y, "knots", 0.0, SCALE_MAX)) for x, y in pairs)
    raw = [x for x, _ in knots]
    _require(raw[0] == 0.0 and raw[-1] == SCALE_MAX, "knots", (raw[0], raw[-1]), "to reach from 0 to 10")
    rises = all(one[0] < next_one[0] and one[1] <= next_one[1] for one, next_one in pairwise(knots))
    _require(rises, "knots", knots, "to rise from the first to the last")
    return knots


def _margins(value: Any) -> dict[Group, Margins]:
    found: dict[Group, Margins] = {}
    for row in _list(value, "margins"):
        fields = _object(row, "margins", {"pattern", "ga_band", "infants", "widths"})
        group = (fields["pattern"], fields["ga_band"])
        _require(group[0] in (ANY, *PATTERNS) and group[1] in (ANY, *GA_BAND_NAMES), "margins", group, "a known group")
        _require(group not in found, "margins", group, "each group once")
        widths = _list(fields["widths"], "widths", len(INTERVALS))
        found[group] = Margins(
            widths=tuple(_number(width, "widths", -SCALE_MAX, SCALE_MAX) for width in widths),
            infants=_count(fields["infants"], "infants"),
        )
    _require(POOLED in found, "margins", sorted(found), "the pooled group ('', '') among them")
    return found
