"""TLS of the SCP (PS3.15 annex B, BCP 195): 1.2 or newer, with senders' certificates where an authority is named."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from neopain.errors import ConfigurationError
from neopain.ingest.settings import IngestSettings


class PatientContext(ssl.SSLContext):
    """Leaves the handshake to the first read, on the association's own thread: else one silent peer would hold up the
    thread that accepts all others."""

    def wrap_socket(self, sock: socket.socket, *arguments: Any, **named: Any) -> ssl.SSLSocket:
        """The socket, not yet greeted."""
        named["do_handshake_on_connect"] = False
        return super().wrap_socket(sock, *arguments, **named)


def tls_context(settings: IngestSettings) -> ssl.SSLContext | None:
    """The context that the settings ask for, None for plain TCP; ``ConfigurationError`` names a file that is wrong."""
    certificate, key = settings.dicom_tls_certificate, settings.dicom_tls_key
    if certificate is None or key is None:
        if certificate or key or settings.dicom_tls_client_ca:
            raise ConfigurationError("TLS needs both NEOPAIN_INGEST_DICOM_TLS_CERTIFICATE and _KEY")
        return None
    context = PatientContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
        if settings.dicom_tls_client_ca is not None:
            context.load_verify_locations(settings.dicom_tls_client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"NEOPAIN_INGEST_DICOM_TLS_*: a file cannot be used ({error})") from error
    return context
