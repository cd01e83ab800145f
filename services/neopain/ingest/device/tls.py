"""TLS of the device API: 1.2 or newer, with devices' certificates where an authority is named.

Files are tried first, so that a wrong one stops the start and not the first device. Renewed ones are taken for the
connections to come.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import grpc

from neopain.errors import ConfigurationError
from neopain.ingest.settings import IngestSettings
from neopain.ingest.tls import TlsFiles, files_of
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter, gauge

LOG = Log(__name__)

DOOR = "device"
SETTING = "NEOPAIN_INGEST_DEVICE_TLS"
CERTIFICATE, KEY, CLIENT_CA = f"{SETTING}_CERTIFICATE", f"{SETTING}_KEY", f"{SETTING}_CLIENT_CA"


def tls_of(settings: IngestSettings) -> DeviceTls | None:
    """TLS with the settings' files, None for plain TCP.

    Raises ``ConfigurationError`` that names the setting whose file is missing, no PEM, expired, or not of its key.
    """
    files = files_of(SETTING, settings.device_tls_certificate, settings.device_tls_key, settings.device_tls_client_ca)
    return DeviceTls(files) if files is not None else None


class DeviceTls:
    """What new connections are greeted with. ``ConfigurationError`` as for ``tls_of``."""

    def __init__(self, files: TlsFiles) -> None:
        self.files = files
        self._seen = files.fingerprint()
        self._configuration = _checked(files)

    def credentials(self) -> grpc.ServerCredentials:
        """For a port; gRPC asks for each connection what holds now."""
        return grpc.dynamic_ssl_server_credentials(
            self._configuration,
            self._renewed,
            require_client_authentication=self.files.client_ca is not None,
        )

    def refresh(self) -> None:
        """Takes renewed files; from those that cannot be used, the door goes on with what it has."""
        seen = self.files.fingerprint()
        if seen == self._seen:
            return
        # Also of files that are refused: half of a renewal is seen again when the other half is there.
        self._seen = seen
        try:
            self._configuration = _checked(self.files)
        except ConfigurationError as error:
            counter("ingest_certificate_reloads_total").labels(DOOR, "refused").inc()
            LOG.error("certificate_not_taken", door=DOOR, why=error)
            return
        counter("ingest_certificate_reloads_total").labels(DOOR, "taken").inc()
        LOG.info("certificate_renewed", door=DOOR)

    def _renewed(self) -> grpc.ServerCertificateConfiguration:
        # Called on a thread of gRPC's.
        self.refresh()
        return self._configuration


def _checked(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    pair = _read(KEY, files.key), _read(CERTIFICATE, files.certificate)
    ends = _check_pair(files.certificate, files.key)
    if files.client_ca is not None:
        _check_authority(files.client_ca)
    gauge("ingest_certificate_end_seconds").labels(DOOR).set(ends.timestamp())
    LOG.info("device_tls_certificate", until=ends)
    authorities = _read(CLIENT_CA, files.client_ca) if files.client_ca is not None else None
    return grpc.ssl_server_certificate_configuration([pair], root_certificates=authorities)


def _read(setting: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{setting}: {path} cannot be read ({error.strerror})") from error


def _check_pair(certificate: Path, key: Path) -> datetime:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"{CERTIFICATE}, {KEY}: {certificate} and {key} are not a certificate and its key in PEM ({error})"
        ) from error
    try:
        return _tried(context, certificate)
    except ssl.SSLError as error:
        why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)
        raise ConfigurationError(f"{CERTIFICATE}: no device would take {certificate} ({why})") from error


def _tried(server_side: ssl.SSLContext, certificate: Path) -> datetime:
    # A handshake in memory with a client that trusts this very certificate: OpenSSL then checks dates and purpose.
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trusting.load_verify_locations(certificate)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    told = client.getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(told["notAfter"])), UTC)


def _check_authority(path: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"{CLIENT_CA}: {path} holds no certificates in PEM ({error})") from error
