"""TLS towards an EHR (BCP 195, IHE ITI-19): whom we trust, and the certificate that we show."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx

from neopain.errors import ConfigurationError
from neopain.runtime.log import Log

LOG = Log(__name__)


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

    def stamps(self) -> tuple[tuple[int, int] | None, ...]:
        """Differ when a file was replaced, written or taken away."""
        return tuple(_stamp(path) for path in (self.ca, self.certificate, self.key) if path is not None)


class ClientTls:
    """What connections of HTTP to an EHR begin with. Without ``files``: whom httpx trusts, and no certificate.

    Renewed files are taken for the connections to come; an authority that was trusted before stays so until a restart.
    ``ConfigurationError`` names the setting whose file is wrong.
    """

    def __init__(self, files: ClientTlsFiles | None = None) -> None:
        self._files = files
        self._seen = files.stamps() if files else ()
        self.context = client_context(files) if files else _trusted()

    def refresh(self) -> None:
        """Takes renewed files; from files that cannot be used it goes on with what it has."""
        if self._files is None or (seen := self._files.stamps()) == self._seen:
            return
        # Also of files that are refused: half of a renewal is seen again when the other half is there.
        self._seen = seen
        try:
            client_context(self._files)
        except ConfigurationError as error:
            LOG.error("ehr_certificate_not_taken", why=error)
            return
        if self._files.ca is not None:
            self.context.load_verify_locations(self._files.ca)
        _show_certificate(self.context, self._files)
        LOG.info("ehr_certificate_renewed")


def client_context(files: ClientTlsFiles) -> ssl.SSLContext:
    """TLS 1.2 or newer to a server whose certificate names its host; ``ConfigurationError`` names the wrong setting."""
    try:
        context = ssl.create_default_context(cafile=files.ca)
    except OSError as error:
        raise ConfigurationError(f"{files.setting}_CA: {files.ca} holds no authority in PEM form ({error})") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _show_certificate(context, files)
    return context


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


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
