"""Addresses of peers and doors."""

from __future__ import annotations

import pytest

from neopain.ingest.address import address_of, is_loopback


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


@pytest.mark.parametrize(
    ("host", "found"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("[::1]", True), ("localhost", True), ("::ffff:127.0.0.1", True),
     ("0.0.0.0", False), ("10.0.0.7", False), ("", False), ("localhost.example", False)],  # noqa: S104
)  # fmt: skip
def test_loopback_is_told_from_a_network(host: str, found: bool) -> None:
    assert is_loopback(host) is found
