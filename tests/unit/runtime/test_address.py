"""Addresses: which are of this machine, and which are safe to send to."""

from __future__ import annotations

import pytest

from neopain.runtime.address import is_loopback, is_safe_url, url_of


@pytest.mark.parametrize(
    ("host", "found"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("[::1]", True), ("localhost", True), ("::ffff:127.0.0.1", True),
     ("0.0.0.0", False), ("10.0.0.7", False), ("", False), ("localhost.example", False)],  # noqa: S104
)  # fmt: skip
def test_loopback_is_told_from_a_network(host: str, found: bool) -> None:
    assert is_loopback(host) is found


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://id.example", True),
        ("http://127.0.0.1:8000/jwks", True),
        ("http://[::1]:8000", True),
        ("http://id.example", False),
        ("http://127.0.0.1@evil.example", False),
        ("https://", False),
        ("ftp://127.0.0.1", False),
        ("http://[", False),
    ],
)
def test_only_what_cannot_be_read_on_the_way_is_safe(url: str, found: bool) -> None:
    assert is_safe_url(url) is found


def test_an_address_of_ipv6_is_written_in_brackets() -> None:
    assert url_of("::1", 8080, is_tls=False) == "http://[::1]:8080"
