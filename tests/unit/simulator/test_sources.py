"""The digest by which cohorts are told apart covers what they are made with."""

from __future__ import annotations

import ast
from pathlib import Path

import neopain.simulator.cohort
from neopain.simulator.cohort import MEASURED_WITH

SIMULATOR = Path(neopain.simulator.cohort.__file__).parent
FEATURES = "neopain.features."


def features_imported_by(path: Path) -> set[str]:
    modules = {node.module or "" for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)}
    return {module.removeprefix(FEATURES) for module in modules if module.startswith(FEATURES)}


def test_every_feature_module_that_the_simulator_measures_with_is_in_the_digest() -> None:
    imported = set().union(*(features_imported_by(path) for path in SIMULATOR.glob("*.py")))
    assert imported == set(MEASURED_WITH)
