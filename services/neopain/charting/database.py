"""Connections to PostgreSQL, with the time limits that keep a sick database from hanging a service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2.errors import InsufficientPrivilege
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from neopain.errors import DatabaseUnavailable

OPTIONS = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "timezone": "UTC",
        "lock_timeout": "10s",
        "statement_timeout": "30s",
        "idle_in_transaction_session_timeout": "60s",
        "application_name": "neopain-charting",
    }.items()
)

NOT_ALLOWED = "the database's role may not: see docs/operations.md on roles"


def connect(database_url: str, *, connections: int = 5) -> Engine:
    """A pool of connections; none is made yet."""
    return create_engine(
        database_url,
        pool_size=connections,
        max_overflow=0,
        pool_pre_ping=True,
        # Errors are logged, and what was to be written is patient data.
        hide_parameters=True,
        connect_args={"connect_timeout": 5, "options": OPTIONS},
    )


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Turns a database that is gone, locked or overloaded into ``DatabaseUnavailable``; our own faults stay.

    So does one that does not let our role do it: a person grants it, and what waits goes on.
    """
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise DatabaseUnavailable(f"{action}: {_first_line(error)}") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseUnavailable(f"{action}: {_first_line(error)}") from error
        if isinstance(error.orig, InsufficientPrivilege):
            raise DatabaseUnavailable(f"{action}: {_first_line(error)} ({NOT_ALLOWED})") from error
        raise


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
