from __future__ import annotations

import pytest

from neopain.ingest.device.sender import host_of


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("ipv4:10.0.0.7:50114", "10.0.0.7"),
        ("ipv6:%5B2001:db8::1%5D:50114", "[2001:db8::1]"),
        ("unix:/run/neopain.sock", "unix:/run/neopain.sock"),
    ],
)
def test_a_device_without_a_name_is_known_by_its_address_without_the_port(peer: str, host: str) -> None:
    assert host_of(peer) == host
