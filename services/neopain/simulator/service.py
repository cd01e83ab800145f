"""The process of the ward: checks its settings, runs until asked to stop."""

from __future__ import annotations

from functools import partial

import cv2

from neopain.errors import ConfigurationError
from neopain.runtime.clock import SystemClock
from neopain.runtime.service import Running, run_service
from neopain.simulator.settings import SimulatorSettings
from neopain.simulator.ward import Ward


def run_ward(settings: SimulatorSettings) -> None:
    """Runs the ward until asked to stop. A server that is down is waited for.

    Raises ``ConfigurationError`` when the status file's folder does not exist.
    """
    cv2.setNumThreads(1)
    run_service("simulator", settings, partial(serve_ward, settings=settings))


async def serve_ward(running: Running, *, settings: SimulatorSettings) -> None:
    """The service's main."""
    path = settings.status_path
    if path and not path.parent.is_dir():
        raise ConfigurationError(f"NEOPAIN_SIMULATOR_STATUS_PATH: {path.parent} is no folder; create it")
    await Ward(settings, SystemClock()).run(running)
