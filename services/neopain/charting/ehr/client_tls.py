"""TLS towards an EHR (BCP 195, IHE ITI-19): whom we trust, and the certificate that we show."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from neopain.errors import ConfigurationError


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


def client_context(files: ClientTlsFiles) -> ssl.SSLContext:
    """TLS 1.2 or newer to a server whose certificate names its host; ``ConfigurationError`` names the wrong setting."""
    try:
        context = ssl.create_default_context(cafile=files.ca)
    except OSError as error:
        raise ConfigurationError(f"{files.setting}_CA: {files.ca} holds no authority in PEM form ({error})") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.certificate is None and files.key is None:
        return context
    if files.certificate is None or files.key is None:
        raise ConfigurationError(f"a client certificate needs both {files.setting}_CERTIFICATE and {files.setting}_KEY")
    try:
        context.load_cert_chain(files.certificate, files.key, password=lambda: "")
    except OSError as error:
        text = f"{files.certificate} and {files.key} are no certificate with its key, without a passphrase ({error})"
        raise ConfigurationError(f"{files.setting}_CERTIFICATE: {text}") from error
    return context
