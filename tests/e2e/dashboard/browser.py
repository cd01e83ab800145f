"""A Chromium for the tests: the one that is named, the system's, playwright's own, or one out of an npm package.

The package's needs no root: its libraries and fonts are unpacked beside it, once for a whole run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from neopain.embedded.npm import node, run_npm_ci
from neopain.errors import ConfigurationError

from ...once_per_run import once_per_run

NAMED = "PLAYWRIGHT_CHROMIUM_EXECUTABLE"
SYSTEM = Path("/usr/bin/chromium")
PACKAGE = Path(__file__).parent / "chromium"
PROGRAM = "program"
"""The file that says where the package's is."""
# The package unpacks its libraries only where it takes the machine for that of a cloud function.
CLOUD = {"AWS_EXECUTION_ENV": "AWS_Lambda_nodejs22.x", "AWS_LAMBDA_JS_RUNTIME": "nodejs22.x"}
FONTS = "<fontconfig><dir>{0}</dir><cachedir>{0}/cache</cachedir></fontconfig>"
"""The package's own names places of a cloud function: without fonts no text is drawn."""


@dataclass(frozen=True, slots=True)
class Chromium:
    """A program, and the environment that it needs."""

    program: Path
    env: dict[str, str] = field(default_factory=dict)


@contextmanager
def browser(base: Path) -> Iterator[Browser]:
    """A running browser; the test is skipped, with the reason, where none can be had. ``base``: of the process."""
    # Playwright's own Node lacks a library on a bare machine.
    os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", str(node()))
    expect.set_options(timeout=15_000)
    with sync_playwright() as playwright:
        found = find(playwright, base)
        running = playwright.chromium.launch(
            executable_path=found.program,
            env={**os.environ, **found.env},
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        try:
            yield running
        finally:
            running.close()


def find(playwright: Playwright, base: Path) -> Chromium:
    """The first that there is; one is unpacked where there is none."""
    for place in (os.environ.get(NAMED, ""), SYSTEM, playwright.chromium.executable_path):
        if place and Path(place).exists():
            return Chromium(Path(place))
    try:
        folder = once_per_run(base, "chromium", unpack)
    except (ConfigurationError, OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no Chromium: set {NAMED}, or apt-get install chromium ({error})")
    env = {"LD_LIBRARY_PATH": str(folder / "al2023/lib"), "FONTCONFIG_PATH": str(folder / "fonts")}
    return Chromium(Path((folder / PROGRAM).read_text()), env)


def unpack(folder: Path) -> None:
    """The one of the npm package, with its libraries and fonts, into the folder."""
    shutil.copytree(PACKAGE, folder)
    run_npm_ci(folder)
    env = {**os.environ, **CLOUD, "TMPDIR": str(folder)}
    done = subprocess.run([str(node()), "unpack.mjs"], cwd=folder, env=env, check=True, capture_output=True, text=True)
    (folder / PROGRAM).write_text(done.stdout.strip())
    fonts = folder / "fonts"
    (fonts / "fonts.conf").write_text(FONTS.format(fonts))
