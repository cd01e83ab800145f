"""Where the device API is and what a device shows there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import grpc

from neopain.errors import ConfigurationError

OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    # For a handshake over a bad line; a refused connection is tried again by the other two.
    ("grpc.min_reconnect_backoff_ms", 10_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


@dataclass(frozen=True, slots=True)
class Target:
    """The device API at ``address`` (host:port).

    ``authority`` is the PEM file of who signed its certificate: with it, or with the device's own certificate and key,
    the channel is encrypted.
    """

    address: str
    token: str = ""
    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __repr__(self) -> str:
        """Without the token."""
        return f"Target({self.address!r})"

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return any((self.authority, self.certificate, self.key))

    def channel(self) -> grpc.aio.Channel:
        """A channel; nothing is sent yet. ``ConfigurationError`` for a file that cannot be read."""
        if not self.is_encrypted:
            return grpc.aio.insecure_channel(self.address, options=OPTIONS)
        if (self.certificate is None) != (self.key is None):
            raise ConfigurationError("a client certificate needs its key, and the key its certificate")
        credentials = grpc.ssl_channel_credentials(
            root_certificates=_read(self.authority),
            private_key=_read(self.key),
            certificate_chain=_read(self.certificate),
        )
        return grpc.aio.secure_channel(self.address, credentials, options=OPTIONS)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What each call shows; a line end around the token is left out. ``ConfigurationError``."""
        token = self.token.strip()
        return (("authorization", f"Bearer {sendable('token', token)}"),) if token else ()


def sendable(what: str, value: str) -> str:
    """The value, which gRPC takes as metadata; ``ConfigurationError`` names what has other than visible ASCII.

    gRPC answers such a call with INTERNAL, and the next as well: nobody would see why.
    """
    if not (value.isascii() and value.isprintable()):
        raise ConfigurationError(f"the {what} has a line end or a letter beyond ASCII: give it without")
    return value


def _read(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path is not None else None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror})") from error
