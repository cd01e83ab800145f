"""When a certificate ends: read from DER bytes built field by field."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from neopain.codecs.certificate import certificates_in, not_after


def element(tag: int, content: bytes) -> bytes:
    """One DER element; lengths above 127 in the long form (X.690, 8.1.3)."""
    size = len(content)
    digits = b"" if size < 128 else size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, size if size < 128 else 0x80 | len(digits)]) + digits + content


def certificate(end: bytes, *, with_version: bool = True, issuer: bytes = b"") -> bytes:
    """A certificate without a signature: version, serial number, algorithm, issuer, validity (RFC 5280, 4.1)."""
    version = element(0xA0, element(0x02, b"\x02")) if with_version else b""
    fields = element(0x02, b"\x01") + element(0x30, b"") + element(0x30, issuer)
    validity = element(0x30, element(0x17, b"200101000000Z") + end)
    return element(0x30, element(0x30, version + fields + validity))


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (element(0x17, b"270304050607Z"), datetime(2027, 3, 4, 5, 6, 7, tzinfo=UTC)),
        (element(0x17, b"491231235959Z"), datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (element(0x17, b"500101000000Z"), datetime(1950, 1, 1, tzinfo=UTC)),
        (element(0x18, b"20500101000000Z"), datetime(2050, 1, 1, tzinfo=UTC)),
        (element(0x18, b"99991231235959Z"), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_the_end_is_read_from_both_kinds_of_time(end: bytes, expected: datetime) -> None:
    assert not_after(certificate(end)) == expected


@pytest.mark.parametrize(("with_version", "issuer"), [(False, b""), (True, bytes(200)), (True, bytes(70_000))])
def test_versions_and_long_issuers_are_stepped_over(*, with_version: bool, issuer: bytes) -> None:
    made = certificate(element(0x17, b"270304050607Z"), with_version=with_version, issuer=issuer)
    assert not_after(made) == datetime(2027, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_a_certificate_that_is_cut_off_anywhere_is_refused() -> None:
    whole = certificate(element(0x17, b"270304050607Z"))
    for length in range(len(whole)):
        with pytest.raises(ValueError, match="certificate"):
            not_after(whole[:length])


@pytest.mark.parametrize("wrong", [b"no certificate", certificate(element(0x02, b"\x01")), element(0x30, b"\x30\x00")])
def test_what_is_no_certificate_is_refused(wrong: bytes) -> None:
    with pytest.raises(ValueError, match="certificate"):
        not_after(wrong)


def test_each_certificate_of_a_chain_is_found_and_keys_are_not() -> None:
    parts = [
        f"-----BEGIN {kind}-----\n{base64.b64encode(content).decode()}\n-----END {kind}-----\n"
        for kind, content in (("CERTIFICATE", b"one"), ("PRIVATE KEY", b"secret"), ("CERTIFICATE", b"two"))
    ]
    assert certificates_in("subject=x\n" + "".join(parts)) == [b"one", b"two"]


@pytest.mark.parametrize("rest", ["", "-----END CERT", "-----END PRIVATE KEY-----\n"])
def test_a_chain_whose_last_certificate_has_no_end_is_refused(rest: str) -> None:
    whole = "-----BEGIN CERTIFICATE-----\nb25l\n-----END CERTIFICATE-----\n"
    with pytest.raises(ValueError, match="a certificate is cut off"):
        certificates_in(f"{whole}-----BEGIN CERTIFICATE-----\ndHdv\n{rest}")


def test_broken_base64_is_refused() -> None:
    with pytest.raises(ValueError, match="base64"):
        certificates_in("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----")
