"""Alembic's environment: one connection, one lock, whoever runs it (a service, the command line, a test)."""

from __future__ import annotations

from logging.config import fileConfig
from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import NullPool, create_engine, text

from rosetta.database import sync_url
from rosetta.errors import ConfigurationError
from rosetta.tables import Base, OneOf

# Any number will do, as long as it never changes: it is what services that start at once agree on.
MIGRATION_LOCK = 0x526F7365747461  # "Rosetta"


class MigrationSettings(BaseSettings):
    """Where the command line finds the database: the environment, or `.env` of the folder it runs in."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore")

    database_url: str | None = None
    config_database_url: str | None = None


def database_url() -> str:
    given = context.config.attributes.get("database_url")
    if given is None:
        settings = MigrationSettings()
        given = settings.database_url or settings.config_database_url
    if not given:
        raise ConfigurationError("DATABASE_URL is not set", remedy="Set it to the URL of the config database.")
    return sync_url(given)


def numbered(_: MigrationContext, __: object, scripts: list[MigrationScript]) -> None:
    """Gives a new revision the next number (0002, 0003, ...) instead of random characters."""
    known = [int(script.revision) for script in ScriptDirectory.from_config(context.config).walk_revisions()]
    for script in scripts:
        script.rev_id = f"{max(known, default=0) + 1:04d}"


def rendered(kind: str, item: object, _: AutogenContext) -> str | Literal[False]:
    """Writes an enumeration into a revision as the plain text it is in the database."""
    return "sa.Text()" if kind == "type" and isinstance(item, OneOf) else False


def run_online() -> None:
    # The parameters of a failing statement may be secrets; errors must not quote them.
    engine = create_engine(database_url(), poolclass=NullPool, hide_parameters=True)
    with engine.connect() as connection:
        # Of the session, not of the transaction: a migration may need to commit in between. It ends with the
        # connection.
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": MIGRATION_LOCK})
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_server_default=True,
            render_item=rendered,
            process_revision_directives=numbered,
        )
        with context.begin_transaction():
            context.run_migrations()


def run_offline() -> None:
    """Prints the SQL instead of running it (`alembic upgrade head --sql`)."""
    context.configure(dialect_name="postgresql", target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)
if context.is_offline_mode():
    run_offline()
else:
    run_online()
