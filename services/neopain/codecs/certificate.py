"""X.509 certificates in PEM files, as far as a door must know them: how many there are, and when each ends.

Signatures and trust are OpenSSL's; Python's ``ssl`` tells the validity of a peer's certificate only, not of one's own.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime

_BEGIN = "-----BEGIN CERTIFICATE-----"
_PEM = re.compile(_BEGIN + r"(.+?)-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18


def certificates_in(pem: str) -> list[bytes]:
    """The DER bytes of each certificate of a PEM file (RFC 7468), in order.

    ``ValueError`` for one that is no base64 or has no end, as in a file that is still being written.
    """
    bodies = _PEM.findall(pem)
    if len(bodies) < pem.count(_BEGIN):
        raise ValueError("a certificate is cut off")
    try:
        return [base64.b64decode("".join(body.split()), validate=True) for body in bodies]
    except binascii.Error as error:
        raise ValueError(f"a certificate is no base64 ({error})") from error


def not_after(der: bytes) -> datetime:
    """The last moment of a certificate's validity, in UTC (RFC 5280, 4.1.2.5); ``ValueError`` if it is none."""
    try:
        return _read_not_after(der)
    except IndexError as error:
        raise ValueError("a certificate is cut off") from error


def _read_not_after(der: bytes) -> datetime:
    certificate, _ = _content(der, 0, _SEQUENCE)
    place, _ = _content(der, certificate, _SEQUENCE)
    if der[place] == _VERSION:
        place = _after(der, place)
    for _ in ("serial number", "signature algorithm", "issuer"):
        place = _after(der, place)
    validity, _ = _content(der, place, _SEQUENCE)
    return _time(der, _after(der, validity))


def _time(der: bytes, place: int) -> datetime:
    tag = der[place]
    if tag not in {_UTC_TIME, _GENERALIZED_TIME}:
        raise ValueError("a certificate's validity holds no time")
    start, end = _content(der, place, tag)
    text = der[start:end].decode("ascii")
    if tag == _UTC_TIME:
        # Two digits of the year: from 50 on they are of the last century (RFC 5280, 4.1.2.5.1).
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _content(der: bytes, place: int, tag: int) -> tuple[int, int]:
    """Where the content of the element at that place begins and ends (X.690, 8.1)."""
    if der[place] != tag:
        raise ValueError(f"no certificate: tag {der[place]:#04x} at byte {place}, expected {tag:#04x}")
    return _bounds(der, place)


def _after(der: bytes, place: int) -> int:
    return _bounds(der, place)[1]


def _bounds(der: bytes, place: int) -> tuple[int, int]:
    length, start = der[place + 1], place + 2
    if length & 0x80:
        digits = length & 0x7F
        length, start = int.from_bytes(der[start : start + digits], "big"), start + digits
    if start + length > len(der):
        raise ValueError("a certificate is cut off")
    return start, start + length
