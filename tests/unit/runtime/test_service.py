"""A service runs until a signal, then drains."""

from __future__ import annotations

import os
import signal

import pytest

from neopain.errors import ConfigurationError
from neopain.runtime.service import Running, run_service
from neopain.runtime.settings import ServiceSettings


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_the_service_to_finish(number: signal.Signals) -> None:
    finished = []

    async def main(running: Running) -> None:
        os.kill(os.getpid(), number)
        await running.stopping.wait()
        finished.append(running.health.reason)

    run_service("scoring", ServiceSettings(), main)
    assert finished == ["stopping"]


def test_an_error_goes_to_the_caller() -> None:
    async def main(_: Running) -> None:
        raise ConfigurationError("no")

    with pytest.raises(ConfigurationError, match="no"):
        run_service("scoring", ServiceSettings(), main)


async def test_a_pause_ends_when_the_service_is_asked_to_stop() -> None:
    running = Running()
    running.stop()
    assert await running.pause(60) is False


async def test_a_pause_that_is_over_says_go_on() -> None:
    assert await Running().pause(0.001) is True
