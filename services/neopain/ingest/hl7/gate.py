"""Who may send: by network before anything is read, by certificate after the TLS handshake. Knows no sockets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address

from neopain.errors import ConfigurationError
from neopain.ingest.settings import IngestSettings

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Gate:
    """The site's lists; an empty one lets all in. ``names`` are in lower case."""

    networks: tuple[Network, ...] = ()
    names: frozenset[str] = frozenset()

    def admits_address(self, address: str) -> bool:
        """Whether a connection from that address may be opened."""
        return not self.networks or is_within(address, self.networks)

    def admits_names(self, names: Iterable[str]) -> bool:
        """Whether a sender whose certificate bears these names may send."""
        return not self.names or not self.names.isdisjoint(names)


def gate_of(settings: IngestSettings) -> Gate:
    """The gate that the settings ask for; ``ConfigurationError`` for names that nobody could show."""
    if settings.hl7_allowed_names and settings.hl7_tls_client_ca is None:
        raise ConfigurationError(
            "NEOPAIN_INGEST_HL7_ALLOWED_NAMES needs NEOPAIN_INGEST_HL7_TLS_CLIENT_CA: without it nobody shows a name"
        )
    return Gate(settings.hl7_allowed_networks, frozenset(name.lower() for name in settings.hl7_allowed_names))


def is_within(address: str, networks: Iterable[Network]) -> bool:
    """Whether the address lies in one of the networks; one that is none lies in no network."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in networks)
