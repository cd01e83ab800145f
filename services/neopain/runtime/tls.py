"""TLS of a door (BCP 195, IHE ITI-19, PS3.15 annex B): 1.2 or newer, its files, their renewal and their end.
Clients' files are renewed by the same rules.

The handshake itself belongs to whoever owns the socket.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeVar

from neopain.codecs.certificate import certificates_in, not_after
from neopain.errors import ConfigurationError
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter, gauge

LOG = Log(__name__)

CERTIFICATE_SECONDS = 10.0
"""How soon renewed certificates are taken."""
SOON = timedelta(days=30)
"""A certificate that ends earlier is told in the log at each start and renewal."""

Fingerprint = tuple[tuple[int, ...] | None, ...]
Made = TypeVar("Made")
Service = Literal["ingest", "charting", "dashboard"]

# What OpenSSL says of a pair (``SSLError.reason``). A key of another kind finds no certificate to belong to.
_NOT_ITS_KEY = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})
_TOO_WEAK = frozenset({"EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"})


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
        return fingerprint_of(self.certificate, self.key, self.client_ca)


def files_of(
    setting: str, certificate: Path | None, key: Path | None, client_ca: Path | None, *, is_client_required: bool = True
) -> TlsFiles | None:
    """The files of a door, None for one without TLS; ``ConfigurationError`` for half of them."""
    if certificate is None or key is None:
        if certificate or key or client_ca:
            raise ConfigurationError(f"TLS needs both {setting}_CERTIFICATE and {setting}_KEY")
        return None
    return TlsFiles(setting, certificate, key, client_ca, is_client_required)


class PemFiles(Protocol):
    """Files that are renewed; without an own certificate where only authorities are named."""

    @property
    def setting(self) -> str: ...

    @property
    def certificate(self) -> Path | None: ...

    def fingerprint(self) -> Fingerprint: ...


class Renewed(Generic[Made]):
    """What ``make`` makes of files, made anew of renewed ones. ``door`` is their name in log and metrics, whose own
    names begin with ``service``.

    Raises ``ConfigurationError``, which names the setting whose file is wrong.
    """

    def __init__(self, door: str, files: PemFiles, make: Callable[[], Made], *, service: Service) -> None:
        self.door = door
        self._files = files
        self._make = make
        self._service = service
        self._take()

    def refresh(self) -> bool:
        """Takes renewed files for the connections to come; those that are open keep what they began with.

        Returns whether there were any that could be used; from files that cannot, the door goes on with what it has.
        """
        if self._files.fingerprint() == self._seen:
            return False
        try:
            self._take()
        except ConfigurationError as error:
            self._reloads("refused")
            LOG.error("certificate_not_taken", door=self.door, why=error)
            return False
        self._reloads("taken")
        LOG.info("certificate_renewed", door=self.door)
        return True

    def _take(self) -> None:
        # Seen before they are read, and also if they are refused: half of a renewal is seen again when the other half
        # is there, and what is written meanwhile the next time.
        self._seen = self._files.fingerprint()
        made, own = self._make(), self._files.certificate
        if own is not None:
            self._tell_end(first_end(own, f"{self._files.setting}_CERTIFICATE"))
        self.made = made

    def _tell_end(self, end: datetime) -> None:
        gauge(f"{self._service}_certificate_end_seconds").labels(self.door).set(end.timestamp())
        if end - datetime.now(UTC) < SOON:
            LOG.warning("certificate_ends_soon", door=self.door, end=end)

    def _reloads(self, outcome: str) -> None:
        counter(f"{self._service}_certificate_reloads_total").labels(self.door, outcome).inc()


class Tls(Renewed[ssl.SSLContext]):
    """What a door's new connections are greeted with: contexts of class ``kind``. Raises ``ConfigurationError``."""

    def __init__(
        self, door: str, files: TlsFiles, *, service: Service, kind: type[ssl.SSLContext] = ssl.SSLContext
    ) -> None:
        super().__init__(door, files, partial(server_context, files, kind), service=service)
        self._asks_for_certificates = files.client_ca is not None

    @property
    def context(self) -> ssl.SSLContext:
        """For the next connection."""
        return self.made

    @property
    def asks_for_certificates(self) -> bool:
        """Whether senders are asked who they are."""
        return self._asks_for_certificates

    def lasting_context(self) -> ssl.SSLContext:
        """For a socket that listens with one context for good: each handshake goes on with ``context`` as it is then.

        OpenSSL asks the callback after every ClientHello, also after one that names no server. (To load renewed files
        into the context that listens would leave half of a pair in it when the other half is refused.)
        """
        lasting = self.context
        lasting.sni_callback = self._put_current
        return lasting

    def _put_current(self, connection: ssl.SSLObject, _server_name: str | None, _lasting: ssl.SSLContext) -> None:
        connection.context = self.context


def server_context(files: TlsFiles, kind: type[ssl.SSLContext] = ssl.SSLContext) -> ssl.SSLContext:
    """The context of these files; ``ConfigurationError`` names the setting of the one that cannot be used."""
    context = kind(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    first_end(files.certificate, f"{files.setting}_CERTIFICATE")
    _read(files.key, f"{files.setting}_KEY")
    try:
        context.load_cert_chain(files.certificate, files.key, password=lambda: "")
    except OSError as error:
        raise ConfigurationError(_why_not(files, error)) from error
    if files.client_ca is not None:
        _trust(context, files.client_ca, f"{files.setting}_CLIENT_CA")
        context.verify_mode = ssl.CERT_REQUIRED if files.is_client_required else ssl.CERT_OPTIONAL
    return context


def first_end(chain: Path, setting: str) -> datetime:
    """When the first certificate of a chain of our own ends. Raises ``ConfigurationError``."""
    try:
        ends = [not_after(der) for der in certificates_in(_read(chain, setting))]
    except ValueError as error:
        raise ConfigurationError(f"{setting}: {chain}: {error}") from error
    if not ends:
        raise ConfigurationError(f"{setting}: {chain} holds no certificate in PEM form")
    return min(ends)


def _why_not(files: TlsFiles, error: OSError) -> str:
    certificate, key = f"{files.setting}_CERTIFICATE: {files.certificate}", f"{files.setting}_KEY: {files.key}"
    if not isinstance(error, ssl.SSLError):
        return f"{certificate} or {key} cannot be read any more ({error.strerror})"
    if error.reason in _TOO_WEAK:
        return f"{certificate} holds a certificate that is too weak ({error.reason})"
    if error.reason in _NOT_ITS_KEY:
        return f"{key} is not that of the certificate ({error.reason})"
    return f"{key} holds no key without a passphrase ({error.reason or error})"


def _trust(context: ssl.SSLContext, authorities: Path, setting: str) -> None:
    _read(authorities, setting)
    try:
        context.load_verify_locations(authorities)
    except OSError as error:
        why = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigurationError(
            f"{setting}: {authorities} holds no certificate in PEM form ({why or error})"
        ) from error


def _read(path: Path, setting: str) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise ConfigurationError(f"{setting}: {path} cannot be read ({error.strerror})") from error


def fingerprint_of(*paths: Path | None) -> Fingerprint:
    """Differs when one of the files was replaced, written, made readable or taken away."""
    return tuple(_stamp(path) for path in paths if path is not None)


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
