"""Whom a sender's certificate names (RFC 5280, 4.1.2.6 and 4.2.1.6). That it is valid was seen by the handshake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


def names_in(certificate: Mapping[str, object] | None) -> tuple[str, ...]:
    """Who a peer's verified certificate (as ``getpeercert`` gives it) says it is, in lower case: its subject's common
    names, then its alternative names (DNS, URI, IP address, e-mail); empty without a certificate."""
    return tuple(dict.fromkeys(name.lower() for name in _names(certificate or {})))


def _names(certificate: Mapping[str, object]) -> Iterator[str]:
    subject, alternatives = certificate.get("subject", ()), certificate.get("subjectAltName", ())
    if isinstance(subject, tuple):
        yield from (str(value) for part in subject for kind, value in part if kind == "commonName")
    if isinstance(alternatives, tuple):
        yield from (str(value) for kind, value in alternatives if kind in {"DNS", "URI", "IP Address", "email"})
