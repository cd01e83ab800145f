"""TLS of the storage SCP: the settings' files, and a context that suits pynetdicom. The rest is ``runtime.tls``'."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from neopain.ingest.settings import IngestSettings
from neopain.runtime.tls import Tls, files_of


class PatientContext(ssl.SSLContext):
    """Leaves the handshake to the first read, on the association's own thread: else one silent peer would hold up the
    thread that accepts all others."""

    def wrap_socket(self, sock: socket.socket, *arguments: Any, **named: Any) -> ssl.SSLSocket:
        """The socket, not yet greeted."""
        named["do_handshake_on_connect"] = False
        return super().wrap_socket(sock, *arguments, **named)


def tls_of(settings: IngestSettings) -> Tls | None:
    """TLS with the settings' files, None for plain TCP; ``ConfigurationError`` names the setting that is wrong."""
    files = files_of(
        "NEOPAIN_INGEST_DICOM_TLS",
        settings.dicom_tls_certificate,
        settings.dicom_tls_key,
        settings.dicom_tls_client_ca,
    )
    return Tls("dicom", files, service="ingest", kind=PatientContext) if files is not None else None
