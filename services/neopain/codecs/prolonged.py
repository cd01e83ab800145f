"""The aggregator of prolonged pain as JSON, ``prolonged.json`` beside a model."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields

from neopain.domain.prolonged import ProlongedPain
from neopain.errors import ConfigurationError

FORMAT = "neopain prolonged 1"
_WHOLE = frozenset({"least_moments"})


def prolonged_to_json(aggregator: ProlongedPain, *, fitted_for: str) -> str:
    """The same aggregator always gives the same text; ``fitted_for`` is the name of the model version."""
    values = {name: _spoken(value) for name, value in asdict(aggregator).items()}
    return json.dumps({"format": FORMAT, "fitted_for": fitted_for, **values}, indent=2) + "\n"


def prolonged_from_json(text: str, *, version: str) -> ProlongedPain:
    """Reads what ``prolonged_to_json`` wrote for this model version.

    ``ConfigurationError``: another format, another model, or a value that is missing or no number.
    """
    try:
        given = dict(json.loads(text))
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"prolonged.json is no JSON object ({error}): calibrate again") from error
    if given.get("format") != FORMAT or given.get("fitted_for") != version:
        raise ConfigurationError(
            f"prolonged.json is {given.get('format')!r} for {given.get('fitted_for')!r}, expected {FORMAT!r} for "
            f"{version!r}: calibrate again"
        )
    values = {each.name: _number(given.get(each.name), each.name) for each in fields(ProlongedPain)}
    return ProlongedPain(**values)  # type: ignore[arg-type]


def _spoken(value: float) -> float | str:
    """JSON has no infinity: a margin that too few infants could tell is a word."""
    return "unknown" if math.isinf(value) else value


def _number(value: object, name: str) -> float:
    if name == "margin" and value == "unknown":
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigurationError(f"{name} of prolonged.json is {value!r}, expected a number: calibrate again")
    return int(value) if name in _WHOLE else float(value)
