"""TLS of the device API: 1.2 or newer, with devices' certificates where an authority is named.

Files are tried first, so that a wrong one stops the start and not the first device.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import grpc

from neopain.errors import ConfigurationError
from neopain.ingest.settings import IngestSettings
from neopain.runtime.log import Log

LOG = Log(__name__)

CERTIFICATE = "NEOPAIN_INGEST_DEVICE_TLS_CERTIFICATE"
KEY = "NEOPAIN_INGEST_DEVICE_TLS_KEY"
CLIENT_CA = "NEOPAIN_INGEST_DEVICE_TLS_CLIENT_CA"


def server_credentials(settings: IngestSettings) -> grpc.ServerCredentials | None:
    """The credentials that the settings ask for, None for plain TCP.

    Raises ``ConfigurationError`` that names the setting whose file is missing, no PEM, expired, or not of its key.
    """
    certificate, key, client_ca = (
        settings.device_tls_certificate,
        settings.device_tls_key,
        settings.device_tls_client_ca,
    )
    if certificate is None or key is None:
        if certificate or key or client_ca:
            raise ConfigurationError(f"TLS of the device API needs both {CERTIFICATE} and {KEY}")
        return None
    pair = _read(KEY, key), _read(CERTIFICATE, certificate)
    _check_pair(certificate, key)
    if client_ca is not None:
        _check_authority(client_ca)
    return grpc.ssl_server_credentials(
        [pair],
        root_certificates=_read(CLIENT_CA, client_ca) if client_ca is not None else None,
        require_client_auth=client_ca is not None,
    )


def _read(setting: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{setting}: {path} cannot be read ({error.strerror})") from error


def _check_pair(certificate: Path, key: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"{CERTIFICATE}, {KEY}: {certificate} and {key} are not a certificate and its key in PEM ({error})"
        ) from error
    try:
        ends = _tried(context, certificate)
    except ssl.SSLError as error:
        why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)
        raise ConfigurationError(f"{CERTIFICATE}: no device would take {certificate} ({why})") from error
    LOG.info("device_tls_certificate", until=ends)


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
