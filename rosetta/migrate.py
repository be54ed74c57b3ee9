"""Brings the config database to the schema of this version; what a service calls before anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError

import rosetta
from rosetta.database import translated
from rosetta.errors import ConfigurationError

# `migrations` lies beside this package, in a checkout and in an installed wheel alike.
FOLDER: Final = Path(rosetta.__file__).parents[1] / "migrations"


def upgrade(database_url: str) -> None:
    """Applies every pending migration; does nothing when there is none.

    Safe to call from several services at once: one of them migrates under an advisory lock while the others
    wait, and each returns only when the schema is complete. A failed migration leaves the schema as it was.
    Not to be called from two threads of one process (Alembic keeps its context in a global).

    Args:
        database_url: the config database, in any form that `rosetta.database` reads.

    Raises:
        OutageError: the database cannot be reached or went away.
        ConfigurationError: the URL is not usable, the schema is only partly there, or it was migrated by a
            newer version than this one.
    """
    try:
        with translated("migrating the config database"):
            command.upgrade(configuration(database_url), "head")
    except CommandError as error:
        raise ConfigurationError(
            f"the config database cannot be migrated: {error}",
            code="MIGRATION_UNKNOWN",
            remedy="It was probably migrated by a newer Rosetta: start that version.",
        ) from None


def configuration(database_url: str) -> Config:
    """Alembic's configuration without its ini file; the URL travels beside it, so its `%` need no escape."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["database_url"] = database_url
    return config
