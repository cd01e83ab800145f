"""Runs revisions on the connection that neopain.charting.migrate hands in, or on ``-x url=...`` for a developer."""

from alembic import context
from sqlalchemy import Connection, create_engine

from neopain.charting.tables import METADATA


def run(connection: Connection) -> None:
    """Each revision in a transaction of its own: what was done stays done when a later one fails."""
    context.configure(connection=connection, target_metadata=METADATA, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with create_engine(context.get_x_argument(as_dictionary=True)["url"]).connect() as connection:
        run(connection)
