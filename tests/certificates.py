"""Certificates that OpenSSL makes for the tests: an authority, and what it issues."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

NEEDS_OPENSSL = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here: it makes certificates")
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, both PEM files."""

    certificate: Path
    key: Path


class Authority:
    """An authority of its own in a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder
        self.own = self._make(name, "-x509", "-days", "30", "-subj", f"/CN={name}")

    def issue(
        self,
        name: str,
        *,
        days: int = 20,
        alternative: str = "DNS:localhost",
        subject: str = "",
        key: tuple[str, ...] = KEY,
    ) -> Issued:
        """A certificate for a name, with one alternative name and a new key."""
        signed = ("-x509", "-CA", str(self.own.certificate), "-CAkey", str(self.own.key), "-days", str(days))
        names = ("-subj", f"{subject}/CN={name}", "-addext", f"subjectAltName={alternative}")
        return self._make(name, *signed, *names, key=key)

    def context(self, shown: Issued | None = None) -> ssl.SSLContext:
        """A sender's context: trusts what the authority issued, and shows a certificate if it has one."""
        context = ssl.create_default_context(cafile=self.own.certificate)
        if shown is not None:
            context.load_cert_chain(shown.certificate, shown.key)
        return context

    def _make(self, name: str, *arguments: str, key: tuple[str, ...] = KEY) -> Issued:
        made = Issued(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        files = ("-keyout", str(made.key), "-out", str(made.certificate))
        subprocess.run(["openssl", "req", *key, "-nodes", *arguments, *files], check=True, capture_output=True)
        return made


def end_of(issued: Issued) -> float:
    """The certificate's end as OpenSSL says it, Unix time."""
    command = ["openssl", "x509", "-in", str(issued.certificate), "-noout", "-enddate"]
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(ssl.cert_time_to_seconds(said.stdout.strip().removeprefix("notAfter=")))
