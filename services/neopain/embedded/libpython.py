"""Where the shared library of the running Python is, which Triton's stub links to."""

from __future__ import annotations

import platform
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from neopain.errors import ConfigurationError

BUNDLED = (3, 13)
"""For this version the wheel brings its own library; the stub needs none of the machine's."""


def find_libpython(fallback: Path) -> Path | None:
    """Return the library that the stub of the running Python needs, None when the stub brings its own.

    ``fallback`` is a folder into which a user without root has unpacked Debian's package. ``ConfigurationError`` with
    the command that installs it when it is nowhere.
    """
    if sys.version_info[:2] >= BUNDLED:
        return None
    package = f"libpython{sys.version_info.major}.{sys.version_info.minor}"
    name = f"{package}.so.1.0"
    for folder in candidate_folders(fallback):
        if (folder / name).exists():
            return folder / name
    raise ConfigurationError(
        f"Triton needs {name}: `apt-get install {package}` as root, or without root "
        f"`cd /tmp && apt-get download {package} && dpkg -x {package}_*.deb '{fallback}'`"
    )


def candidate_folders(fallback: Path) -> Iterator[Path]:
    """Yield the folders to look into; the running interpreter's own come first, since patch versions differ."""
    configured = sysconfig.get_config_var("LIBDIR")
    if configured:
        yield Path(configured)
    yield Path(sys.base_prefix) / "lib"
    yield from sorted(fallback.glob("usr/lib/*"))
    yield from known_to_the_linker()
    for folder in (f"/usr/lib/{platform.machine()}-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"):
        yield Path(folder)


def known_to_the_linker() -> list[Path]:
    """Return the folders of the Python libraries in the linker's cache; none where there is no ldconfig."""
    for program in ("/sbin/ldconfig", "ldconfig"):
        try:
            listing = subprocess.run([program, "-p"], check=False, capture_output=True, text=True).stdout
        except OSError:
            continue
        lines = [line for line in listing.splitlines() if "libpython" in line and "=>" in line]
        return [Path(line.rpartition("=>")[2].strip()).parent for line in lines]
    return []
