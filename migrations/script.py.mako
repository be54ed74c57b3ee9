"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
Create date: ${create_date}

Change 001_create_table.sql in the same way, and write `upgrade` so that it does nothing where that file
has already done it (IF NOT EXISTS): a new database gets the whole of 001 first.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
