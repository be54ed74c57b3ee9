"""Config databases, made in each of the ways a person can make one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import rosetta
from rosetta.local.postgres import PostgresCluster
from rosetta.migrate import upgrade

REPOSITORY = Path(rosetta.__file__).parents[1]
SCHEMA_FILE = REPOSITORY / "migrations" / "001_create_table.sql"
SEED_FILE = REPOSITORY / "migrations" / "002_seed_data.sql"


@pytest.fixture
def psql(cluster: PostgresCluster) -> Callable[[str, Path], None]:
    """Runs a file as a person would: `psql -f`."""

    def run(database: str, file: Path) -> None:
        command: list[str | Path] = [
            cluster.bin() / "psql",
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            cluster.dsn(database),
            "-f",
            file,
        ]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr

    return run


@pytest.fixture
def psql_database(new_database: Callable[[], str], psql: Callable[[str, Path], None]) -> str:
    """The schema by `psql -f 001_create_table.sql`."""
    name = new_database()
    psql(name, SCHEMA_FILE)
    return name


@pytest.fixture
def migrated_database(cluster: PostgresCluster, new_database: Callable[[], str]) -> str:
    """The schema as the services make it."""
    name = new_database()
    upgrade(cluster.dsn(name))
    return name
