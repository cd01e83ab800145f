"""The address of a peer: what may be said of it before anything is read."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address


def address_of(peer: object) -> str:
    """The IP address of a socket's peer name; one of IPv4 that came over IPv6 (::ffff:10.0.0.7) in its own form."""
    if not isinstance(peer, tuple) or not peer:
        return "unknown"
    text = str(peer[0])
    try:
        address = ip_address(text)
    except ValueError:
        return text
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or text)
