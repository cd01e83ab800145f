"""Who may send what: a call's credentials against the site's file. What is denied is counted and told, tokens never."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import grpc

from neopain.domain.identity import BedId
from neopain.errors import ConfigurationError
from neopain.ingest.credentials import Credentials, NotRecognised, Shown
from neopain.ingest.device.credentials import SETTING, DeviceEntry, read_credentials
from neopain.ingest.settings import IngestSettings
from neopain.runtime.address import is_loopback


class Denied(Exception):
    """A call is not let in, or not for that bed. ``why`` is the metric's label; the text names no credential."""

    def __init__(self, status: grpc.StatusCode, why: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.why = why


@dataclass(frozen=True, slots=True)
class Grant:
    """What a call may do; without an entry, everything, since the door is open to this machine alone."""

    entry: DeviceEntry | None
    stream: str

    def check_name(self, name: str) -> None:
        """``Denied`` for a device that calls itself another."""
        if self.entry is not None and not self.entry.may_name_itself(name):
            raise Denied(
                grpc.StatusCode.PERMISSION_DENIED,
                "name",
                f"neopain-device: these credentials are {self.entry.name}'s: leave it out, or send "
                f"{self.entry.name} or {self.entry.name}/<part>",
            )

    def check_bed(self, bed: BedId) -> None:
        """``Denied`` for a bed that is not the device's."""
        if self.entry is not None and not self.entry.may_send_for(bed):
            raise Denied(
                grpc.StatusCode.PERMISSION_DENIED, "bed", f"bed: {bed} is not open to the device {self.entry.name}"
            )


class Gate:
    """The site's file, or none: then everybody on this machine may send everything."""

    def __init__(self, credentials: Credentials[DeviceEntry] | None) -> None:
        self.credentials = credentials

    def admit(self, shown: Shown, stream: str) -> Grant:
        """What the call may do on a stream; ``Denied`` says why it is not let in."""
        if self.credentials is None:
            return Grant(None, stream)
        try:
            entry = self.credentials.recognise(shown, "device")
        except NotRecognised as error:
            raise Denied(grpc.StatusCode.UNAUTHENTICATED, error.why, str(error)) from None
        if stream not in entry.streams:
            raise Denied(grpc.StatusCode.PERMISSION_DENIED, "stream", f"the device {entry.name} may not send {stream}")
        return Grant(entry, stream)


def make_gate(settings: IngestSettings) -> Gate:
    """The gate that the settings ask for.

    Raises ``ConfigurationError`` for a door that would be open to a network, for tokens that would go over it readable,
    and for certificates that nobody asks for.
    """
    host, has_tls = settings.device_host, settings.device_tls_certificate is not None
    if settings.device_credentials is None:
        if not is_loopback(host):
            raise ConfigurationError(
                f"NEOPAIN_INGEST_DEVICE_HOST is {host}: on an address that a network reaches, the device API needs "
                f"{SETTING} (docs/devices.md)"
            )
        return Gate(None)
    if not has_tls and not is_loopback(host):
        raise ConfigurationError(
            f"NEOPAIN_INGEST_DEVICE_HOST is {host}: tokens would be readable on the network: set "
            "NEOPAIN_INGEST_DEVICE_TLS_CERTIFICATE and _KEY"
        )
    credentials = read_credentials(settings.device_credentials)
    if credentials.need_certificates and settings.device_tls_client_ca is None:
        raise ConfigurationError(
            f"{SETTING}: some devices are known by certificate, but NEOPAIN_INGEST_DEVICE_TLS_CLIENT_CA is not set, so "
            "that nobody is asked for one"
        )
    return Gate(credentials)


def certificate_names(auth_context: dict[str, Iterable[bytes]]) -> tuple[str, ...]:
    """The names of a verified client certificate: its subject alternative names, or without any its common name
    (RFC 6125, 6.4.4)."""
    for key in ("x509_subject_alternative_name", "x509_common_name"):
        if names := tuple(name.decode(errors="replace") for name in auth_context.get(key, ())):
            return names
    return ()
