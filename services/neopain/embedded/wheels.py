"""Where the server programs lie inside the wheels that bring them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from neopain.errors import ConfigurationError


def wheel_file(package: str, pattern: str, *, instead: str) -> Path:
    """Return the one file of an installed wheel that matches a pattern below the package's folder.

    The package is found, not imported: some of these warn or make folders on import. ``ConfigurationError`` when the
    wheel is missing or has nothing for this machine: install it again, or set the URL named by ``instead``.
    """
    spec = find_spec(package)
    found = sorted(Path(spec.origin).parent.glob(pattern)) if spec and spec.origin else []
    if not found:
        raise ConfigurationError(f"the wheel of {package} brings no {pattern} for this machine: set {instead}")
    return found[0]
