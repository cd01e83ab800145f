"""What a service's process takes in before it serves: whatever it does not need makes each of its starts slower."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

LOOKED_AT = """
import gc, json, os, sys
disable, begun = gc.disable, []

def begin():
    begun.extend(sys.modules)
    disable()

def serve():
    told = {"begun": begun, "modules": [*sys.modules], "plugins": os.environ.get("PYDANTIC_DISABLE_PLUGINS")}
    print(json.dumps(told), flush=True)
    os._exit(0)

gc.disable, gc.enable = begin, serve
from neopain.cli import run
run(sys.argv[1:])
"""
"""The process collects garbage again when all its modules are there: here it ends then, and says which these are."""

UNNEEDED = {
    "ticker": {"aiohttp", "av", "celery", "cv2", "fhir", "grpc", "httpx", "jwt", "numpy", "sqlalchemy"},
    "delivery": {"aiohttp", "alembic", "av", "cv2", "grpc", "numpy"},
}


@pytest.fixture(scope="module", params=[("scoring", "ticker"), ("charting", "delivery")], ids=lambda named: named[1])
def started(request) -> tuple[str, dict[str, list[str]]]:
    """The part of a process, and what it said where it would begin to serve."""
    env = {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", LOOKED_AT, *request.param]
    found = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    return request.param[1], json.loads(found.stdout)


def test_a_process_takes_in_no_package_that_it_does_not_need(started) -> None:
    part, told = started
    assert not UNNEEDED[part] & {name.partition(".")[0] for name in told["modules"]}


def test_a_process_takes_in_no_command_of_others(started) -> None:
    _, told = started
    rooms = {name for name in told["modules"] if name.startswith("neopain.cli.")}
    assert rooms == {"neopain.cli.grammar", "neopain.cli.output", "neopain.cli.services"}


def test_garbage_is_left_alone_before_the_first_heavy_package_comes(started) -> None:
    _, told = started
    assert "neopain.bootstrap.services" in told["begun"]
    assert not {"pydantic", "redis", "asyncio"} & set(told["begun"])


def test_a_process_looks_for_no_plugins_of_its_settings(started) -> None:
    _, told = started
    assert told["plugins"] == "__all__"
