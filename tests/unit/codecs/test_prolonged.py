"""The aggregator's file."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from neopain.codecs.prolonged import prolonged_from_json, prolonged_to_json
from neopain.domain.prolonged import ProlongedPain
from neopain.errors import ConfigurationError

FITTED = ProlongedPain(half_life_seconds=600.0, offset=0.5, gain=0.9, sedation_gain=-0.2, margin=1.5)


@pytest.mark.parametrize("aggregator", [FITTED, replace(FITTED, margin=math.inf)])
def test_what_was_written_is_read(aggregator: ProlongedPain) -> None:
    text = prolonged_to_json(aggregator, fitted_for="model-1")
    assert prolonged_from_json(text, version="model-1") == aggregator


def test_an_aggregator_of_another_model_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"for 'model-1', expected .* for 'model-2'"):
        prolonged_from_json(prolonged_to_json(FITTED, fitted_for="model-1"), version="model-2")


@pytest.mark.parametrize("broken", [None, "1.0", float("nan"), True])
def test_a_value_that_is_no_number_is_named(broken: object) -> None:
    given = json.loads(prolonged_to_json(FITTED, fitted_for="m")) | {"gain": broken}
    with pytest.raises(ConfigurationError, match=r"gain of prolonged\.json"):
        prolonged_from_json(json.dumps(given), version="m")


@pytest.mark.parametrize("text", ["", "[1]", "{"])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"prolonged\.json"):
        prolonged_from_json(text, version="m")
