"""TLS towards an EHR (BCP 195, IHE ITI-19): whom we trust, and the certificate that we show."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx

from neopain.errors import ConfigurationError
from neopain.runtime.tls import Fingerprint, Renewed, fingerprint_of


@dataclass(frozen=True, slots=True)
class ClientTlsFiles:
    """PEM files; ``setting`` is what the names of their settings begin with."""

    setting: str
    ca: Path | None = None
    """The authorities that are trusted; None: those of the machine."""
    certificate: Path | None = None
    key: Path | None = None

    @property
    def are_given(self) -> bool:
        """Whether any file is named."""
        return any((self.ca, self.certificate, self.key))

    def fingerprint(self) -> Fingerprint:
        """Differs when a file was replaced, written, made readable or taken away."""
        return fingerprint_of(self.ca, self.certificate, self.key)


class ClientTls:
    """What connections of HTTP to an EHR begin with. Without ``files``: whom httpx trusts, and no certificate. ``door``
    is its name in log and metrics.

    Renewed files are taken for the connections to come. ``ConfigurationError`` names the setting whose file is wrong.
    """

    def __init__(self, files: ClientTlsFiles | None = None, *, door: str = "ehr") -> None:
        self._renewed = _renewed(door, files) if files is not None else None

    @property
    def context(self) -> ssl.SSLContext:
        """For the next connection."""
        return self._renewed.made if self._renewed is not None else _trusted()

    def lasting_context(self) -> ssl.SSLContext:
        """For a client that keeps one context for good: each connection begins with ``context`` as it is then."""
        lasting = _Lasting(ssl.PROTOCOL_TLS_CLIENT)
        lasting.tls = self
        return lasting

    def refresh(self) -> None:
        """Takes renewed files; from files that cannot be used it goes on with what it has."""
        if self._renewed is not None:
            self._renewed.refresh()


class _Lasting(ssl.SSLContext):
    """Leaves each connection to the context that holds when it begins."""

    tls: ClientTls

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """As that context's."""
        self.tls.context.set_alpn_protocols(alpn_protocols)

    def wrap_socket(self, *arguments: Any, **named: Any) -> ssl.SSLSocket:
        """As that context's."""
        return self.tls.context.wrap_socket(*arguments, **named)

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:
        """As that context's."""
        return self.tls.context.wrap_bio(*arguments, **named)


def client_context(files: ClientTlsFiles) -> ssl.SSLContext:
    """TLS 1.2 or newer to a server whose certificate names its host; ``ConfigurationError`` names the wrong setting."""
    try:
        context = ssl.create_default_context(cafile=files.ca)
    except OSError as error:
        raise ConfigurationError(f"{files.setting}_CA: {files.ca} holds no authority in PEM form ({error})") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _show_certificate(context, files)
    return context


def _renewed(door: str, files: ClientTlsFiles) -> Renewed[ssl.SSLContext]:
    return Renewed(door, files, partial(client_context, files), service="charting")


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities that httpx trusts, read once for all clients."""
    return httpx.create_ssl_context()


def _show_certificate(context: ssl.SSLContext, files: ClientTlsFiles) -> None:
    if files.certificate is None and files.key is None:
        return
    if files.certificate is None or files.key is None:
        raise ConfigurationError(f"a client certificate needs both {files.setting}_CERTIFICATE and {files.setting}_KEY")
    try:
        context.load_cert_chain(files.certificate, files.key, password=lambda: "")
    except OSError as error:
        text = f"{files.certificate} and {files.key} are no certificate with its key, without a passphrase ({error})"
        raise ConfigurationError(f"{files.setting}_CERTIFICATE: {text}") from error
