"""The whole schema, as 001_create_table.sql writes it.

A database that `psql -f 001_create_table.sql` has already made is only stamped. Later revisions change
that file too, and do nothing where it has already done their work.
"""

import re
from pathlib import Path

from alembic import op

from rosetta.errors import ConfigurationError

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = (Path(__file__).parents[1] / "001_create_table.sql").read_text(encoding="utf-8")

# The first table and the last trigger of the file: what lies between them is there when both are.
STATE = """
SELECT to_regclass('sources') IS NOT NULL,
       EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass('settings') AND tgname = 'notify_update')
"""


def upgrade() -> None:
    if op.get_context().as_sql:
        op.get_context().impl.static_output(SCHEMA)
        return
    connection = op.get_bind()
    begun, complete = connection.exec_driver_sql(STATE).one()
    if complete:
        return
    if begun:
        raise ConfigurationError(
            "the config database holds only a part of Rosetta's schema: 001_create_table.sql was broken off",
            code="SCHEMA_INCOMPLETE",
            remedy="Empty the database, or name another one, then start again.",
        )
    # Without parameters: the file has percent signs of its own.
    connection.exec_driver_sql(SCHEMA, execution_options={"no_parameters": True})


def downgrade() -> None:
    """Drops what the file makes. Refused by PostgreSQL when something of another hand depends on it."""
    tables = re.findall(r"^CREATE TABLE (\w+)", SCHEMA, re.MULTILINE)
    functions = re.findall(r"^CREATE FUNCTION (\w+)", SCHEMA, re.MULTILINE)
    op.execute(f"DROP TABLE {', '.join(tables)}")
    op.execute(f"DROP FUNCTION {', '.join(f'{name}()' for name in functions)}")
