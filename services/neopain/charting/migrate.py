"""Brings the schema up to date, one process at a time, and tells a service whether it is."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from neopain.charting.audit.chain import ensure_partitions
from neopain.charting.database import connect, translated
from neopain.errors import ConfigurationError, DatabaseUnavailable
from neopain.runtime.backoff import Backoff
from neopain.runtime.log import Log
from neopain.runtime.service import Running

LOG = Log(__name__)

FOLDER = Path(__file__).resolve().parents[3] / "migrations"
LOCK = 7_305_101
"""Key of the advisory lock that only migrations take."""
LOCK_WAIT_SECONDS = 120.0
LOCK_TIMEOUT = "5s"
"""How long a revision waits for a table in use before it gives up rather than queue everyone behind it."""
STATEMENT_TIMEOUT = "10min"


def migrate(database_url: str, *, target: str = "head") -> None:
    """Upgrades to the newest revision, or to ``target``; waits while another process migrates.

    ``DatabaseUnavailable`` when the database is gone or a table stays locked: run it again. ``ConfigurationError``
    when another migration does not end.
    """
    _run(database_url, target, is_up=True)


def migrate_down(database_url: str, *, target: str) -> None:
    """Downgrades to a revision (``base`` drops everything)."""
    _run(database_url, target, is_up=False)


def require_schema(engine: Engine) -> None:
    """Refuses a database that lacks a revision this code needs (``ConfigurationError``); a newer one is welcome."""
    script = ScriptDirectory.from_config(_config())
    known = {revision.revision for revision in script.walk_revisions()}
    with translated("reading the schema's revision"), engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found is None or (found in known and found != script.get_current_head()):
        raise ConfigurationError(
            f"the database is at revision {found}, this version needs {script.get_current_head()}: "
            "run neopain charting migrate"
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


def _run(database_url: str, target: str, *, is_up: bool) -> None:
    engine = connect(database_url, connections=2)
    try:
        with translated("migrating"), engine.connect() as guard, engine.connect() as connection:
            _take_lock(guard)
            connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
            connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
            connection.commit()
            config = _config()
            config.attributes["connection"] = connection
            (command.upgrade if is_up else command.downgrade)(config, target)
            if is_up:
                ensure_partitions(connection, now=datetime.now(UTC))
            connection.commit()
            LOG.info("schema_migrated", target=target)
    finally:
        engine.dispose()


def _take_lock(connection: Connection) -> None:
    # The lock belongs to the session: it goes with the connection, also after kill -9.
    connection = connection.execution_options(isolation_level="AUTOCOMMIT")
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK}):
        if time.monotonic() > deadline:
            raise ConfigurationError(f"another migration has been running for {LOCK_WAIT_SECONDS:g} s: look at it")
        time.sleep(0.2)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
