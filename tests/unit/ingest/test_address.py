"""Addresses of peers."""

from __future__ import annotations

import pytest

from neopain.ingest.address import address_of


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (("10.0.0.7", 50114), "10.0.0.7"),
        (("::ffff:10.0.0.7", 50114, 0, 0), "10.0.0.7"),
        (("fe80::1%eth0", 50114, 0, 2), "fe80::1%eth0"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_an_address_of_ipv4_is_the_same_over_ipv6(peer: object, address: str) -> None:
    assert address_of(peer) == address
