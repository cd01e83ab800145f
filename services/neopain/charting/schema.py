"""Whether the database has the schema that this code needs; without Alembic, which costs each start a moment."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy import Engine, text

from neopain.charting.database import translated
from neopain.errors import ConfigurationError, DatabaseUnavailable
from neopain.runtime.backoff import Backoff
from neopain.runtime.log import Log
from neopain.runtime.service import Running

LOG = Log(__name__)

FOLDER = Path(__file__).resolve().parents[3] / "migrations"


def known_revisions() -> list[str]:
    """Those of this code, the newest last: each file begins with its revision's number."""
    return sorted(path.stem.partition("_")[0] for path in (FOLDER / "versions").glob("[0-9]*.py"))


def require_schema(engine: Engine) -> None:
    """Refuses a database that lacks a revision this code needs (``ConfigurationError``); a newer one is welcome."""
    known = known_revisions()
    with translated("reading the schema's revision"), engine.connect() as connection:
        is_there = connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
        found = connection.scalar(text("SELECT version_num FROM alembic_version")) if is_there else None
    if found is None or found in known[:-1]:
        raise ConfigurationError(
            f"the database is at revision {found}, this version needs {known[-1]}: run neopain charting migrate"
        )


async def wait_for_schema(engine: Engine, running: Running) -> bool:
    """Waits for the database and looks at its schema; False when asked to stop before. ``ConfigurationError``."""
    backoff = Backoff()
    while True:
        try:
            await asyncio.to_thread(require_schema, engine)
        except DatabaseUnavailable as error:
            LOG.warning("database_unavailable", why=error)
        else:
            return True
        if not await running.pause(backoff.next_seconds()):
            return False
