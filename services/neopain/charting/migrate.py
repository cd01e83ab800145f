"""Brings the schema up to date, one process at a time."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from neopain.charting.audit.months import ensure_partitions
from neopain.charting.database import connect, translated
from neopain.charting.grants import grant
from neopain.charting.roles import Roles
from neopain.charting.schema import FOLDER
from neopain.errors import ConfigurationError
from neopain.runtime.log import Log

LOG = Log(__name__)

LOCK = 7_305_101
"""Key of the advisory lock that only migrations take."""
LOCK_WAIT_SECONDS = 120.0
LOCK_TIMEOUT = "5s"
"""How long a revision waits for a table in use before it gives up rather than queue everyone behind it."""
STATEMENT_TIMEOUT = "10min"


NEWEST = "head"
NO_ROLES = Roles()


def migrate(database_url: str, *, target: str = NEWEST, roles: Roles = NO_ROLES) -> None:
    """Upgrades to the newest revision, or to ``target``; waits while another process migrates.

    At the newest revision the roles beside the owner, which is that of the URL, get what they need, no more.
    ``DatabaseUnavailable`` when the database is gone or a table stays locked: run it again. ``ConfigurationError``
    when another migration does not end, or a role is missing or may do more than it should; the schema is up to date
    then.
    """
    _run(database_url, target, is_up=True, roles=roles)


def migrate_down(database_url: str, *, target: str) -> None:
    """Downgrades to a revision (``base`` drops everything)."""
    _run(database_url, target, is_up=False)


def _run(database_url: str, target: str, *, is_up: bool, roles: Roles = NO_ROLES) -> None:
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
            if roles and target == NEWEST:
                grant(connection, roles)
                connection.commit()
                LOG.info("roles_granted", writer=roles.writer, reader=roles.reader)
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
