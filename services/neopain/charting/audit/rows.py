"""The rows of the trail in the database, for whoever walks over them."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Connection, select, text

from neopain.charting.audit.chain import Content
from neopain.charting.audit.walk import Row
from neopain.charting.tables import AUDIT

PAGE = 20_000
COLUMNS = [
    AUDIT.c[name] for name in ("chain", "position", "recorded", "event", "actor", "entry_id", "patient", "detail")
] + [AUDIT.c.previous_hash, AUDIT.c.hash]
"""As ``Content`` has them, then the hashes."""
CHAINS = """
WITH RECURSIVE found AS (
  SELECT min(chain) AS chain FROM audit
  UNION ALL
  SELECT (SELECT min(audit.chain) FROM audit WHERE audit.chain > found.chain) FROM found WHERE found.chain IS NOT NULL
) SELECT chain FROM found WHERE chain IS NOT NULL
"""
"""The chains that have rows, each found by the index."""


def read_rows(connection: Connection, *conditions: ColumnElement[bool]) -> Iterator[Row]:
    """The rows of one chain for which the conditions hold, in the order of their positions, a page at a time."""
    query = select(*COLUMNS).where(*conditions).order_by(AUDIT.c.position, AUDIT.c.recorded)
    for *content, previous_hash, hashed in connection.execution_options(yield_per=PAGE).execute(query):
        yield Content(*content), previous_hash, hashed


def chains_of(connection: Connection) -> list[str]:
    """The chains that have rows."""
    return [str(chain) for chain in connection.scalars(text(CHAINS))]
