"""Fixtures of compute's integration tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from compute.tests.support.config_database import ConfigSql
from compute.tests.support.copy_load import SCHEMA
from compute.tests.support.service import SHORT_LIVED_JVM, ComputeService
from compute.tests.support.stage import Stage
from compute.tests.support.valkey import Valkey
from rosetta.enums import EngineKind
from rosetta.local.postgres import PostgresCluster

_SHOWN_LINES = 60


@pytest.fixture
def config(cluster: PostgresCluster, new_config_database: Callable[[], str]) -> Iterator[ConfigSql]:
    """An empty config database with the current schema."""
    database = new_config_database()
    connection = cluster.connect(database)
    yield ConfigSql(connection, cluster.dsn(database), database)
    connection.close()


@pytest.fixture(scope="session")
def stage_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    made = Valkey(Path(tmp_path_factory.mktemp("stage-valkey")) / "data")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def stage(
    cluster: PostgresCluster,
    config: ConfigSql,
    stage_valkey: Valkey,
    new_database: Callable[[], str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[Stage]:
    """Source and target database, and a service that the test starts; a target that is away is parked for.

    Pipelines are read by the default engine, or by the one that the test is marked with; ROSETTA_ENGINE overrules.
    """
    stage_valkey.flush()
    marked = request.node.get_closest_marker("engine")
    engine = EngineKind(os.environ.get("ROSETTA_ENGINE") or (marked.args[0] if marked else EngineKind.DEBEZIUM))
    config.run(f"ALTER TABLE pipelines ALTER COLUMN engine SET DEFAULT '{engine}'")
    service = ComputeService(config.url, tmp_path, redis_url=stage_valkey.url, pydbz_jvm_opts=SHORT_LIVED_JVM)
    made = Stage(cluster, config, service, new_database(), new_database())
    yield made
    made.close()
    sys.stdout.write("".join(service.last_lines(_SHOWN_LINES)))  # pytest shows it of a test that failed


@pytest.fixture
def loaded(stage: Stage) -> Stage:
    """The tables, and a service that copies them in many small chunks."""
    stage.source(SCHEMA)
    stage.service.environment["BACKFILL_BATCH_SIZE"] = "100"
    return stage
