from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neopain.client.channel import Target
from neopain.client.device import DeviceClient
from neopain.errors import ConfigurationError

HEAVY = {"av", "cv2", "numpy", "opentelemetry", "pydantic", "pydicom", "redis"}
ROOMS = {"client", "errors", "runtime", "wire"}


def test_a_gateway_needs_no_more_than_grpcio_and_protobuf() -> None:
    script = "import sys, neopain.client.device; print(*sys.modules)"
    env = {"PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, env=env)
    modules = found.stdout.split()
    assert not HEAVY & {name.partition(".")[0] for name in modules}
    assert {name.split(".")[1] for name in modules if name.startswith("neopain.")} == ROOMS


def test_a_token_is_not_shown() -> None:
    assert "secret" not in repr(Target("neopain:50051", token="secret"))


@pytest.mark.parametrize("token", ["secret", "secret\n", " secret\r\n"])
def test_a_line_end_around_a_token_is_not_sent(token: str) -> None:
    assert Target("neopain:50051", token=token).metadata() == (("authorization", "Bearer secret"),)


@pytest.mark.parametrize("token", ["sec\nret", "geheimnüs", "sec\tret"])
def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Target("neopain:50051", token=token).metadata()
    assert str(refused.value) == "the token has a line end or a letter beyond ASCII: give it without"


def test_a_devices_name_that_cannot_be_sent_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="the device's name has"):
        DeviceClient(Target("neopain:50051"), device="Gerät 7")


def test_half_a_client_certificate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="needs its key"):
        Target("neopain:50051", certificate=tmp_path / "a.pem").channel()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"ca\.pem cannot be read"):
        Target("neopain:50051", authority=tmp_path / "ca.pem").channel()
