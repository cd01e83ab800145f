"""``neopain bench``: it measures what it says, on real parts."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def measured(neopain: Command, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Eight seconds of one bed, once more where the machine was too busy to score a single window of them.

    A machine too slow for a window a second misses some, and the command says so by 1.
    """
    for _ in range(3):
        state: Path = tmp_path_factory.mktemp("bench")
        process = neopain("bench", "latency", "--seconds", "8", "--json", "--state", str(state))
        out, told = process.communicate(timeout=180)
        assert process.returncode in {0, 1}, told + out
        result: dict[str, Any] = json.loads(out.splitlines()[-1])
        assert process.returncode == (0 if result["scores"] and not result["missed"] else 1), told + out
        if result["scores"]:
            break
    return result


def test_every_window_of_the_time_has_its_answer(measured: dict[str, Any]) -> None:
    assert 6 <= measured["scores"] + measured["missed"] <= 10
    assert measured["scores"] >= 1
    assert (measured["abstained"], measured["unanswered"]) == (0, 0)


def test_triton_itself_counts_an_inference_for_each_score(measured: dict[str, Any]) -> None:
    assert measured["triton_inferences"] >= measured["scores"]


def test_every_modality_was_there_all_the_time(measured: dict[str, Any]) -> None:
    assert measured["all_modalities_present"] == measured["scores"]


def test_the_parts_are_measured_and_are_within_the_whole(measured: dict[str, Any]) -> None:
    parts = measured["parts_mean_ms"]
    assert list(parts) == ["read", "features", "inference", "publish"]
    assert all(mean > 0 for mean in parts.values())
    assert max(parts, key=parts.get) == "inference"
    assert measured["latency_ms"]["p50"] <= measured["latency_ms"]["p95"] <= measured["latency_p99_ms"]


def test_the_figures_name_the_model_and_its_weights(measured: dict[str, Any]) -> None:
    assert measured["model"].startswith("simulator-")
    assert measured["weights"] == "trained on the simulator"


@pytest.fixture(scope="module")
def stored(neopain: Command, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Twenty monitors at three listeners, a second each."""
    state: Path = tmp_path_factory.mktemp("bench-ingest")
    process = neopain("bench", "ingest", "--seconds", "1", "--connections", "20", "--json", "--state", str(state))
    out, told = process.communicate(timeout=120)
    assert process.returncode == 0, told + out
    result: dict[str, Any] = json.loads(out.splitlines()[-1])
    return result


def test_every_acknowledged_message_is_on_the_bus(stored: dict[str, Any]) -> None:
    assert stored["kept"]["acknowledged"] == stored["kept"]["on_the_bus"] > 200
    assert stored["ours"]["refused"] == 0


def test_the_messages_are_those_of_the_figure(stored: dict[str, Any]) -> None:
    assert 1800 <= stored["message_bytes"] <= 2200
    assert stored["obx"] == 25


def test_storing_costs_less_than_parsing_alone_does_elsewhere(stored: dict[str, Any]) -> None:
    assert stored["times_hl7apy"] >= 20
    assert stored["times_python_hl7"] >= 2


@pytest.fixture(scope="module")
def remembered(neopain: Command, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The listener's memory over a thousand messages: whether it stays flat is for far more to tell."""
    state: Path = tmp_path_factory.mktemp("bench-memory")
    asked = ("--messages", "1000", "--connections", "20", "--json", "--state", str(state))
    process = neopain("bench", "ingest", *asked)
    out, told = process.communicate(timeout=120)
    assert process.returncode in {0, 1}, told + out
    result: dict[str, Any] = json.loads(out.splitlines()[-1])
    assert process.returncode == (1 if result["growth_mib"] > 10 else 0), told + out
    return result


def test_memory_is_read_over_exactly_so_many_messages(remembered: dict[str, Any]) -> None:
    assert (remembered["acknowledged"], remembered["refused"], remembered["on_the_bus"]) == (1000, 0, 1000)
    assert len(remembered["readings"]) == 20
    assert all(20 < one < 1000 for one in remembered["readings"])
