"""The packages of the demo EHR, installed once for a whole run of tests."""

from __future__ import annotations

from pathlib import Path

from neopain.embedded.state import StateFolder


def share_ehr_packages(shared: Path, own: StateFolder) -> None:
    """Uses the packages of this run's demo EHR if it has installed them: doing it again would only cost time."""
    if (shared / "ehr" / "installed").exists():
        (own.folder("ehr") / "node_modules").symlink_to(shared / "ehr" / "node_modules")
        (own.folder("ehr") / "installed").write_text((shared / "ehr" / "installed").read_text())
