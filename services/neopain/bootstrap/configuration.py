"""Writes what follows from the settings classes: ``python -m neopain.bootstrap.configuration``.

That is ``docs/configuration.md`` and the names of settings in the Helm chart's schema.
"""

from __future__ import annotations

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from neopain.bootstrap.chart import schema_file, schema_text
from neopain.bootstrap.places import root_folder
from neopain.charting.api.settings import ApiSettings
from neopain.dashboard.settings import DashboardSettings
from neopain.embedded.triton_service import TritonSettings
from neopain.ingest.settings import IngestSettings
from neopain.runtime.settings import BusSettings
from neopain.scoring.settings import ScoringSettings
from neopain.simulator.settings import SimulatorSettings

SETTINGS: tuple[type[BaseSettings], ...] = (
    BusSettings,
    IngestSettings,
    ScoringSettings,
    ApiSettings,
    DashboardSettings,
    TritonSettings,
    SimulatorSettings,
)

HEAD = """# Configuration

Every setting is an environment variable, read once when a process starts; one that is missing or wrong is named and the
process refuses to start (exit 2). This page is written from the settings classes by
`python -m neopain.bootstrap.configuration`; a test fails when it is stale.
"""


def page() -> str:
    """The page's text."""
    return "\n".join([HEAD, *(_section(kind) for kind in SETTINGS)])


def _section(kind: type[BaseSettings]) -> str:
    prefix = str(kind.model_config.get("env_prefix", ""))
    rows = [_row(prefix, name, info) for name, info in kind.model_fields.items()]
    head = [f"## `{prefix}*`", "", "| variable | default | meaning |", "|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def _row(prefix: str, name: str, info: FieldInfo) -> str:
    return f"| `{prefix}{name.upper()}` | {_default(info)} | {(info.description or '').replace('|', '/')} |"


def _default(info: FieldInfo) -> str:
    if info.default_factory is dict:
        return "`{}`"
    if info.default_factory is not None:
        return "this machine's"
    if info.default is PydanticUndefined:
        return "**required**"
    return f"`{info.default}`" if info.default not in ("", None) else "none"


if __name__ == "__main__":
    (root_folder() / "docs/configuration.md").write_text(page())
    schema_file().write_text(schema_text())
