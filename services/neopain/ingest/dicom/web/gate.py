"""Who may send by web: the site's file of senders, or none where the door is open to this machine alone.

::

    [[sender]]
    name = "archive-1"
    token_sha256 = ["<64 hex digits>"]
    certificate = ["archive-1.hospital.example"]
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neopain.errors import ConfigurationError
from neopain.ingest.credentials import Credentials, Known, Shown, read_tables, refuse_twice
from neopain.ingest.settings import IngestSettings
from neopain.runtime.address import is_loopback

SETTING = "NEOPAIN_INGEST_DICOM_WEB_CREDENTIALS"


@dataclass(frozen=True, slots=True)
class Gate:
    """The senders of the file; without one everybody on this machine may send."""

    credentials: Credentials[Known] | None = None

    def admit(self, shown: Shown) -> str:
        """The sender's name in the file, or without a file its address. Raises ``NotRecognised``."""
        return shown.host if self.credentials is None else self.credentials.recognise(shown, "sender").name


def gate_of(settings: IngestSettings) -> Gate:
    """The gate that the settings ask for.

    Raises ``ConfigurationError`` for a door that would be open to a network, for tokens that would go over it readable,
    and for certificates that nobody asks for.
    """
    host, is_far = settings.dicom_web_host, not is_loopback(settings.dicom_web_host)
    if settings.dicom_web_credentials is None:
        if is_far:
            raise ConfigurationError(
                f"NEOPAIN_INGEST_DICOM_WEB_HOST is {host}: on an address that a network reaches, the DICOM web service "
                f"needs {SETTING} (docs/conformance/dicom.md)"
            )
        return Gate()
    if is_far and settings.dicom_web_tls_certificate is None:
        raise ConfigurationError(
            f"NEOPAIN_INGEST_DICOM_WEB_HOST is {host}: objects and tokens would be readable on the network: set "
            "NEOPAIN_INGEST_DICOM_WEB_TLS_CERTIFICATE and _KEY"
        )
    credentials = read_senders(settings.dicom_web_credentials)
    if credentials.need_certificates and settings.dicom_web_tls_client_ca is None:
        raise ConfigurationError(
            f"{SETTING}: some senders are known by certificate, but NEOPAIN_INGEST_DICOM_WEB_TLS_CLIENT_CA is not set, "
            "so that nobody is asked for one"
        )
    return Gate(credentials)


def read_senders(path: Path) -> Credentials[Known]:
    """The senders of a file; ``ConfigurationError`` names the entry and the rule that it breaks, never a hash."""
    senders = tuple(
        Known(known.name, known.tokens_sha256, tuple(name.lower() for name in known.certificates))
        for _, _, known in read_tables(path, "sender", setting=SETTING)
    )
    refuse_twice(senders, f"{SETTING}: {path}", "senders")
    return Credentials(senders)
