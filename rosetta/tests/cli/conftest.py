"""A config database, and commands that find it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from rosetta.local.postgres import PostgresCluster
from rosetta.tests.parking import Sql, runner_of


@pytest.fixture
def config_database(new_config_database: Callable[[], str]) -> str:
    """The name of an empty config database."""
    return new_config_database()


@pytest.fixture
def url(cluster: PostgresCluster, config_database: str) -> str:
    return cluster.dsn(config_database)


@pytest.fixture
def sql(cluster: PostgresCluster, config_database: str) -> Iterator[Sql]:
    """Runs SQL on the config database."""
    with closing(cluster.connect(config_database)) as connection:
        yield runner_of(connection)
