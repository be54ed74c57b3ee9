"""Fixtures of compute's integration tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from compute.tests.support.config_database import ConfigSql
from compute.tests.support.copy_load import SCHEMA
from compute.tests.support.service import ComputeService
from compute.tests.support.stage import Stage
from rosetta import migrate
from rosetta.local.postgres import PostgresCluster


@pytest.fixture
def config(cluster: PostgresCluster, new_database: Callable[[], str]) -> Iterator[ConfigSql]:
    """An empty config database with the current schema."""
    database = new_database()
    migrate.upgrade(cluster.dsn(database))
    connection = cluster.connect(database)
    yield ConfigSql(connection, cluster.dsn(database), database)
    connection.close()


@pytest.fixture
def stage(
    cluster: PostgresCluster, config: ConfigSql, new_database: Callable[[], str], tmp_path: Path
) -> Iterator[Stage]:
    """Source and target database, and a service that the test starts."""
    made = Stage(cluster, config, ComputeService(config.url, tmp_path), new_database(), new_database())
    yield made
    made.close()


@pytest.fixture
def loaded(stage: Stage) -> Stage:
    """The tables, and a service that copies them in many small chunks."""
    stage.source(SCHEMA)
    stage.service.environment["BACKFILL_BATCH_SIZE"] = "100"
    return stage
