"""TLS of the device API: its credentials for gRPC, of files that were tried first, so that a wrong one stops the start
and not the first device. The rest is ``runtime.tls``'.
"""

from __future__ import annotations

import ssl
from functools import partial
from pathlib import Path

import grpc

from neopain.errors import ConfigurationError
from neopain.ingest.settings import IngestSettings
from neopain.runtime.tls import Renewed, TlsFiles, files_of, server_context

SETTING = "NEOPAIN_INGEST_DEVICE_TLS"
CERTIFICATE, KEY, CLIENT_CA = f"{SETTING}_CERTIFICATE", f"{SETTING}_KEY", f"{SETTING}_CLIENT_CA"


class DeviceTls(Renewed[grpc.ServerCertificateConfiguration]):
    """What new connections are greeted with. ``ConfigurationError`` as for ``tls_of``."""

    def __init__(self, files: TlsFiles) -> None:
        super().__init__("device", files, partial(_configuration_of, files), service="ingest")
        self._asks_for_certificates = files.client_ca is not None

    def credentials(self) -> grpc.ServerCredentials:
        """For a port; gRPC asks for each connection what holds now."""
        return grpc.dynamic_ssl_server_credentials(
            self.made,
            self._renewed,
            require_client_authentication=self._asks_for_certificates,
        )

    def _renewed(self) -> grpc.ServerCertificateConfiguration:
        # Called on a thread of gRPC's.
        self.refresh()
        return self.made


def tls_of(settings: IngestSettings) -> DeviceTls | None:
    """TLS with the settings' files, None for plain TCP.

    Raises ``ConfigurationError`` that names the setting whose file is missing, no PEM, expired, or not of its key.
    """
    files = files_of(SETTING, settings.device_tls_certificate, settings.device_tls_key, settings.device_tls_client_ca)
    return DeviceTls(files) if files is not None else None


def _configuration_of(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    _try(server_context(files), files.certificate)
    pair = _read(KEY, files.key), _read(CERTIFICATE, files.certificate)
    authorities = _read(CLIENT_CA, files.client_ca) if files.client_ca is not None else None
    return grpc.ssl_server_certificate_configuration([pair], root_certificates=authorities)


def _read(setting: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{setting}: {path} cannot be read ({error.strerror})") from error


def _try(server_side: ssl.SSLContext, certificate: Path) -> None:
    # The client of the trial shows no certificate.
    server_side.verify_mode = ssl.CERT_NONE
    try:
        _shake_hands(server_side, certificate)
    except OSError as error:
        why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)
        raise ConfigurationError(f"{CERTIFICATE}: no device would take {certificate} ({why})") from error


def _shake_hands(server_side: ssl.SSLContext, certificate: Path) -> None:
    # In memory, with a client that trusts this very certificate: OpenSSL then checks dates and purpose.
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
