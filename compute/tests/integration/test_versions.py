"""Pipelines between versions of PostgreSQL, and types that the embedded server was built without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from compute.tests.support.config_database import ConfigSql
from compute.tests.support.service import ComputeService
from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually
from rosetta.local.postgres import PostgresCluster

pytestmark = pytest.mark.integration


@pytest.fixture
def stage_15(
    cluster_15: PostgresCluster, new_database_15: Callable[[], str], config: ConfigSql, tmp_path: Path
) -> Iterator[Stage]:
    """Source and target on PostgreSQL 15; the config database stays on 18."""
    stage = Stage(cluster_15, config, ComputeService(config.url, tmp_path), new_database_15(), new_database_15())
    yield stage
    stage.close()


def test_geometries_and_documents_flow_through_postgresql_15(stage_15: Stage, config: ConfigSql) -> None:
    stage = stage_15
    stage.source("CREATE EXTENSION postgis")
    stage.source("CREATE TABLE places (id int PRIMARY KEY, shape geometry(Geometry, 4326), spot geography, doc xml)")
    insert = (
        "INSERT INTO places SELECT n, ST_Buffer(ST_SetSRID(ST_MakePoint(n % 90, n % 80), 4326), 1, 60),"
        " ST_MakePoint(n % 90, 1)::geography, ('<a n=\"' || n || '\">&amp;</a>')::xml FROM generate_series({}) n"
    )
    stage.source(insert.format("1, 2000"))
    stage.start_pipeline()
    stage.service.start()
    eventually(lambda: stage.same("places"), 60)
    # PostGIS brings this one to the target itself; it is in every publication FOR ALL TABLES.
    assert config.one("SELECT string_agg(table_name, ',') FROM table_syncs") == "places"
    stage.source(insert.format("3000, 3500"))
    stage.source("UPDATE places SET spot = NULL WHERE id % 3 = 0")  # the large shapes stay unchanged
    stage.source("UPDATE places SET id = -id WHERE id % 5 = 0")
    stage.source("DELETE FROM places WHERE id % 7 = 0")
    eventually(lambda: stage.same("places"), 60)


def test_from_postgresql_15_to_18(stage_15: Stage, cluster: PostgresCluster, config: ConfigSql) -> None:
    stage_15.source("CREATE TABLE numbers (id int PRIMARY KEY, n numeric, t timestamptz)")
    stage_15.source("INSERT INTO numbers SELECT n, n / 7.0, now() FROM generate_series(1, 1000) n")
    stage_15.source("CREATE PUBLICATION pub FOR ALL TABLES")
    newer = replace(stage_15, cluster=cluster, target_database=config.database)
    source = config.add_source(stage_15.cluster, stage_15.source_database)
    config.add_pipeline("p", source, config.add_destination(cluster, config.database, pg_schema="copied"))
    stage_15.service.start()
    stage_15.source("UPDATE numbers SET n = 'NaN' WHERE id % 2 = 0")
    ours = stage_15.rows(stage_15.source_database, "numbers")
    eventually(lambda: newer.rows(config.database, "copied.numbers") == ours, 60)
