"""What the environment may say to scoring."""

from __future__ import annotations

import os

import pytest

from neopain.errors import ConfigurationError
from neopain.runtime.settings import read_settings
from neopain.scoring.settings import ScoringSettings


def test_an_unnamed_worker_is_told_by_its_host_and_process() -> None:
    assert ScoringSettings().consumer_name.endswith(f"-{os.getpid()}")


def test_a_named_worker_keeps_its_name() -> None:
    assert ScoringSettings(worker_name="scoring-0").consumer_name == "scoring-0"


def test_a_setting_that_makes_no_sense_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEOPAIN_SCORING_PARALLEL", "none")
    with pytest.raises(ConfigurationError, match="NEOPAIN_SCORING_PARALLEL"):
        read_settings(ScoringSettings)
