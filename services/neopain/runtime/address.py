"""What may be said of an address before anything is sent there: whether it is of this machine, whether it is safe."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether the address is one of this machine alone."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def is_safe_url(url: str) -> bool:
    """Whether what is sent there cannot be read on the way: https://, or http:// on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


def url_of(host: str, port: int, *, is_tls: bool) -> str:
    """The address of a door, without a slash at the end."""
    shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{'https' if is_tls else 'http'}://{shown}:{port}"
