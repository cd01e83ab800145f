"""What a role without DDL needs done at run time: partitions are made and dropped by functions with the owner's rights.

Expands only: whoever owns the tables may call them as before, and nobody else could use them before. What the other
roles may do is granted after the revisions, at every migration (``charting.roles``). A revision that replaces one of
these functions has to say SECURITY DEFINER and the search path again: both go with the old text.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

FUNCTIONS = ("audit_add_partition(date)", "aggregates_add_partition(date)", "aggregates_drop_before(date)")
# The schema first, since tables are made in the first one; pg_catalog is looked through before it anyway, and what a
# caller has put among its temporary tables last.
PIN = """
DO $$ BEGIN
  EXECUTE format('ALTER FUNCTION {function} SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
END $$
"""


def upgrade() -> None:
    for function in FUNCTIONS:
        # Before it has the owner's rights.
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
        op.execute(PIN.format(function=function))


def downgrade() -> None:
    for function in FUNCTIONS:
        op.execute(f"ALTER FUNCTION {function} SECURITY INVOKER RESET search_path")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO PUBLIC")
