"""TLS of a door (BCP 195, IHE ITI-19, PS3.15 annex B): 1.2 or newer, its files, their renewal and their end.

The handshake itself belongs to whoever owns the socket.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from neopain.codecs.certificate import certificates_in, not_after
from neopain.errors import ConfigurationError
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter, gauge

LOG = Log(__name__)

SOON = timedelta(days=30)
"""A certificate that ends earlier is told in the log at each start and renewal."""

Fingerprint = tuple[tuple[int, ...] | None, ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The PEM files of one door; ``setting`` is what the names of their settings begin with."""

    setting: str
    certificate: Path
    key: Path
    client_ca: Path | None = None
    is_client_required: bool = True

    def fingerprint(self) -> Fingerprint:
        """Differs when a file was replaced, written, made readable or taken away."""
        return tuple(_stamp(path) for path in (self.certificate, self.key, self.client_ca) if path is not None)


def files_of(
    setting: str, certificate: Path | None, key: Path | None, client_ca: Path | None, *, is_client_required: bool = True
) -> TlsFiles | None:
    """The files of a door, None for one without TLS; ``ConfigurationError`` for half of them."""
    if certificate is None or key is None:
        if certificate or key or client_ca:
            raise ConfigurationError(f"TLS needs both {setting}_CERTIFICATE and {setting}_KEY")
        return None
    return TlsFiles(setting, certificate, key, client_ca, is_client_required)


class Tls:
    """What a door's new connections are greeted with; ``door`` is its name in metrics and log, ``kind`` the contexts'
    class.

    Raises ``ConfigurationError``, which names the setting whose file is wrong.
    """

    def __init__(self, door: str, files: TlsFiles, kind: type[ssl.SSLContext] = ssl.SSLContext) -> None:
        self.door = door
        self.files = files
        self.kind = kind
        self._seen = files.fingerprint()
        self.context = server_context(files, kind)
        self._tell_end()

    @property
    def asks_for_certificates(self) -> bool:
        """Whether senders are asked who they are."""
        return self.files.client_ca is not None

    def refresh(self) -> bool:
        """Takes renewed files for the connections to come; those that are open keep what they began with.

        Returns whether there were any that could be used; from files that cannot, the door goes on with what it has.
        """
        seen = self.files.fingerprint()
        if seen == self._seen:
            return False
        # Also of files that are refused: half of a renewal is seen again when the other half is there.
        self._seen = seen
        try:
            self.context = server_context(self.files, self.kind)
        except ConfigurationError as error:
            counter("ingest_certificate_reloads_total").labels(self.door, "refused").inc()
            LOG.error("certificate_not_taken", door=self.door, why=error)
            return False
        counter("ingest_certificate_reloads_total").labels(self.door, "taken").inc()
        LOG.info("certificate_renewed", door=self.door)
        self._tell_end()
        return True

    def _tell_end(self) -> None:
        end = first_end(self.files)
        gauge("ingest_certificate_end_seconds").labels(self.door).set(end.timestamp())
        if end - datetime.now(UTC) < SOON:
            LOG.warning("certificate_ends_soon", door=self.door, end=end)


def server_context(files: TlsFiles, kind: type[ssl.SSLContext] = ssl.SSLContext) -> ssl.SSLContext:
    """The context of these files; ``ConfigurationError`` names the setting of the one that cannot be used."""
    context = kind(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    first_end(files)
    _read(files.key, f"{files.setting}_KEY")
    try:
        context.load_cert_chain(files.certificate, files.key, password=lambda: "")
    except ssl.SSLError as error:
        told = (
            "is not that of the certificate"
            if error.reason == "KEY_VALUES_MISMATCH"
            else "holds no key without a passphrase"
        )
        raise ConfigurationError(f"{files.setting}_KEY: {files.key} {told} ({error.reason or error})") from error
    if files.client_ca is not None:
        _trust(context, files.client_ca, f"{files.setting}_CLIENT_CA")
        context.verify_mode = ssl.CERT_REQUIRED if files.is_client_required else ssl.CERT_OPTIONAL
    return context


def first_end(files: TlsFiles) -> datetime:
    """When the first certificate of the door's own chain ends. Raises ``ConfigurationError``."""
    setting = f"{files.setting}_CERTIFICATE"
    try:
        ends = [not_after(der) for der in certificates_in(_read(files.certificate, setting))]
    except ValueError as error:
        raise ConfigurationError(f"{setting}: {files.certificate}: {error}") from error
    if not ends:
        raise ConfigurationError(f"{setting}: {files.certificate} holds no certificate in PEM form")
    return min(ends)


def _trust(context: ssl.SSLContext, authorities: Path, setting: str) -> None:
    _read(authorities, setting)
    try:
        context.load_verify_locations(authorities)
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"{setting}: {authorities} holds no certificate in PEM form ({error.reason or error})"
        ) from error


def _read(path: Path, setting: str) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise ConfigurationError(f"{setting}: {path} cannot be read ({error.strerror})") from error


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


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
